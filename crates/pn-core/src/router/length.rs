//! Traefik's measure of a rule: the bytes of its text. A route that was not written as a rule is measured by the rule
//! that says the same.

use pn_model::HostPattern;
use pn_model::path::PathPattern;
use pn_model::rule::{Conditions, FieldMatch, ValueMatch};
use pn_model::site::RouteMatch;
use std::fmt::Display;

/// Bytes of the rule's text.
pub(super) fn rule_length(matcher: &RouteMatch, hosts: Option<&[HostPattern]>) -> i64 {
    let length = match matcher {
        RouteMatch::Rule { text, .. } => text.len(),
        RouteMatch::Native { path, conditions } => {
            rule_text(hosts.unwrap_or_default(), path, conditions).len()
        }
    };
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn rule_text(hosts: &[HostPattern], path: &PathPattern, conditions: &Conditions) -> String {
    let mut parts = vec![any("Host", hosts)];
    match path {
        PathPattern::Exact(path) => parts.push(format!("Path(`{path}`)")),
        PathPattern::SegmentPrefix(prefix) if prefix.is_empty() => {}
        PathPattern::SegmentPrefix(prefix) | PathPattern::StringPrefix(prefix) => {
            parts.push(format!("PathPrefix(`{prefix}`)"));
        }
        PathPattern::Regex(regex) => parts.push(format!("PathRegexp(`{regex}`)")),
    }
    parts.push(any("Method", &conditions.methods));
    parts.extend(conditions.headers.iter().map(|field| field_text("Header", field)));
    parts.extend(conditions.query.iter().map(|field| field_text("Query", field)));
    parts.push(any("ClientIP", &conditions.client_ip));
    parts.push(any("ClientIP", &conditions.peer_ip));
    parts.retain(|part| !part.is_empty());
    parts.join(" && ")
}

fn any<T: Display>(name: &str, values: &[T]) -> String {
    let each: Vec<_> = values.iter().map(|value| format!("{name}(`{value}`)")).collect();
    if each.len() > 1 { format!("({})", each.join(" || ")) } else { each.concat() }
}

fn field_text(name: &str, field: &FieldMatch) -> String {
    match &field.value {
        ValueMatch::Literal(value) => format!("{name}(`{}`, `{value}`)", field.name),
        ValueMatch::Regex(regex) => format!("{name}Regexp(`{}`, `{regex}`)", field.name),
        ValueMatch::Present => format!("{name}Regexp(`{}`, `.*`)", field.name),
        ValueMatch::Absent => format!("!{name}Regexp(`{}`, `.*`)", field.name),
    }
}

//! The matchers of the rule language: what each name takes and which atom it becomes.

use super::Value;
use crate::parse::{self, Invalid};
use pn_model::path::PathPattern;
use pn_model::rule::{Atom, FieldMatch, ValueMatch};
use std::ops::Range;

/// Names as Traefik spells them; it also takes them in lower, upper and title case.
const NAMES: [&str; 11] = [
    "Host",
    "HostRegexp",
    "Path",
    "PathPrefix",
    "PathRegexp",
    "Method",
    "Header",
    "HeaderRegexp",
    "Query",
    "QueryRegexp",
    "ClientIP",
];

pub(super) fn build(name: &str, at: &Range<usize>, values: &[Value]) -> Result<Atom, Invalid> {
    let matcher = resolve(name).map_err(|error| error.at(at.clone()))?;
    match (matcher, values) {
        ("Header" | "HeaderRegexp" | "Query" | "QueryRegexp", [key, value]) => pair(matcher, key, value),
        ("Query" | "QueryRegexp", [key]) => {
            Ok(Atom::Query(FieldMatch { name: query_key(key)?, value: ValueMatch::Literal(String::new()) }))
        }
        ("Header" | "HeaderRegexp" | "Query" | "QueryRegexp", _) => Err(count(matcher, at, values)),
        (_, [value]) => single(matcher, &value.text).map_err(|error| error.within(&value.at)),
        _ => Err(count(matcher, at, values)),
    }
}

fn resolve(name: &str) -> Result<&'static str, Invalid> {
    let found = NAMES.into_iter().find(|own| own.eq_ignore_ascii_case(name));
    match found {
        Some(own) if spellings(own).iter().any(|spelling| spelling == name) => Ok(own),
        Some(own) => {
            Err(Invalid::new(format!("unknown matcher {name}")).help(format!("did you mean {own}?")))
        }
        None => Err(unknown(name)),
    }
}

fn spellings(name: &str) -> [String; 4] {
    let lower = name.to_ascii_lowercase();
    let mut title = lower.clone();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    [name.to_owned(), lower, name.to_ascii_uppercase(), title]
}

/// A name that is no matcher of HTTP in version 3 of the language.
fn unknown(name: &str) -> Invalid {
    let help = match name.to_ascii_lowercase().as_str() {
        "headers" => "version 3 of the language calls it Header".to_owned(),
        "headersregexp" => "version 3 of the language calls it HeaderRegexp".to_owned(),
        "hostheader" => "version 3 of the language calls it Host".to_owned(),
        "hostsni" | "hostsniregexp" | "alpn" => {
            "it belongs to a stream: `sni` and `alpn` of streams.NAME".to_owned()
        }
        _ => format!("the matchers are {}", NAMES.join(", ")),
    };
    Invalid::new(format!("unknown matcher {name}")).help(help)
}

fn single(matcher: &str, value: &str) -> Result<Atom, Invalid> {
    Ok(match matcher {
        "Host" => Atom::Host(parse::host_pattern(value)?),
        "HostRegexp" => Atom::HostRegex(parse::regex(value)?),
        "Path" => Atom::Path(PathPattern::Exact(parse::path_literal(value)?)),
        "PathPrefix" => Atom::Path(PathPattern::StringPrefix(parse::path_prefix(value)?)),
        "PathRegexp" => Atom::Path(PathPattern::Regex(parse::regex(value)?)),
        "Method" => Atom::Method(parse::method(value)?),
        _ => Atom::PeerIp(parse::network(value)?),
    })
}

fn pair(matcher: &str, key: &Value, value: &Value) -> Result<Atom, Invalid> {
    let wanted = if matcher.ends_with("Regexp") {
        ValueMatch::Regex(parse::regex(&value.text).map_err(|error| error.within(&value.at))?)
    } else {
        ValueMatch::Literal(value.text.clone())
    };
    if matcher.starts_with("Query") {
        return Ok(Atom::Query(FieldMatch { name: query_key(key)?, value: wanted }));
    }
    let name = parse::header_name(&key.text).map_err(|error| error.within(&key.at))?;
    Ok(Atom::Header(FieldMatch { name, value: wanted }))
}

fn query_key(key: &Value) -> Result<String, Invalid> {
    if key.text.is_empty() {
        return Err(Invalid::new("a query parameter without a name").at(key.at.clone()));
    }
    Ok(key.text.clone())
}

/// The wrong number of values, with the way version 3 says what version 2 said with a list.
fn count(matcher: &str, at: &Range<usize>, values: &[Value]) -> Invalid {
    let takes = match matcher {
        "Header" | "HeaderRegexp" => "a name and a value",
        "Query" | "QueryRegexp" => "a key and, if wanted, a value",
        _ => "exactly one value",
    };
    let at = values.last().map_or_else(|| at.clone(), |last| at.start..last.at.end);
    let error = Invalid::new(format!("{matcher} takes {takes}, found {}", values.len())).at(at);
    match values {
        [first, second, ..] if takes == "exactly one value" => {
            let (first, second) = (&first.text, &second.text);
            error.help(format!("write {matcher}(`{first}`) || {matcher}(`{second}`)"))
        }
        _ => error,
    }
}

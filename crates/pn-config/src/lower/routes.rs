//! The native routes of a site: a path, conditions, a target.

use super::{Context, targets};
use crate::parse::{self, Invalid};
use crate::resolved::Node;
use crate::value::{Kind, Table, Value};
use ipnet::IpNet;
use pn_model::path::PathPattern;
use pn_model::rule::{Conditions, FieldMatch, ValueMatch};
use pn_model::site::RouteMatch;
use pn_model::{
    Middleware, MiddlewareKind, MiddlewareName, NodePath, Route, RouteName, ServiceName, SiteName,
};
use std::collections::HashMap;

/// Every route of a site: its own target as a route of every path, and those under `routes`.
pub(super) fn of_site(cx: &mut Context<'_>, node: &Node, site: &SiteName) -> Vec<Route> {
    let mut routes = Vec::new();
    let own = targets::TARGETS.into_iter().any(|key| node.table.has(key));
    let target = targets::target(cx, node);
    if let Some(to) = target.clone() {
        let middlewares = cx.site_use.get(site).cloned().unwrap_or_default();
        let path = PathPattern::any();
        routes.push(Route {
            name: RouteName::new(format!("{site}{path}")),
            matcher: RouteMatch::Native { path, conditions: Conditions::default() },
            priority: 0,
            middlewares,
            to,
            fall_through: false,
            path: node.path.clone(),
        });
    }
    let mut counts = HashMap::new();
    for route in &node.routes {
        let count = counts.entry(route.name.clone()).or_insert(0usize);
        *count += 1;
        routes.extend(native(cx, route, site, *count, target.as_ref(), own));
    }
    routes
}

/// `count` tells apart the tables of one path.
fn native(
    cx: &mut Context<'_>,
    node: &Node,
    site: &SiteName,
    count: usize,
    inherited: Option<&ServiceName>,
    site_has_target: bool,
) -> Option<Route> {
    let place = Value::string(node.name.clone(), node.span);
    let path = cx.parsed(&place, parse::path_pattern);
    let conditions = conditions(cx, &node.table);
    let own = targets::TARGETS.into_iter().any(|key| node.table.has(key));
    let to = if own { targets::target(cx, node) } else { inherited.cloned() };
    if !own && !site_has_target {
        let help = "add `to`, `respond` or `redirect` to it or to its site";
        cx.error("no-target", node.span, format!("the route `{}` leads nowhere", node.name), help);
    }
    let mut middlewares = cx.middlewares(&node.table, "use");
    let path = path?;
    if node.table.bool("strip-prefix").unwrap_or_default() {
        middlewares.extend(strip_prefix(cx, node, &path));
    }
    let name = match count {
        1 => format!("{site}{path}"),
        count => format!("{site}{path}#{count}"),
    };
    Some(Route {
        name: RouteName::new(name),
        matcher: RouteMatch::Native { path, conditions },
        priority: node.table.int("priority").unwrap_or_default(),
        middlewares,
        to: to?,
        fall_through: node.table.bool("fall-through").unwrap_or_default(),
        path: node.path.clone(),
    })
}

/// The middleware that `strip-prefix = true` stands for; one for each prefix.
fn strip_prefix(cx: &mut Context<'_>, node: &Node, path: &PathPattern) -> Option<MiddlewareName> {
    let prefix = match path {
        PathPattern::Exact(path) | PathPattern::SegmentPrefix(path) if !matches!(path.as_str(), "" | "/") => {
            path
        }
        _ => {
            let message = format!("the route `{}` has no prefix to strip", node.name);
            let help = "only `/a/*` and `/a` have one; name a `strip-prefix` middleware for others";
            cx.error("invalid-value", node.at("strip-prefix"), message, help);
            return None;
        }
    };
    let name = MiddlewareName::new(format!("strip-prefix({prefix})"));
    cx.model.middlewares.entry(name.clone()).or_insert_with(|| Middleware {
        name: name.clone(),
        kind: MiddlewareKind::StripPrefix(vec![prefix.trim_end_matches('/').to_owned()]),
        path: NodePath::child(&node.path, "strip-prefix"),
    });
    Some(name)
}

fn conditions(cx: &mut Context<'_>, table: &Table) -> Conditions {
    let mut methods = cx.scalars(table, "methods", parse::method);
    methods.sort();
    methods.dedup();
    if table.get("methods").is_some_and(|value| value.items().is_empty()) {
        let help = "leave the key out for every method";
        cx.error("invalid-value", table.span("methods"), "a route for no method", help);
    }
    Conditions {
        methods,
        headers: fields(cx, table, "headers", parse::header_name),
        query: fields(cx, table, "query", |name| match name {
            "" => Err(Invalid::new("a query parameter without a name")),
            _ => Ok(name.to_owned()),
        }),
        client_ip: networks(cx, table, "client-ip"),
        peer_ip: networks(cx, table, "peer-ip"),
        tls: table.bool("tls"),
    }
}

fn networks(cx: &mut Context<'_>, table: &Table, key: &str) -> Vec<IpNet> {
    if table.get(key).is_some_and(|value| value.items().is_empty()) {
        let help = "leave the key out for every address";
        cx.error("invalid-value", table.span(key), "a route for no address", help);
    }
    cx.scalars(table, key, parse::network)
}

/// `true`, `false`, `"~regex"` or a literal, by name.
fn fields(
    cx: &mut Context<'_>,
    table: &Table,
    key: &str,
    parse_name: impl Fn(&str) -> Result<String, Invalid>,
) -> Vec<FieldMatch> {
    let mut fields = Vec::new();
    for (name, entry) in table.sub(key).iter() {
        let place = Value::string(name.clone(), entry.key_span);
        let name = cx.parsed(&place, &parse_name);
        let value = match &entry.value.kind {
            Kind::Bool(true) => Some(ValueMatch::Present),
            Kind::Bool(false) => Some(ValueMatch::Absent),
            _ => cx.parsed(&entry.value, |text| match text.strip_prefix('~') {
                Some(regex) => parse::regex(regex).map(ValueMatch::Regex),
                None => Ok(ValueMatch::Literal(text.to_owned())),
            }),
        };
        if let (Some(name), Some(value)) = (name, value) {
            fields.push(FieldMatch { name, value });
        }
    }
    fields
}

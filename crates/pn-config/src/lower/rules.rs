//! Free-form routes: each is listed under every site that one of its branches belongs to.

use super::branches::owners;
use super::{Context, sites, targets};
use crate::diagnostic::Diagnostic;
use crate::resolved::{Node, Section};
use crate::rule;
use pn_model::limits::RULE_BRANCHES;
use pn_model::rule::Expr;
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, MiddlewareName, Route, RouteName, SiteName};

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Routes) {
        free_form(cx, node);
    }
}

fn free_form(cx: &mut Context<'_>, node: &Node) {
    let to = targets::target(cx, node);
    let middlewares = cx.middlewares(&node.table, "use");
    let Some(value) = node.table.get("rule") else { return };
    let Some(text) = value.as_str() else { return };
    let expr = match rule::parse(text) {
        Ok(expr) => expr,
        Err(error) => return cx.invalid("invalid-rule", value, error),
    };
    let Some(hosts) = owners(&expr) else {
        let help = "write it as several routes";
        return cx.error(
            "invalid-rule",
            value.span,
            format!("a rule of more than {RULE_BRANCHES} branches"),
            help,
        );
    };
    if hosts.is_empty() {
        let message = "no request can have all the hosts that this rule asks for";
        return cx.error("unreachable-route", value.span, message, "hosts are joined by `||`");
    }
    let names: Vec<_> = hosts.into_iter().filter_map(|host| owner(cx, host, node)).collect();
    let Some(to) = to else { return };
    let mut listed = std::collections::BTreeSet::new();
    for name in names {
        if !listed.insert(name.clone()) {
            continue;
        }
        let route = Route {
            name: RouteName::new(node.name.clone()),
            matcher: RouteMatch::Rule { expr: Expr::clone(&expr), text: text.to_owned() },
            priority: node.table.int("priority").unwrap_or_default(),
            middlewares: stack(cx, node, &name, &middlewares),
            to: to.clone(),
            fall_through: node.table.bool("fall-through").unwrap_or_default(),
            path: node.path.clone(),
        };
        if let Some(site) = cx.model.sites.get_mut(&name) {
            site.routes.push(route);
        }
    }
}

/// The site that a branch belongs to, by its host.
fn owner(cx: &mut Context<'_>, host: HostPattern, node: &Node) -> Option<SiteName> {
    if let Some((name, _)) = cx.hosts.get(&host) {
        return Some(name.clone());
    }
    if host == HostPattern::Any {
        let message =
            "a branch of this rule names no host, so it belongs to the site `*`, which is not declared";
        let help = "add `Host(..)` to each branch, or declare `[sites.\"*\"]`";
        cx.error("no-site", node.at("rule"), message, help);
        return None;
    }
    warn_of_wider_site(cx, &host, node);
    Some(sites::implied(cx, host, node))
}

/// A request never falls to a wider site, so an implied one takes its host out of what guards the wider one.
fn warn_of_wider_site(cx: &mut Context<'_>, host: &HostPattern, node: &Node) {
    let Some((site, span)) = wider(host).iter().find_map(|wide| cx.hosts.get(wide)).cloned() else { return };
    let found = Diagnostic::warning(
        "implied-site",
        format!("`{host}` becomes a site of its own, without the middlewares and the TLS policy of `{site}`"),
    );
    let help = format!("declare `[sites.\"{host}\"]` to say that this is meant");
    cx.push(found.at(node.at("rule"), "named here").at(span, "the wider site").help(help));
}

/// The wildcards that take a host, the narrowest first.
fn wider(host: &HostPattern) -> Vec<HostPattern> {
    let (mut wider, mut rest) = match host {
        HostPattern::Exact(name) => match name.split_once('.') {
            Some((_, rest)) => (vec![HostPattern::OneLabel(rest.to_owned())], rest),
            None => return Vec::new(),
        },
        HostPattern::OneLabel(suffix) => (Vec::new(), suffix.as_str()),
        HostPattern::AnyDepth(suffix) => match suffix.split_once('.') {
            Some((_, rest)) => (Vec::new(), rest),
            None => return Vec::new(),
        },
        HostPattern::Any => return Vec::new(),
    };
    loop {
        wider.push(HostPattern::AnyDepth(rest.to_owned()));
        let Some((_, tail)) = rest.split_once('.') else { return wider };
        rest = tail;
    }
}

/// What the site brings, then the route's own; `unset = ["use"]` drops the former.
fn stack(cx: &Context<'_>, node: &Node, site: &SiteName, own: &[MiddlewareName]) -> Vec<MiddlewareName> {
    let mut stack = Vec::new();
    if !node.unsets("use") {
        stack.extend_from_slice(cx.site_use.get(site).map_or(&[], Vec::as_slice));
    }
    stack.extend_from_slice(own);
    stack
}

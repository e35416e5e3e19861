//! `asserts.NAME`: that each route of some sites runs some middlewares, proved and not sampled.

use crate::diagnostic::Diagnostic;
use crate::lower::{Context, within};
use crate::parse;
use crate::resolved::{Node, Section};
use pn_model::{HostPattern, MiddlewareKind, MiddlewareName, Model, Route, ServiceKind, ServiceName, Site};
use std::collections::BTreeSet;

type Names = BTreeSet<MiddlewareName>;

pub(super) fn prove(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Asserts) {
        let patterns = cx.scalars(&node.table, "sites", parse::host_pattern);
        let wanted = cx.middlewares(&node.table, "must-use");
        let sites: Vec<&Site> = cx
            .model
            .sites
            .values()
            .filter(|site| patterns.iter().any(|pattern| holds(&cx.model, pattern, site)))
            .collect();
        if sites.is_empty() && !patterns.is_empty() {
            let help = "correct the pattern, or remove the assertion";
            let message = format!("`asserts.{}` holds for no site, so it proves nothing", node.name);
            cx.warn("empty-assertion", node.at("sites"), message, help);
            continue;
        }
        let mut found = Vec::new();
        for site in sites {
            for route in &site.routes {
                let runs = runs(&cx.model, site, route);
                let missing: Vec<_> = wanted.iter().filter(|name| !runs.contains(*name)).collect();
                if !missing.is_empty() {
                    found.push(broken(cx, node, route, &missing));
                }
            }
        }
        found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
    }
}

fn broken(cx: &Context<'_>, node: &Node, route: &Route, missing: &[&MiddlewareName]) -> Diagnostic {
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("the route `{}` does not run {}", route.name, names.join(", "));
    let place = cx.resolved.locate(&route.path).unwrap_or(crate::value::Span::NONE);
    Diagnostic::error("assertion", message)
        .at(place, "")
        .at(node.span, "asserted here")
        .help("add it to `use` of the route or its site, or narrow the assertion")
}

/// Whether some request to a host of the pattern ends at the site.
fn holds(model: &Model, pattern: &HostPattern, site: &Site) -> bool {
    site.hosts
        .iter()
        .any(|host| within(host, pattern) || (within(pattern, host) && !narrower(model, pattern, host)))
}

/// Whether another host takes every request of the pattern before a wider one could.
fn narrower(model: &Model, pattern: &HostPattern, wide: &HostPattern) -> bool {
    let mut hosts = model.sites.values().flat_map(|site| &site.hosts);
    hosts.any(|host| host != wide && within(pattern, host) && within(host, wide))
}

/// Every middleware that a request through the route surely runs.
fn runs(model: &Model, site: &Site, route: &Route) -> Names {
    let mut names = expand(model, &route.middlewares);
    names.extend(of_service(model, &route.to, 0));
    let listeners = site.listeners.iter().filter_map(|name| model.listeners.get(name));
    let at_all =
        listeners.map(|listener| expand(model, &listener.middlewares)).reduce(|all, own| &all & &own);
    names.extend(at_all.unwrap_or_default());
    names
}

/// Of a split only what all of its sides run.
fn of_service(model: &Model, name: &ServiceName, depth: usize) -> Names {
    let Some(service) = model.services.get(name) else { return Names::new() };
    let mut names = expand(model, &service.middlewares);
    if let ServiceKind::Split(split) = &service.kind
        && depth < pn_model::limits::SERVICE_DEPTH
    {
        let sides = split.targets.iter().map(|(target, _)| of_service(model, target, depth + 1));
        names.extend(sides.reduce(|all, own| &all & &own).unwrap_or_default());
    }
    names
}

/// The names and, of chains, their members.
fn expand(model: &Model, names: &[MiddlewareName]) -> Names {
    let mut all = Names::new();
    let mut open: Vec<_> = names.to_vec();
    while let Some(name) = open.pop() {
        if let Some(MiddlewareKind::Chain(members)) = model.middlewares.get(&name).map(|node| &node.kind) {
            open.extend(members.iter().filter(|member| !all.contains(*member)).cloned());
        }
        all.insert(name);
    }
    all
}

//! Warnings: what runs, but hardly as it was meant.

use crate::diagnostic::Diagnostic;
use crate::lower::{Context, one};
use crate::resolved::{Node, Section};
use crate::schema::types::show_duration;
use crate::value::Table;
use pn_model::{ListenerName, Service, ServiceKind, ServiceName, TransportName};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) fn run(cx: &mut Context<'_>) {
    unused(cx);
    idle_sites(cx);
    unchecked_servers(cx);
    timeouts(cx);
}

/// Named nodes that nothing refers to.
fn unused(cx: &mut Context<'_>) {
    let kinds = [
        Section::Listeners,
        Section::Services,
        Section::Transports,
        Section::Middlewares,
        Section::Issuers,
        Section::TlsPolicies,
    ];
    for section in kinds {
        for node in cx.resolved.of(section) {
            if node.span.is_none() || cx.used.contains(&(section, node.name.clone())) {
                continue;
            }
            let message = format!("the {} `{}` is not used", one(section), node.name);
            cx.warn(
                "unused-node",
                node.span,
                message,
                "refer to it, mark it `abstract = true`, or remove it",
            );
        }
    }
}

fn idle_sites(cx: &mut Context<'_>) {
    let served: BTreeSet<_> =
        cx.model.sites.values().filter(|site| !site.routes.is_empty()).map(|site| &site.path).collect();
    let silent = |node: &&Node| {
        let keys = ["to", "respond", "redirect"];
        !served.contains(&node.path)
            && node.routes.is_empty()
            && !keys.into_iter().any(|key| node.table.has(key))
    };
    let idle: Vec<_> = cx.resolved.of(Section::Sites).filter(silent).map(|node| node.span).collect();
    for span in idle {
        let help = "add `to`, `respond` or `redirect`, or a route";
        cx.warn("empty-site", span, "this site answers everything with 404", help);
    }
}

fn unchecked_servers(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Services) {
        let Some(ServiceKind::Servers(servers)) =
            cx.model.services.get(&*node.name).map(|service| &service.kind)
        else {
            continue;
        };
        if servers.servers.len() > 1 && servers.health_check.is_none() && servers.outlier.is_none() {
            let help = "add `health-check = { path = \"/healthz\" }`, or `outlier = {}`";
            let message = "requests go on to servers that are down: several servers and no health check";
            cx.warn("no-health-check", node.at("servers"), message, help);
        }
    }
}

// === timeouts ===

/// Where the upstream may take longer than the client's side waits. Only of what somebody wrote: the defaults are
/// meant for most, and nobody wants to hear of them.
fn timeouts(cx: &mut Context<'_>) {
    let mut found = Vec::new();
    for (listener, transport) in pairs(cx) {
        found.extend(slower(cx, &listener, &transport));
    }
    found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
}

fn slower(cx: &Context<'_>, listener: &ListenerName, transport: &TransportName) -> Option<Diagnostic> {
    let client = cx.model.listeners.get(listener)?.timeouts.body_idle;
    let (table, node) = written(cx, transport)?;
    let timeouts = cx.model.transports.get(transport)?.timeouts;
    let client_span =
        cx.resolved.get(Section::Listeners, listener.as_str())?.table.sub("timeouts").span("body-idle");
    let each = [("response-header", timeouts.response_header), ("body-idle", timeouts.body_idle)];
    let (key, upstream) = each.into_iter().find(|(key, upstream)| {
        let said = !table.sub("timeouts").span(key).is_none() || !client_span.is_none();
        said && client > Duration::ZERO && (*upstream > client || upstream.is_zero())
    })?;
    let span = table.sub("timeouts").span(key);
    let message = format!(
        "`{key}` of this transport ({}) is above `body-idle` of listener `{listener}` ({})",
        if upstream.is_zero() { "for ever".to_owned() } else { show_duration(upstream) },
        show_duration(client)
    );
    let found = Diagnostic::warning("slow-upstream", message);
    let found =
        found.at(if span.is_none() { node.span } else { span }, "").at(client_span, "the client's side");
    Some(found.help("the client may be gone before its answer comes: lower the one or raise the other"))
}

/// The table of a transport, named or inline, and the node that holds it.
fn written<'a>(cx: &Context<'a>, name: &TransportName) -> Option<(&'a Table, &'a Node)> {
    if let Some(node) = cx.resolved.get(Section::Transports, name.as_str()) {
        return Some((&node.table, node));
    }
    let path = &cx.model.transports.get(name)?.path;
    let node = cx.resolved.get(Section::Services, path.0.get(1)?)?;
    Some((node.table.table("transport")?, node))
}

/// Transports by the listeners through which they are reached.
fn pairs(cx: &Context<'_>) -> BTreeSet<(ListenerName, TransportName)> {
    let mut cache = BTreeMap::new();
    let mut pairs = BTreeSet::new();
    for site in cx.model.sites.values() {
        for route in &site.routes {
            let transports = cache.entry(route.to.clone()).or_insert_with(|| transports(cx, &route.to));
            for listener in &site.listeners {
                pairs.extend(transports.iter().map(|transport| (listener.clone(), transport.clone())));
            }
        }
    }
    pairs
}

/// The transports behind a service.
fn transports(cx: &Context<'_>, name: &ServiceName) -> BTreeSet<TransportName> {
    let mut open = vec![name.clone()];
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        match cx.model.services.get(&name).map(|Service { kind, .. }| kind) {
            Some(ServiceKind::Servers(servers)) => found.extend(servers.transport.clone()),
            Some(ServiceKind::Split(split)) if seen.insert(name) => {
                open.extend(split.targets.iter().map(|(target, _)| target.clone()));
            }
            _ => {}
        }
    }
    found
}

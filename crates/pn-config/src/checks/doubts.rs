//! Warnings: what runs, but hardly as it was meant.

use crate::lower::{Context, one};
use crate::resolved::{Node, Section};
use crate::value::Span;
use pn_model::site::HttpsMode;
use pn_model::{Listener, MiddlewareKind, MiddlewareName, ServiceKind, ServiceName};
use std::collections::BTreeSet;

/// Deeper chains of chains are nobody's.
const CHAINS: usize = 8;

pub(super) fn run(cx: &mut Context<'_>) {
    unused(cx);
    idle_sites(cx);
    unchecked_servers(cx);
    plain_passwords(cx);
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

// === passwords ===

/// Sites that ask for passwords over plain HTTP, unless a proxy before them may have ended TLS.
fn plain_passwords(cx: &mut Context<'_>) {
    let mut found = BTreeSet::new();
    for site in cx.model.sites.values().filter(|site| site.https != HttpsMode::Redirect) {
        let exposed: Vec<_> = site
            .listeners
            .iter()
            .filter_map(|name| cx.model.listeners.get(name))
            .filter(is_exposed)
            .collect();
        let own = site.routes.iter().flat_map(|route| passes(cx, &route.middlewares, &route.to));
        let before = exposed.iter().flat_map(|listener| &listener.middlewares).cloned();
        let asks = own.chain(before).find(|name| asks_password(cx, name, 0));
        if let Some(door) = asks.filter(|_| !exposed.is_empty()) {
            found.insert((site.path.clone(), site.name.clone(), door));
        }
    }
    for (path, site, door) in found {
        let span = cx.resolved.locate(&path.child("https")).unwrap_or(Span::NONE);
        let message = format!(
            "`{site}` is served over plain HTTP too, so passwords for `{door}` cross the network readable"
        );
        let help = "serve it over TLS alone, or name the proxy before it in the listener's `trusted-proxies`";
        cx.warn("plaintext-credentials", span, message, help);
    }
}

fn is_exposed(listener: &&Listener) -> bool {
    !listener.tls && listener.trusted_proxies.is_empty() && listener.proxy_protocol.is_none()
}

/// The middlewares of a route and of the service that it leads to.
fn passes(cx: &Context<'_>, route: &[MiddlewareName], to: &ServiceName) -> Vec<MiddlewareName> {
    let service = cx.model.services.get(to).map(|service| &service.middlewares);
    route.iter().chain(service.into_iter().flatten()).cloned().collect()
}

fn asks_password(cx: &Context<'_>, name: &MiddlewareName, depth: usize) -> bool {
    match cx.model.middlewares.get(name).map(|middleware| &middleware.kind) {
        Some(MiddlewareKind::BasicAuth(_)) => true,
        // A chain that holds itself is an error of its own.
        Some(MiddlewareKind::Chain(chain)) if depth < CHAINS => {
            chain.iter().any(|name| asks_password(cx, name, depth + 1))
        }
        _ => false,
    }
}

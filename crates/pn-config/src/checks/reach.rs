//! What a service is reached by, and whether that fits it: the API without a guard, and cookies for HTTPS on plain HTTP.

use crate::lower::Context;
use crate::resolved::Section;
use crate::value::Span;
use pn_model::listener::BindAddress;
use pn_model::service::{Builtin, StickyCookie};
use pn_model::site::HttpsMode;
use pn_model::tls::ClientAuthMode;
use pn_model::{Listener, MiddlewareKind, MiddlewareName, Model, Route, ServiceKind, ServiceName, Site};
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(super) fn run(cx: &mut Context<'_>) {
    open_api(cx);
    cookies_over_plain_http(cx);
}

/// The listeners on which a site's routes are served, and not only redirected to HTTPS.
fn serving<'m>(model: &'m Model, site: &'m Site) -> impl Iterator<Item = &'m Listener> {
    let listeners = site.listeners.iter().filter_map(|name| model.listeners.get(name));
    listeners.filter(|listener| listener.tls || site.https != HttpsMode::Redirect)
}

// === the API ===

/// `@api` tells every internal host and server. Where only this machine comes in, everybody may see it.
fn open_api(cx: &mut Context<'_>) {
    let mut found = Vec::new();
    for site in cx.model.sites.values() {
        for route in &site.routes {
            let open = |listener: &&Listener| is_open(&cx.model, site, route, listener);
            if let Some(listener) = serving(&cx.model, site).find(open) {
                let span = cx.resolved.locate(&route.path.child("to")).unwrap_or(Span::NONE);
                found.push((span, route.name.clone(), listener.name.clone()));
            }
        }
    }
    for (span, route, listener) in found {
        let message = format!(
            "the route `{route}` shows `@api` to everybody who reaches listener `{listener}`: every host and server is named there"
        );
        let help =
            "guard it with `ip-allow` or `basic-auth`, or by a TLS policy that verifies client certificates";
        cx.warn("open-api", span, message, help);
    }
}

fn is_open(model: &Model, site: &Site, route: &Route, listener: &Listener) -> bool {
    let guarded = listener.addresses.iter().all(is_local)
        || (listener.tls && demands_certificate(model, site))
        || guards(model, &listener.middlewares)
        || guards(model, &route.middlewares);
    !guarded && leads_to_api(model, &route.to, 0)
}

/// A socket of systemd's may be any.
fn is_local(address: &BindAddress) -> bool {
    match address {
        BindAddress::Tcp(address) => address.ip().to_canonical().is_loopback(),
        BindAddress::Unix(_) => true,
        BindAddress::Fd(_) => false,
    }
}

fn demands_certificate(model: &Model, site: &Site) -> bool {
    let policy = site.tls_policy.as_ref().and_then(|name| model.tls_policies.get(name));
    let auth = policy.and_then(|policy| policy.client_auth.as_ref());
    auth.is_some_and(|auth| auth.mode == ClientAuthMode::RequireAndVerify)
}

/// Whether one of them, or of the members of their chains, keeps somebody out.
fn guards(model: &Model, names: &[MiddlewareName]) -> bool {
    let mut open: Vec<&MiddlewareName> = names.iter().collect();
    let mut seen = HashSet::new();
    while let Some(name) = open.pop() {
        match model.middlewares.get(name).map(|node| &node.kind) {
            Some(MiddlewareKind::Chain(members)) if seen.insert(name) => open.extend(members),
            Some(kind) if kind.guards() => return true,
            _ => {}
        }
    }
    false
}

/// Past no guard of a service on the way.
fn leads_to_api(model: &Model, name: &ServiceName, depth: usize) -> bool {
    let Some(service) = model.services.get(name) else { return false };
    if guards(model, &service.middlewares) {
        return false;
    }
    match &service.kind {
        ServiceKind::Builtin(Builtin::Api) => true,
        ServiceKind::Split(split) if depth < pn_model::limits::SERVICE_DEPTH => {
            split.targets.iter().any(|(target, _)| leads_to_api(model, target, depth + 1))
        }
        _ => false,
    }
}

// === cookies ===

/// A browser takes no `Secure` cookie from plain HTTP, so that clients stick to nothing. A trusted proxy before the
/// listener may well speak HTTPS with them.
fn cookies_over_plain_http(cx: &mut Context<'_>) {
    let mut found = Vec::new();
    for (name, plain) in reached(&cx.model) {
        let secure = cx.model.services.get(&name).and_then(|service| cookie(&service.kind));
        if !plain || !secure.is_some_and(|cookie| cookie.secure) {
            continue;
        }
        let Some(node) = cx.resolved.get(Section::Services, name.as_str()) else { continue };
        let span = node.table.sub("sticky").span("secure");
        found.push((if span.is_none() { node.at("sticky") } else { span }, name));
    }
    for (span, name) in found {
        let message = format!(
            "browsers take no `Secure` cookie over plain HTTP, and no site with TLS leads to `{name}`: nobody sticks"
        );
        cx.warn(
            "cookie-without-tls",
            span,
            message,
            "give the site TLS, or set `secure = false` in `sticky`",
        );
    }
}

fn cookie(kind: &ServiceKind) -> Option<&StickyCookie> {
    match kind {
        ServiceKind::Servers(servers) => servers.sticky.as_ref(),
        ServiceKind::Split(split) => split.sticky.as_ref(),
        _ => None,
    }
}

/// The services that some route leads to, and whether all ways to them are plain HTTP from the client on.
fn reached(model: &Model) -> BTreeMap<ServiceName, bool> {
    let mut reached = BTreeMap::new();
    let mut known: BTreeMap<&ServiceName, BTreeSet<&ServiceName>> = BTreeMap::new();
    for site in model.sites.values() {
        let plain = |listener: &Listener| {
            !listener.tls && listener.trusted_proxies.is_empty() && listener.proxy_protocol.is_none()
        };
        let all_plain = serving(model, site).all(plain);
        for route in &site.routes {
            for name in known.entry(&route.to).or_insert_with(|| behind(model, &route.to)).iter() {
                let so_far = reached.entry((*name).clone()).or_insert(true);
                *so_far &= all_plain;
            }
        }
    }
    reached
}

/// The service, and those that its splits lead to.
fn behind<'m>(model: &'m Model, name: &'m ServiceName) -> BTreeSet<&'m ServiceName> {
    let mut open = vec![name];
    let mut all = BTreeSet::new();
    while let Some(name) = open.pop() {
        if all.insert(name)
            && let Some(ServiceKind::Split(split)) = model.services.get(name).map(|service| &service.kind)
        {
            open.extend(split.targets.iter().map(|(target, _)| target));
        }
    }
    all
}

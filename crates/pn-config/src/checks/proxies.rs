//! Limits by client address where the address is not the client's.

use crate::lower::Context;
use crate::resolved::Section;
use crate::value::Span;
use pn_model::listener::BindAddress;
use pn_model::middleware::ClientKey;
use pn_model::{Listener, MiddlewareKind, MiddlewareName, Site};
use std::collections::BTreeSet;

/// Fields by which proxies tell the client's address: anybody can send them.
const TOLD: [&str; 5] = ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip", "true-client-ip"];

pub(super) fn run(cx: &mut Context<'_>) {
    let mut found = BTreeSet::new();
    for listener in cx.model.listeners.values() {
        let sites = cx.model.sites.values().filter(|site| site.listeners.contains(&listener.name));
        for name in sites.flat_map(used).chain(&listener.middlewares) {
            if let Some(doubt) = doubt(cx, listener, name) {
                found.insert((name.clone(), listener.name.clone(), doubt));
            }
        }
    }
    for (name, listener, (message, help)) in found {
        let span = cx.resolved.get(Section::Middlewares, name.as_str()).map_or(Span::NONE, |node| node.span);
        cx.warn("untrusted-proxy", span, format!("`{name}` on listener `{listener}`: {message}"), help);
    }
}

/// Of routes and sites; a service's own are rare and left out.
fn used(site: &Site) -> impl Iterator<Item = &MiddlewareName> {
    site.routes.iter().flat_map(|route| &route.middlewares)
}

fn doubt(
    cx: &Context<'_>,
    listener: &Listener,
    name: &MiddlewareName,
) -> Option<(&'static str, &'static str)> {
    let local = listener.addresses.iter().any(|address| matches!(address, BindAddress::Unix(_)));
    let nobody = listener.trusted_proxies.is_empty();
    let by = match &cx.model.middlewares.get(name)?.kind {
        MiddlewareKind::IpAllow(allow) if allow.depth > 0 && nobody => {
            return Some((
                "with nobody trusted, clients write X-Forwarded-For as they like",
                "name the proxies in front in the listener's `trusted-proxies`, and leave `depth` at 0",
            ));
        }
        MiddlewareKind::IpAllow(allow) if allow.depth == 0 => &ClientKey::ClientIp,
        MiddlewareKind::RateLimit(limit) => &limit.by,
        MiddlewareKind::InFlight { by, .. } => by,
        _ => return None,
    };
    match by {
        ClientKey::ClientIp | ClientKey::PeerIp if local && listener.proxy_protocol.is_none() => Some((
            "all who come through a unix socket have the same address",
            "let the proxy in front send the PROXY protocol, and read it with `proxy-protocol`",
        )),
        ClientKey::Header(field) if nobody && TOLD.contains(&field.as_str()) => Some((
            "with nobody trusted, clients write this field as they like and so choose whom they count as",
            "name the proxies in front in the listener's `trusted-proxies`, and count by \"client-ip\"",
        )),
        _ => None,
    }
}

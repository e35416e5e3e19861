//! Listeners, and what they learn from the sites on them.

use super::Context;
use crate::parse;
use crate::resolved::{Node, Section};
use crate::value::Table;
use pn_model::listener::{ListenerLimits, ListenerTimeouts, PathMode, Protocols, ProxyProtocolIn};
use pn_model::{Listener, ListenerName};
use std::collections::BTreeSet;

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Listeners) {
        let listener = listener(cx, node);
        cx.model.listeners.insert(listener.name.clone(), listener);
    }
}

fn listener(cx: &mut Context<'_>, node: &Node) -> Listener {
    let table = &node.table;
    let tls = table.bool("tls").unwrap_or_default();
    let name = ListenerName::new(node.name.clone());
    let mut addresses = Vec::new();
    for item in table.items("address") {
        let Some(address) = cx.parsed(item, parse::bind_address) else { continue };
        let span = if item.span.is_none() { node.span } else { item.span };
        cx.bound.push((address.clone(), format!("listener `{name}`"), span));
        addresses.push(address);
    }
    if table.items("address").is_empty() {
        cx.error(
            "invalid-value",
            node.at("address"),
            "a listener without an address",
            "for example \":8080\"",
        );
    }
    Listener {
        name,
        addresses,
        tls,
        protocols: protocols(cx, table, tls),
        proxy_protocol: proxy_protocol(cx, table),
        trusted_proxies: cx.scalars(table, "trusted-proxies", parse::network),
        middlewares: cx.middlewares(table, "use"),
        timeouts: timeouts(table.sub("timeouts")),
        limits: limits(table.sub("limits")),
        paths: match table.str("paths") {
            Some("strict") => PathMode::Strict,
            _ => PathMode::Normalise,
        },
        path: node.path.clone(),
    }
}

fn protocols(cx: &mut Context<'_>, table: &Table, tls: bool) -> Protocols {
    let Some(value) = table.get("protocols") else {
        return Protocols { h1: true, h2: true };
    };
    let mut protocols = Protocols { h1: false, h2: false };
    for item in value.items() {
        match (item.as_str(), tls) {
            (Some("h1"), _) => protocols.h1 = true,
            (Some("h2"), true) | (Some("h2c"), false) => protocols.h2 = true,
            (Some("h2"), false) => {
                let help = "HTTP/2 without TLS is `h2c`";
                cx.error("invalid-value", item.span, "`h2` needs a listener with `tls = true`", help);
            }
            (Some("h2c"), true) => {
                let help = "HTTP/2 over TLS is `h2`";
                cx.error("invalid-value", item.span, "`h2c` is HTTP/2 without TLS", help);
            }
            _ => {}
        }
    }
    if value.items().is_empty() {
        let help = "leave the key out for all of them";
        cx.error("invalid-value", value.span, "a listener that speaks no protocol", help);
    }
    protocols
}

fn proxy_protocol(cx: &mut Context<'_>, table: &Table) -> Option<ProxyProtocolIn> {
    let table = table.table("proxy-protocol")?;
    Some(ProxyProtocolIn {
        trusted: cx.scalars(table, "trusted", parse::network),
        required: table.bool("required").unwrap_or_default(),
    })
}

fn timeouts(table: &Table) -> ListenerTimeouts {
    ListenerTimeouts {
        handshake: table.duration("handshake").unwrap_or_default(),
        header: table.duration("header").unwrap_or_default(),
        body_idle: table.duration("body-idle").unwrap_or_default(),
        keepalive_idle: table.duration("keepalive-idle").unwrap_or_default(),
        drain: table.duration("drain").unwrap_or_default(),
    }
}

fn limits(table: &Table) -> ListenerLimits {
    let bytes = |key| table.size(key).and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or_default();
    let number = |key| table.int(key).unwrap_or_default();
    ListenerLimits {
        connections: number("connections"),
        header_bytes: bytes("header-bytes"),
        headers: number("headers"),
        requests_per_connection: number("requests-per-connection"),
        h2_streams: number("h2-streams"),
        body_min_rate: bytes("body-min-rate"),
    }
}

/// Once the sites are known: built-in listeners that no site uses are not opened.
pub(super) fn connect(cx: &mut Context<'_>) {
    let used: BTreeSet<_> = cx.model.sites.values().flat_map(|site| site.listeners.iter().cloned()).collect();
    let idle: Vec<_> = cx
        .resolved
        .of(Section::Listeners)
        .filter(|node| node.span.is_none() && !used.contains(&*node.name))
        .map(|node| ListenerName::new(node.name.clone()))
        .collect();
    for name in idle {
        cx.model.listeners.remove(&name);
        let whose = format!("listener `{name}`");
        cx.bound.retain(|(_, owner, _)| *owner != whose);
    }
}

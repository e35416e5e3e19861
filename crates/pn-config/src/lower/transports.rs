//! Transports, named and inline.

use super::Context;
use super::context::FileWhat;
use crate::parse;
use crate::resolved::Section;
use crate::value::Table;
use pn_model::transport::{Pool, ProxyProtocolOut, TransportTimeouts, UpstreamProtocol};
use pn_model::{NodePath, Transport, TransportName};

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Transports) {
        let name = TransportName::new(node.name.clone());
        transport(cx, name, &node.table, node.path.clone());
    }
}

/// Adds a transport; also for those written inline, whose names nobody can write.
pub(super) fn transport(cx: &mut Context<'_>, name: TransportName, table: &Table, path: NodePath) {
    let skips = table.bool("insecure-skip-verify").unwrap_or_default();
    if skips {
        let help = "trust the server's own CA with `roots` instead";
        let message = "certificates of these servers are not verified";
        cx.warn("insecure-skip-verify", table.span("insecure-skip-verify"), message, help);
    }
    let transport = Transport {
        name: name.clone(),
        protocol: match table.str("protocol") {
            Some("h1") => UpstreamProtocol::H1,
            Some("h2") => UpstreamProtocol::H2,
            Some("h2c") => UpstreamProtocol::H2c,
            _ => UpstreamProtocol::Auto,
        },
        server_name: cx.scalar(table, "server-name", parse::host_name),
        roots: cx.pems(table, "roots", FileWhat::Roots),
        insecure_skip_verify: skips,
        client_certificate: table.get("client-certificate").and_then(|value| cx.certificate(value, &[])),
        proxy_protocol: match table.str("proxy-protocol") {
            Some("v1") => Some(ProxyProtocolOut::V1),
            Some("v2") => Some(ProxyProtocolOut::V2),
            _ => None,
        },
        timeouts: timeouts(table.sub("timeouts")),
        pool: pool(table.sub("pool")),
        path,
    };
    cx.model.transports.insert(name, transport);
}

fn timeouts(table: &Table) -> TransportTimeouts {
    let default = TransportTimeouts::default();
    TransportTimeouts {
        connect: table.duration("connect").unwrap_or(default.connect),
        response_header: table.duration("response-header").unwrap_or(default.response_header),
        body_idle: table.duration("body-idle").unwrap_or(default.body_idle),
        idle: table.duration("idle").unwrap_or(default.idle),
    }
}

fn pool(table: &Table) -> Pool {
    let default = Pool::default();
    Pool {
        idle_per_server: table.int("idle-per-server").unwrap_or(default.idle_per_server),
        connections_per_server: table.int("connections-per-server").unwrap_or(default.connections_per_server),
    }
}

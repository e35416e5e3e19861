//! Which keys of a node changed their meaning. Every field is named, so that a new one cannot be forgotten.

use super::{Change, Fate, State, What};
use pn_model::{
    Admin, Issuer, Listener, Logs, Metrics, Middleware, Model, Route, Runtime, Service, ServiceKind, Site,
    TlsPolicy, Transport,
};

/// The keys of fields that differ; `skip` lists those that are no keys of the node.
macro_rules! compare {
    ($type:ident, $old:expr, $new:expr, { $($field:ident => $key:literal),* $(,)? }, skip { $($skip:ident),* }) => {{
        let (old, new): (&$type, &$type) = ($old, $new);
        let $type { $($field: _,)* $($skip: _,)* } = old;
        let mut keys = Vec::new();
        $(if old.$field != new.$field { keys.push($key); })*
        keys
    }};
}

pub(super) fn listener(old: &Listener, new: &Listener) -> Vec<&'static str> {
    compare!(Listener, old, new, {
        addresses => "address",
        tls => "tls",
        protocols => "protocols",
        proxy_protocol => "proxy-protocol",
        trusted_proxies => "trusted-proxies",
        middlewares => "use",
        timeouts => "timeouts",
        limits => "limits",
        paths => "paths",
    }, skip { name, path })
}

pub(super) fn issuer(old: &Issuer, new: &Issuer) -> Vec<&'static str> {
    let Issuer { name: _, kind: _, path: _ } = old;
    match (&old.kind, &new.kind) {
        (before, after) if before == after => Vec::new(),
        (before, after) if before.key() == after.key() => vec![after.key()],
        (before, after) => vec![before.key(), after.key()],
    }
}

pub(super) fn tls_policy(old: &TlsPolicy, new: &TlsPolicy) -> Vec<&'static str> {
    compare!(TlsPolicy, old, new, {
        min_version => "min-version",
        max_version => "max-version",
        cipher_suites => "cipher-suites",
        groups => "groups",
        alpn => "alpn",
        client_auth => "client-auth",
        sni_strict => "sni-strict",
    }, skip { name, path })
}

/// Its routes are nodes of their own.
pub(super) fn site(old: &Site, new: &Site) -> Vec<&'static str> {
    compare!(Site, old, new, {
        hosts => "hosts",
        listeners => "listeners",
        https => "https",
        certificate => "certificate",
        san_group => "san-group",
        tls_policy => "tls-policy",
    }, skip { name, path, routes, implied })
}

pub(super) fn route(old: &&Route, new: &&Route) -> Vec<&'static str> {
    compare!(Route, *old, *new, {
        matcher => "conditions",
        priority => "priority",
        middlewares => "use",
        to => "to",
        fall_through => "fall-through",
    }, skip { name, path })
}

pub(super) fn middleware(old: &Middleware, new: &Middleware) -> Vec<&'static str> {
    if old.kind == new.kind {
        return Vec::new();
    }
    let (before, after) = (old.kind.key(), new.kind.key());
    if before == after { vec![after] } else { vec![before, after] }
}

pub(super) fn service(old: &Service, new: &Service) -> Vec<&'static str> {
    let Service { name: _, kind: _, middlewares: _, path: _ } = old;
    let mut keys = match (&old.kind, &new.kind) {
        (ServiceKind::Servers(old), ServiceKind::Servers(new)) => servers(old, new),
        (before, after) if before == after => Vec::new(),
        (before, after) if key(before) == key(after) => vec![key(after)],
        (before, after) => vec![key(before), key(after)],
    };
    if old.middlewares != new.middlewares {
        keys.push("use");
    }
    keys
}

fn servers(old: &pn_model::service::Servers, new: &pn_model::service::Servers) -> Vec<&'static str> {
    use pn_model::service::Servers;
    compare!(Servers, old, new, {
        servers => "servers",
        balance => "balance",
        sticky => "sticky",
        health_check => "health-check",
        outlier => "outlier",
        retries => "retries",
        host_header => "host-header",
        transport => "transport",
    }, skip {})
}

fn key(kind: &ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Servers(_) => "servers",
        ServiceKind::Split(_) => "split",
        ServiceKind::Respond(_) => "respond",
        ServiceKind::Redirect(_) => "redirect",
        ServiceKind::Builtin(builtin) => builtin.name(),
    }
}

pub(super) fn transport(old: &Transport, new: &Transport) -> Vec<&'static str> {
    compare!(Transport, old, new, {
        protocol => "protocol",
        server_name => "server-name",
        roots => "roots",
        insecure_skip_verify => "insecure-skip-verify",
        client_certificate => "client-certificate",
        proxy_protocol => "proxy-protocol",
        timeouts => "timeouts",
        pool => "pool",
    }, skip { name, path })
}

// === process-wide sections ===

pub(super) fn sections(old: &Model, new: &Model) -> Vec<Change> {
    let runtime = runtime(&old.runtime, &new.runtime);
    let waits = runtime.iter().filter(|key| matches!(**key, "workers" | "state-dir" | "certificate-store"));
    let state = waits.map(|key| State { of: (*key).to_owned(), fate: Fate::Restart }).collect();
    let sections = [
        ("runtime", runtime, state),
        ("admin", admin(old.admin.as_ref(), new.admin.as_ref()), Vec::new()),
        ("logs", logs(&old.logs, &new.logs), Vec::new()),
        ("metrics", metrics(&old.metrics, &new.metrics), Vec::new()),
    ];
    let altered = sections.into_iter().filter(|(_, fields, _)| !fields.is_empty());
    altered
        .map(|(kind, fields, state)| Change { kind, name: String::new(), what: What::Altered, fields, state })
        .collect()
}

fn runtime(old: &Runtime, new: &Runtime) -> Vec<&'static str> {
    compare!(Runtime, old, new, {
        workers => "workers",
        router => "router",
        rule_priority => "rule-priority",
        state_dir => "state-dir",
        certificate_store => "certificate-store",
        history => "history",
        debounce => "debounce",
        watch => "watch",
    }, skip {})
}

fn admin(old: Option<&Admin>, new: Option<&Admin>) -> Vec<&'static str> {
    match (old, new) {
        (Some(old), Some(new)) => compare!(Admin, old, new, { address => "address" }, skip {}),
        (None, None) => Vec::new(),
        _ => vec!["address"],
    }
}

fn logs(old: &Logs, new: &Logs) -> Vec<&'static str> {
    compare!(Logs, old, new, { level => "level", format => "format", access => "access" }, skip {})
}

fn metrics(old: &Metrics, new: &Metrics) -> Vec<&'static str> {
    compare!(Metrics, old, new, { buckets => "buckets", route_labels => "route-labels" }, skip {})
}

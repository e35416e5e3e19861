//! What becomes of running state: it is keyed by node name and the fields that define it, and outlives a change that
//! leaves those alone.

use super::{Fate, Pair, State};
use pn_model::service::{Server, Servers};
use pn_model::{Listener, Middleware, MiddlewareKind, Service, ServiceKind, Site, TlsPolicy, Transport};

pub(super) fn none<T>(_: Pair<'_, T>) -> Vec<State> {
    Vec::new()
}

/// Sockets by their addresses, connections by what was agreed on when they were opened.
pub(super) fn listener((old, new): Pair<'_, Listener>) -> Vec<State> {
    let Some(old) = old else { return Vec::new() };
    let Some(new) = new else { return vec![state("its connections", Fate::Drained)] };
    let gone = old.addresses.iter().filter(|address| !new.addresses.contains(address)).count();
    let anew =
        (old.tls, old.protocols) != (new.tls, new.protocols) || old.proxy_protocol != new.proxy_protocol;
    match (gone, anew) {
        (gone, _) if gone == old.addresses.len() => vec![state("its connections", Fate::Drained)],
        (0, false) => vec![state("its connections", Fate::Kept)],
        (0, true) => vec![state("connections that are open", Fate::Drained)],
        _ => vec![state("connections of the addresses that go", Fate::Drained)],
    }
}

/// A host never runs under another policy than its own, also not on a connection from before.
pub(super) fn tls_policy((old, new): Pair<'_, TlsPolicy>) -> Vec<State> {
    match (old, new) {
        (Some(_), Some(_)) => vec![state("connections opened under it", Fate::Drained)],
        _ => Vec::new(),
    }
}

pub(super) fn site((old, new): Pair<'_, Site>) -> Vec<State> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    let policy = old.tls_policy != new.tls_policy;
    if policy {
        vec![state("connections opened under the old TLS policy", Fate::Drained)]
    } else {
        Vec::new()
    }
}

pub(super) fn middleware((old, new): Pair<'_, Middleware>) -> Vec<State> {
    let Some(old) = old else { return Vec::new() };
    let new = new.map(|new| &new.kind);
    let (of, same) = match (&old.kind, new) {
        (MiddlewareKind::RateLimit(old), new) => {
            ("rate-limit buckets", matches!(new, Some(MiddlewareKind::RateLimit(new)) if old == new))
        }
        (MiddlewareKind::InFlight { by, .. }, new) => (
            "counts of requests in flight",
            matches!(new, Some(MiddlewareKind::InFlight { by: new, .. }) if by == new),
        ),
        (MiddlewareKind::BasicAuth(old), new) => {
            let users =
                |auth: &pn_model::middleware::BasicAuth| (auth.users.clone(), auth.users_file.clone());
            let same = matches!(new, Some(MiddlewareKind::BasicAuth(new)) if users(old) == users(new));
            ("passwords that were checked", same)
        }
        _ => return Vec::new(),
    };
    vec![state(of, if same { Fate::Kept } else { Fate::Reset })]
}

pub(super) fn service((old, new): Pair<'_, Service>) -> Vec<State> {
    let Some(ServiceKind::Servers(old)) = old.map(|service| &service.kind) else {
        return split(old, new);
    };
    let Some(ServiceKind::Servers(new)) = new.map(|service| &service.kind) else {
        return vec![state("its servers' health and connections", Fate::Drained)];
    };
    let mut states = Vec::new();
    let stays = |server: &&Server| new.servers.iter().any(|other| other.url == server.url);
    for server in old.servers.iter().filter(|server| !stays(server)) {
        states.push(state(format!("health and connections of {}", server.url), Fate::Drained));
    }
    let kept = old.servers.iter().any(|server| stays(&server));
    if kept {
        states.extend(of_kept_servers(old, new));
    }
    states
}

fn of_kept_servers(old: &Servers, new: &Servers) -> Vec<State> {
    let fate = |same: bool| if same { Fate::Kept } else { Fate::Reset };
    let mut states = Vec::new();
    if old.health_check.is_some() || old.outlier.is_some() {
        let same = (&old.health_check, &old.outlier) == (&new.health_check, &new.outlier);
        states.push(state("health of the servers that stay", fate(same)));
    }
    states.push(state("connections to the servers that stay", fate(old.transport == new.transport)));
    if let Some(cookie) = &old.sticky {
        let same = new.sticky.as_ref().is_some_and(|new| new.name == cookie.name);
        states.push(state("sticky clients of the servers that stay", fate(same)));
    }
    states
}

fn split(old: Option<&Service>, new: Option<&Service>) -> Vec<State> {
    let sticky = |service: Option<&Service>| match service.map(|service| &service.kind) {
        Some(ServiceKind::Split(split)) => split.sticky.as_ref().map(|cookie| cookie.name.clone()),
        _ => None,
    };
    match sticky(old) {
        Some(cookie) => {
            let same = sticky(new) == Some(cookie);
            vec![state("sticky clients of the sides that stay", if same { Fate::Kept } else { Fate::Reset })]
        }
        None => Vec::new(),
    }
}

/// Connections are pooled by what was agreed on with the server; timeouts and pool sizes apply to them as they are.
pub(super) fn transport((old, new): Pair<'_, Transport>) -> Vec<State> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    let agreed = |transport: &Transport| Transport {
        timeouts: old.timeouts,
        pool: old.pool,
        path: old.path.clone(),
        ..transport.clone()
    };
    vec![state(
        "connections of its services",
        if agreed(old) == agreed(new) { Fate::Kept } else { Fate::Reset },
    )]
}

fn state(of: impl Into<String>, fate: Fate) -> State {
    State { of: of.into(), fate }
}

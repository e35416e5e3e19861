//! What a request may do before any middleware has seen it: refused for its TLS, sent to HTTPS, or on to a route.

use super::{ahead, redirect};
use crate::cx::ConnCx;
use crate::plane::PlaneState;
use http::header::{ALLOW, HeaderValue};
use pn_core::context::Scheme;
use pn_core::graph::{ListenerNode, RouteId, SiteId, SiteNode};
use pn_core::router::Lookup;
use pn_core::tls::PolicyId;
use pn_core::{Current, ErrorKind, ProxyError, Reply, RequestContext};
use pn_model::site::HttpsMode;

/// Where a request goes.
pub(crate) enum Door {
    Route(RouteId),
    /// The proxy answers itself, ahead of the listener's middlewares.
    Ahead(Box<Reply>),
    /// The proxy answers itself, within the listener's middlewares.
    Reply(Box<Reply>),
    Error(ProxyError),
}

/// `Err` is a refusal that no middleware sees: the request is not this connection's to make.
pub(crate) fn open(
    current: &Current,
    conn: &ConnCx,
    listener: &ListenerNode,
    cx: &RequestContext,
) -> Result<Door, ProxyError> {
    let graph = current.graph();
    let id = graph.site_of(cx.host());
    let Some((id, site)) = id.and_then(|id| graph.site(id).map(|site| (id, site))) else {
        return Ok(Door::Error(ProxyError::new(ErrorKind::HostUnknown)));
    };
    let policy = policy_of(current, id);
    if let Some(tls) = cx.tls() {
        // Also for connections that were opened under another graph.
        if policy != Some(tls.policy) {
            return Err(ProxyError::new(ErrorKind::Misdirected));
        }
        if conn.waits {
            return Ok(Door::Ahead(Box::new(ahead::waiting())));
        }
    } else if let Some(reply) = without_tls(site, cx)? {
        return Ok(Door::Reply(Box::new(reply)));
    }
    if !site.served_on(listener.name().as_str()) {
        return Ok(Door::Error(ProxyError::new(ErrorKind::HostUnknown)));
    }
    Ok(look_up(current, conn, cx))
}

/// The policy that a site demands now; `None` without TLS.
fn policy_of(current: &Current, site: SiteId) -> Option<PolicyId> {
    current.prepared::<PlaneState>()?.policies.get(site.index()).copied().flatten()
}

/// A site with TLS on a plain connection: to HTTPS, unless the site says otherwise or a trusted proxy has done TLS.
/// A policy that asks for client certificates cannot be enforced here, so that such a site is not served.
fn without_tls(site: &SiteNode, cx: &RequestContext) -> Result<Option<Reply>, ProxyError> {
    let Some(tls) = &site.tls else { return Ok(None) };
    let elsewhere = || site.https_port.map(|port| redirect::to_https(cx, port));
    let demands_certificate = tls.policy.as_ref().is_some_and(|policy| policy.client_auth.is_some());
    match site.https {
        _ if demands_certificate => {
            elsewhere().map(Some).ok_or_else(|| ProxyError::new(ErrorKind::Misdirected))
        }
        HttpsMode::Redirect if cx.scheme() == Scheme::Http => {
            Ok(elsewhere().or_else(|| Some(ProxyError::new(ErrorKind::HostUnknown).to_reply())))
        }
        _ => Ok(None),
    }
}

fn look_up(current: &Current, conn: &ConnCx, cx: &RequestContext) -> Door {
    let meter = &conn.worker.meter;
    let found = if meter.samples_lookup() {
        let began = conn.worker.env.now();
        let found = current.graph().lookup(cx);
        meter.looked_up(conn.listener_name().as_str(), conn.worker.env.now().saturating_sub(began));
        found
    } else {
        current.graph().lookup(cx)
    };
    match found {
        Lookup::Matched { route } => Door::Route(RouteId(route)),
        Lookup::NoHost => Door::Error(ProxyError::new(ErrorKind::HostUnknown)),
        Lookup::NoRoute { .. } => Door::Error(ProxyError::new(ErrorKind::RouteUnknown)),
        Lookup::MethodNotAllowed { allow, .. } => Door::Reply(Box::new(method_not_allowed(&allow))),
    }
}

fn method_not_allowed(allow: &str) -> Reply {
    let reply = Reply::text(http::StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed\n");
    match HeaderValue::from_str(allow) {
        Ok(allow) => reply.with_header(ALLOW, allow),
        Err(_) => reply,
    }
}

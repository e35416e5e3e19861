//! The running graph, for people: what listens, which sites and routes there are, and how the servers do.

use super::Views;
use pn_core::graph::{ListenerNode, RouteNode, ServiceNode, ServiceNodeKind, SiteNode};
use pn_core::{Generation, RouterGraph};
use pn_model::listener::BindAddress;
use pn_model::site::{CertificateSource, HttpsMode};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

#[derive(Debug, Serialize)]
pub(super) struct GraphView {
    generation: u64,
    listeners: Vec<ListenerView>,
    sites: Vec<SiteView>,
    routes: Vec<RouteView>,
    services: Vec<ServiceView>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListenerView {
    name: String,
    addresses: Vec<String>,
    /// As the kernel has them; empty for sockets that are not TCP.
    bound: Vec<String>,
    tls: bool,
    protocols: Vec<&'static str>,
    middlewares: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SiteView {
    name: String,
    hosts: Vec<String>,
    listeners: Vec<String>,
    https: &'static str,
    certificate: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_policy: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RouteView {
    name: String,
    site: String,
    service: String,
    /// How many middlewares a request meets here, the listener's and the service's not counted.
    middlewares: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct ServiceView {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    servers: Vec<ServerView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<TargetView>,
}

#[derive(Debug, Serialize)]
struct ServerView {
    url: String,
    weight: u32,
    /// By active health checks; true without any.
    healthy: bool,
    /// Taken out for a while because its requests failed.
    ejected: bool,
    requests_in_flight: u32,
}

#[derive(Debug, Serialize)]
struct TargetView {
    service: String,
    weight: u32,
}

pub(super) fn whole(views: &Views) -> GraphView {
    let current = views.graph.current();
    GraphView {
        generation: current.number(),
        listeners: listeners_of(views, &current),
        sites: current.graph().sites().iter().map(site).collect(),
        routes: routes_of(current.graph()),
        services: services_of(views, current.graph()),
    }
}

pub(super) fn listeners(views: &Views) -> Vec<ListenerView> {
    listeners_of(views, &views.graph.current())
}

pub(super) fn sites(views: &Views) -> Vec<SiteView> {
    views.graph.current().graph().sites().iter().map(site).collect()
}

pub(super) fn routes(views: &Views) -> Vec<RouteView> {
    routes_of(views.graph.current().graph())
}

pub(super) fn services(views: &Views) -> Vec<ServiceView> {
    services_of(views, views.graph.current().graph())
}

fn listeners_of(views: &Views, current: &Generation) -> Vec<ListenerView> {
    let view = |node: &Arc<ListenerNode>| {
        let spec = &node.spec;
        let bound = views.process.addresses(&spec.name);
        let protocols = [("h1", spec.protocols.h1), (if spec.tls { "h2" } else { "h2c" }, spec.protocols.h2)];
        ListenerView {
            name: spec.name.to_string(),
            addresses: spec.addresses.iter().map(address).collect(),
            bound: bound.iter().map(ToString::to_string).collect(),
            tls: spec.tls,
            protocols: protocols.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
            middlewares: spec.middlewares.iter().map(ToString::to_string).collect(),
        }
    };
    current.graph().listeners().iter().map(view).collect()
}

fn address(address: &BindAddress) -> String {
    match address {
        BindAddress::Tcp(address) => address.to_string(),
        BindAddress::Unix(path) => format!("unix:{}", path.display()),
        BindAddress::Fd(name) => format!("fd:{name}"),
    }
}

fn site(site: &SiteNode) -> SiteView {
    let tls = site.tls.as_ref();
    SiteView {
        name: site.name.to_string(),
        hosts: site.hosts.iter().map(ToString::to_string).collect(),
        listeners: site.listeners.iter().map(ToString::to_string).collect(),
        https: match site.https {
            HttpsMode::Redirect => "redirect",
            HttpsMode::Both => "both",
            HttpsMode::Off => "off",
        },
        certificate: tls.map_or_else(|| "none".to_owned(), |tls| certificate(&tls.certificate)),
        tls_policy: tls.and_then(|tls| tls.policy.as_ref()).map(|policy| policy.name.to_string()),
    }
}

fn certificate(source: &CertificateSource) -> String {
    match source {
        CertificateSource::None => "none".to_owned(),
        CertificateSource::Files(_) => "files".to_owned(),
        CertificateSource::Issuer(name) => format!("issuer {name}"),
        CertificateSource::InternalCa => "internal CA".to_owned(),
    }
}

fn routes_of(graph: &RouterGraph) -> Vec<RouteView> {
    let view = |route: &RouteNode| RouteView {
        name: route.label.to_string(),
        site: graph.site(route.site).map(|site| site.label.to_string()).unwrap_or_default(),
        service: graph.service(route.service).map(|service| service.label.to_string()).unwrap_or_default(),
        middlewares: route.stack.len(),
    };
    graph.routes().iter().map(view).collect()
}

fn services_of(views: &Views, graph: &RouterGraph) -> Vec<ServiceView> {
    let now = views.process.now();
    graph.services().iter().map(|node| service(graph, node, now)).collect()
}

fn service(graph: &RouterGraph, node: &ServiceNode, now: u64) -> ServiceView {
    let mut view =
        ServiceView { name: node.label.to_string(), kind: "", servers: Vec::new(), targets: Vec::new() };
    view.kind = match &node.kind {
        ServiceNodeKind::Servers(servers) => {
            let server = |server: &pn_core::graph::ServerNode| ServerView {
                url: server.label.to_string(),
                weight: server.spec.weight,
                healthy: server.state.healthy.load(Relaxed),
                ejected: server.state.ejected_until.load(Relaxed) > now,
                requests_in_flight: server.state.in_flight.load(Relaxed),
            };
            view.servers = servers.servers.iter().map(server).collect();
            "servers"
        }
        ServiceNodeKind::Split(split) => {
            let name = |id| graph.service(id).map(|service| service.label.to_string()).unwrap_or_default();
            let targets = split.targets.iter();
            view.targets = targets
                .map(|target| TargetView { service: name(target.service), weight: target.weight })
                .collect();
            "split"
        }
        ServiceNodeKind::Respond(_) => "respond",
        ServiceNodeKind::Redirect(_) => "redirect",
        ServiceNodeKind::Builtin(_) => "builtin",
    };
    view
}

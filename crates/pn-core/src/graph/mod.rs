//! The router graph: everything that serving a request needs to know of a configuration, immutable once built.

mod compile;
mod nodes;

pub use compile::{CompileError, Compiled, compile};
pub use nodes::{
    ListenerId, ListenerNode, RouteId, RouteNode, ServerNode, ServersNode, ServiceId, ServiceNode,
    ServiceNodeKind, SiteId, SiteNode, SiteTls, SplitNode, SplitTarget,
};

use crate::router::{Lookup, RequestView, Router};
use crate::state::StateDraft;
use ahash::HashMap;
use pn_model::{Admin, ListenerName, Logs, Metrics, Runtime, ServiceName};
use std::sync::Arc;

/// One configuration, compiled. Shared by every worker; holds no mutable state but registry handles.
#[derive(Debug)]
pub struct RouterGraph {
    listeners: Box<[Arc<ListenerNode>]>,
    sites: Box<[SiteNode]>,
    routes: Box<[RouteNode]>,
    services: Box<[ServiceNode]>,
    service_ids: HashMap<ServiceName, ServiceId>,
    router: Router,
    runtime: Runtime,
    admin: Option<Admin>,
    logs: Logs,
    metrics: Metrics,
    /// `None` only in the empty graph.
    state: Option<StateDraft>,
}

impl RouterGraph {
    /// Serves nothing: what runs before the first configuration.
    pub fn empty() -> Self {
        Self {
            listeners: Box::default(),
            sites: Box::default(),
            routes: Box::default(),
            services: Box::default(),
            service_ids: HashMap::default(),
            router: Router::empty(),
            runtime: Runtime::default(),
            admin: None,
            logs: Logs::default(),
            metrics: Metrics::default(),
            state: None,
        }
    }

    /// Which route takes the request, or why none does.
    pub fn lookup(&self, request: &impl RequestView) -> Lookup {
        self.router.lookup(request)
    }

    /// The site that owns a host (normalised), whatever its routes.
    pub fn site_of(&self, host: &str) -> Option<SiteId> {
        self.router.site_of(host).map(SiteId)
    }

    pub fn router(&self) -> &Router {
        &self.router
    }

    pub fn listeners(&self) -> &[Arc<ListenerNode>] {
        &self.listeners
    }

    pub fn listener(&self, name: &ListenerName) -> Option<&Arc<ListenerNode>> {
        self.listeners.iter().find(|listener| listener.name() == name)
    }

    pub fn sites(&self) -> &[SiteNode] {
        &self.sites
    }

    pub fn routes(&self) -> &[RouteNode] {
        &self.routes
    }

    pub fn services(&self) -> &[ServiceNode] {
        &self.services
    }

    pub fn site(&self, id: SiteId) -> Option<&SiteNode> {
        self.sites.get(id.index())
    }

    pub fn route(&self, id: RouteId) -> Option<&RouteNode> {
        self.routes.get(id.index())
    }

    pub fn service(&self, id: ServiceId) -> Option<&ServiceNode> {
        self.services.get(id.index())
    }

    pub fn service_id(&self, name: &ServiceName) -> Option<ServiceId> {
        self.service_ids.get(name).copied()
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub fn admin(&self) -> Option<&Admin> {
        self.admin.as_ref()
    }

    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Makes the states that this graph created known to the registry. Part of the commit.
    pub(crate) fn adopt_state(&self) {
        if let Some(state) = &self.state {
            state.adopt();
        }
    }
}

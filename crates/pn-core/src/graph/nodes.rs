//! The nodes of a graph, by index. Names are kept for people: logs, metrics, the API.

use crate::builtin::BuiltinService;
use crate::middleware::Stack;
use crate::state::{BalanceState, ServerState};
use pn_model::service::{Redirect, Respond, Server, Servers, StickyCookie};
use pn_model::site::{CertificateSource, HttpsMode};
use pn_model::{HostPattern, Listener, ListenerName, NodePath, SiteName, TlsPolicy, Transport};
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// Index into `RouterGraph::listeners`.
    ListenerId,
    /// Index into `RouterGraph::sites`.
    SiteId,
    /// Index into `RouterGraph::routes`.
    RouteId,
    /// Index into `RouterGraph::services`.
    ServiceId,
}

#[derive(Debug)]
pub struct ListenerNode {
    pub spec: Listener,
    pub stack: Stack,
}

impl ListenerNode {
    pub fn name(&self) -> &ListenerName {
        &self.spec.name
    }
}

#[derive(Debug)]
pub struct SiteNode {
    pub name: SiteName,
    /// The name's text, shared with contexts and metrics.
    pub label: Arc<str>,
    pub hosts: Vec<HostPattern>,
    pub listeners: Vec<ListenerName>,
    pub https: HttpsMode,
    /// Where its plain listeners redirect to; `None` when it has no TLS listener.
    pub https_port: Option<u16>,
    /// `None` when the site has no TLS.
    pub tls: Option<SiteTls>,
    pub path: NodePath,
}

impl SiteNode {
    /// Whether requests that entered at this listener may reach the site.
    pub fn served_on(&self, listener: &str) -> bool {
        self.listeners.iter().any(|own| own.as_str() == listener)
    }
}

/// What TLS for a site is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteTls {
    /// `None`: the built-in default.
    pub policy: Option<Arc<TlsPolicy>>,
    pub certificate: CertificateSource,
    /// Not empty: the certificate is shared with the sites of this group.
    pub san_group: String,
}

#[derive(Debug)]
pub struct RouteNode {
    /// Shared with contexts and metrics.
    pub label: Arc<str>,
    pub site: SiteId,
    pub stack: Stack,
    pub service: ServiceId,
}

#[derive(Debug)]
pub struct ServiceNode {
    /// Shared with contexts and metrics.
    pub label: Arc<str>,
    pub kind: ServiceNodeKind,
    pub stack: Stack,
}

#[derive(Debug)]
pub enum ServiceNodeKind {
    Servers(Box<ServersNode>),
    Split(SplitNode),
    Respond(Respond),
    Redirect(Redirect),
    Builtin(Arc<dyn BuiltinService>),
}

#[derive(Debug)]
pub struct ServersNode {
    pub spec: Servers,
    pub servers: Box<[ServerNode]>,
    /// Never shared between nodes or graphs: the data plane tells nodes apart by this handle.
    pub transport: Arc<Transport>,
    pub balance: Arc<BalanceState>,
}

#[derive(Debug)]
pub struct ServerNode {
    pub spec: Server,
    /// Shared with metrics.
    pub label: Arc<str>,
    pub state: Arc<ServerState>,
    /// The value of a sticky cookie that stands for this server.
    pub cookie: Box<str>,
}

#[derive(Debug)]
pub struct SplitNode {
    pub targets: Box<[SplitTarget]>,
    /// Sum of the weights, not 0.
    pub total: u64,
    pub sticky: Option<StickyCookie>,
    pub balance: Arc<BalanceState>,
}

#[derive(Debug)]
pub struct SplitTarget {
    pub service: ServiceId,
    pub weight: u32,
    pub cookie: Box<str>,
}

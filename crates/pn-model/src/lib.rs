//! The semantic model of a configuration: what it means, once every default is filled in and every reference is
//! known to lead somewhere. Plain data: no parsing, no serde, no I/O, no behaviour beyond what a value is.
//! `pn-config` builds it, `pn-core` compiles it.

pub mod acme;
pub mod host;
pub mod ids;
pub mod limits;
pub mod listener;
pub mod middleware;
pub mod path;
pub mod process;
pub mod rule;
pub mod secret;
pub mod service;
pub mod site;
pub mod tls;
pub mod transport;

pub use acme::AcmeIssuer;
pub use host::{HostPattern, is_local_host};
pub use ids::{
    IssuerName, ListenerName, MiddlewareName, NodeKind, NodePath, RouteName, ServiceName, SiteName,
    TlsPolicyName, TransportName,
};
pub use listener::Listener;
pub use middleware::{Middleware, MiddlewareKind};
pub use process::{Admin, Logs, Metrics, Runtime};
pub use secret::{Secret, Text};
pub use service::{Service, ServiceKind};
pub use site::{Route, Site};
pub use tls::{Issuer, TlsPolicy};
pub use transport::Transport;

use std::collections::BTreeMap;

/// A whole configuration, valid by itself. Two models that compare equal mean the same.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    pub runtime: Runtime,
    /// `None` when the admin API is switched off (`admin.address = "off"`).
    pub admin: Option<Admin>,
    pub logs: Logs,
    pub metrics: Metrics,
    pub listeners: BTreeMap<ListenerName, Listener>,
    /// Declared sites and those implied by the literal hosts of free-form rules.
    pub sites: BTreeMap<SiteName, Site>,
    /// Named services, built-in ones that are referred to, and one for each address written in place of a name.
    pub services: BTreeMap<ServiceName, Service>,
    pub transports: BTreeMap<TransportName, Transport>,
    pub middlewares: BTreeMap<MiddlewareName, Middleware>,
    pub issuers: BTreeMap<IssuerName, Issuer>,
    pub tls_policies: BTreeMap<TlsPolicyName, TlsPolicy>,
}

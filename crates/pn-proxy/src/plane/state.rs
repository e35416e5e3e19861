//! What `prepare` made for one graph; workers find it beside the graph.

use super::bind::Bound;
use crate::access_log::Sink;
use crate::listener::Gate;
use crate::upstream::ClientConfigs;
use ahash::HashMap;
use pn_core::tls::PolicyId;
use pn_model::ListenerName;
use pn_model::listener::BindAddress;
use pn_tls::TlsTable;
use std::sync::Arc;

/// Carried as `pn_core::Prepared`.
#[derive(Debug)]
pub(crate) struct PlaneState {
    /// What each ClientHello gets.
    pub(crate) tls: TlsTable,
    /// The TLS policy of each site, by `SiteId`; `None` for a site without TLS.
    pub(crate) policies: Box<[Option<PolicyId>]>,
    pub(crate) upstream_tls: ClientConfigs,
    /// `None` when none is configured.
    pub(crate) access_log: Option<Arc<Sink>>,
    pub(crate) sockets: HashMap<BindAddress, Arc<Bound>>,
    pub(crate) gates: HashMap<ListenerName, Arc<Gate>>,
}

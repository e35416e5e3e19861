//! What `prepare` made for one graph; workers find it beside the graph.

use pn_core::tls::PolicyId;

/// Carried as `pn_core::Prepared`.
#[derive(Debug, Default)]
pub(crate) struct PlaneState {
    /// The TLS policy of each site, by `SiteId`; `None` for a site without TLS.
    pub(crate) policies: Box<[Option<PolicyId>]>,
}

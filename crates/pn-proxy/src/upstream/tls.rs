//! TLS configurations for servers, made in the prepare step of a change, where they may still refuse it.

use pn_core::graph::{ServersNode, ServiceNodeKind};
use pn_core::{PrepareError, RouterGraph};
use pn_model::service::{UpstreamAddress, UpstreamScheme};
use pn_tls::{TlsError, UpstreamTls};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;

/// One configuration for each service that has TLS servers, by `ServiceId`.
#[derive(Clone, Default)]
pub(crate) struct ClientConfigs(Arc<[Option<Arc<ClientConfig>>]>);

impl ClientConfigs {
    /// Everything that is wrong goes into `errors`.
    pub(crate) fn prepare(graph: &RouterGraph, tls: &UpstreamTls, errors: &mut Vec<PrepareError>) -> Self {
        let mut batch = tls.batch();
        let mut config = |servers: &ServersNode| {
            let names = servers.servers.iter().filter(|one| one.spec.scheme == UpstreamScheme::Https);
            for name in names.map(|one| host_of(&one.spec.address)) {
                pn_tls::server_name(&servers.transport, &name)?;
            }
            batch.client_config(&servers.transport)
        };
        let configs = graph.services().iter().map(|node| match &node.kind {
            ServiceNodeKind::Servers(servers) if has_tls(servers) => {
                config(servers).map_err(|error: TlsError| errors.push(error.into())).ok()
            }
            _ => None,
        });
        Self(configs.collect())
    }

    pub(super) fn of(&self, service: usize) -> Option<&Arc<ClientConfig>> {
        self.0.get(service).and_then(Option::as_ref)
    }
}

impl fmt::Debug for ClientConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientConfigs({} of {})", self.0.iter().flatten().count(), self.0.len())
    }
}

fn has_tls(servers: &ServersNode) -> bool {
    servers.servers.iter().any(|one| one.spec.scheme == UpstreamScheme::Https)
}

/// The name that a server's certificate is checked for when the transport names none.
pub(super) fn host_of(address: &UpstreamAddress) -> String {
    match address {
        UpstreamAddress::Name { host, .. } => host.clone(),
        UpstreamAddress::Socket(address) => address.ip().to_string(),
        UpstreamAddress::Unix(_) => "localhost".to_owned(),
    }
}

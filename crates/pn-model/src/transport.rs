//! Transports: how upstream servers are spoken to.

use crate::ids::{NodePath, TransportName};
use crate::site::{CertificateFiles, PemSource};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Transport {
    pub name: TransportName,
    pub protocol: UpstreamProtocol,
    /// The name sent by SNI and checked against the certificate. `None`: the host of the server's URL.
    pub server_name: Option<String>,
    /// PEM files of trusted roots. Empty: the system's.
    pub roots: Vec<PemSource>,
    pub insecure_skip_verify: bool,
    pub client_certificate: Option<CertificateFiles>,
    /// A PROXY header sent first on each connection, which is then never shared between clients.
    pub proxy_protocol: Option<ProxyProtocolOut>,
    pub timeouts: TransportTimeouts,
    pub pool: Pool,
    pub path: NodePath,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UpstreamProtocol {
    /// By the URL's scheme, and ALPN where it is TLS.
    #[default]
    Auto,
    H1,
    H2,
    H2c,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyProtocolOut {
    V1,
    V2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportTimeouts {
    /// Name, TCP and TLS together.
    pub connect: Duration,
    /// From the end of the request, or the last piece of its body that the server took, to the head of the response.
    /// 0: none.
    pub response_header: Duration,
    /// Longest pause between two pieces of a response body. 0: none.
    pub body_idle: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

/// Bounds for the whole process, shared out to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool {
    pub idle_per_server: u32,
    /// 0: no limit.
    pub connections_per_server: u32,
}

impl Default for TransportTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response_header: Duration::from_secs(60),
            body_idle: Duration::from_secs(300),
            idle: Duration::from_secs(90),
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self { idle_per_server: 200, connections_per_server: 0 }
    }
}

impl Transport {
    /// What servers are spoken to with when nothing else is said.
    pub fn built_in() -> Self {
        Self {
            name: TransportName::new("default"),
            protocol: UpstreamProtocol::Auto,
            server_name: None,
            roots: Vec::new(),
            insecure_skip_verify: false,
            client_certificate: None,
            proxy_protocol: None,
            timeouts: TransportTimeouts::default(),
            pool: Pool::default(),
            path: NodePath::default(),
        }
    }
}

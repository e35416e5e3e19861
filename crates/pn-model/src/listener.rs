//! Listeners: sockets and what holds for every connection that enters there.

use crate::ids::{ListenerName, MiddlewareName, NodePath};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    pub name: ListenerName,
    /// Never empty.
    pub addresses: Vec<BindAddress>,
    pub tls: bool,
    pub protocols: Protocols,
    /// `None`: PROXY protocol is not read, and its bytes are a malformed request.
    pub proxy_protocol: Option<ProxyProtocolIn>,
    /// Whose X-Forwarded-* and Forwarded are believed.
    pub trusted_proxies: Vec<IpNet>,
    pub middlewares: Vec<MiddlewareName>,
    pub timeouts: ListenerTimeouts,
    pub limits: ListenerLimits,
    pub paths: PathMode,
    pub path: NodePath,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindAddress {
    /// `[::]` takes IPv4 as well.
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// A socket handed over by systemd, by its name.
    Fd(String),
}

/// Which HTTP versions are spoken. On plain listeners `h2` means h2c with prior knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    pub h1: bool,
    pub h2: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyProtocolIn {
    /// Peers whose header is read; from any other peer a header is a malformed request.
    pub trusted: Vec<IpNet>,
    /// Refuse trusted peers that send none.
    pub required: bool,
}

/// Durations of zero switch a timeout off, where that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// TLS handshake and PROXY header.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its head.
    pub header: Duration,
    /// Longest pause between two pieces of a request body, and between two that a client takes of a response.
    pub body_idle: Duration,
    /// Longest silence between two requests of a connection.
    pub keepalive_idle: Duration,
    /// How long connections may finish after the listener is removed or the process is told to stop.
    pub drain: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Open connections; further ones wait in the kernel's queue.
    pub connections: u32,
    /// Bytes of a request head.
    pub header_bytes: u32,
    /// Number of fields of a request head.
    pub headers: u32,
    /// 0: no limit.
    pub requests_per_connection: u32,
    pub h2_streams: u32,
    /// Bytes a second below which a request body that keeps dripping is cut off, averaged over `body-idle`. 0: off.
    pub body_min_rate: u32,
}

/// What happens to paths that are not in normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathMode {
    #[default]
    Normalise,
    /// 400 on whatever normalising would change.
    Strict,
}

//! What a worker keeps of a service: a pool for each server, whose turn it is, and values made once for all requests.

use super::balance::{Wheel, set_cookie};
use super::dial::Target;
use super::keeper::{Keeper, TICK};
use super::pool::{Limits, Pool};
use super::shares::Share;
use http::HeaderValue;
use pn_core::graph::{ServerNode, ServersNode};
use pn_core::state::BalanceState;
use pn_model::Transport;
use pn_model::service::{HostHeader, Server as ServerSpec, UpstreamAddress, UpstreamScheme};
use pn_model::transport::{Pool as PoolSpec, ProxyProtocolOut, UpstreamProtocol};
use rustls::ClientConfig;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub(super) struct Service {
    pub(super) label: Arc<str>,
    pub(super) servers: Box<[Rc<Server>]>,
    pub(super) wheel: Rc<Wheel>,
    balance: Arc<BalanceState>,
    /// Of the node that this was made for. As long as it is held, no other node has its address.
    node: Weak<Transport>,
}

pub(super) struct Server {
    label: Arc<str>,
    pub(super) pool: Rc<Pool>,
    /// The `Host` that replaces the client's; `None` to keep that.
    pub(super) host: Option<HeaderValue>,
    /// The server's own, for clients that sent none.
    pub(super) own_host: HeaderValue,
    /// Makes a client stay here.
    pub(super) set_cookie: Option<HeaderValue>,
}

/// The URL of a server, shared without a counter that other workers touch.
#[derive(Clone)]
pub(crate) struct ServerLabel(pub(super) Rc<Server>);

impl Deref for ServerLabel {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.label
    }
}

impl fmt::Debug for ServerLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// What makes two pools one: the same server, spoken to in the same way within the same bounds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    scheme: UpstreamScheme,
    address: UpstreamAddress,
    protocol: UpstreamProtocol,
    server_name: Option<String>,
    proxy: Option<ProxyProtocolOut>,
    connect: Duration,
    idle: Duration,
    bounds: PoolSpec,
    /// The address of the TLS configuration, which the pool keeps alive. Equal ones are the same one.
    tls: usize,
}

impl PoolKey {
    pub(super) fn new(server: &ServerSpec, transport: &Transport, tls: Option<&Arc<ClientConfig>>) -> Self {
        let tls = tls.filter(|_| server.scheme == UpstreamScheme::Https);
        Self {
            scheme: server.scheme,
            address: server.address.clone(),
            protocol: transport.protocol,
            server_name: transport.server_name.clone(),
            proxy: transport.proxy_protocol,
            connect: transport.timeouts.connect,
            idle: transport.timeouts.idle,
            bounds: transport.pool,
            tls: tls.map_or(0, |config| Arc::as_ptr(config) as usize),
        }
    }
}

/// A new pool with one worker's share of what is kept, rounded up; `share` bounds the connections of all workers.
pub(super) fn make_pool(
    server: &ServerSpec,
    transport: &Transport,
    tls: Option<&Arc<ClientConfig>>,
    workers: u32,
    share: Option<Arc<Share>>,
    keeper: &Rc<Keeper>,
) -> Rc<Pool> {
    let limits = Limits {
        idle: transport.pool.idle_per_server.div_ceil(workers) as usize,
        idle_ticks: u32::try_from(transport.timeouts.idle.as_millis().div_ceil(TICK.as_millis()))
            .unwrap_or(u32::MAX),
    };
    Pool::new(Target::new(server, transport, tls), limits, share, keeper)
}

impl Service {
    /// `old` is what stood for the service before; it is asked where its round was.
    pub(super) fn new(
        node: &ServersNode,
        label: &Arc<str>,
        old: Option<&Self>,
        mut pool: impl FnMut(&ServerNode) -> Rc<Pool>,
    ) -> Rc<Self> {
        let server = |one: &ServerNode| {
            Rc::new(Server {
                label: Arc::clone(&one.label),
                pool: pool(one),
                host: replaced_host(&node.spec.host_header, &one.spec),
                own_host: host_of(&one.spec),
                set_cookie: node.spec.sticky.as_ref().and_then(|sticky| set_cookie(sticky, &one.cookie)),
            })
        };
        let wheel = match old.filter(|old| old.is_same_round(node)) {
            Some(old) => Rc::clone(&old.wheel),
            None => Rc::new(Wheel::new(&node.servers, &node.balance)),
        };
        Rc::new(Self {
            label: Arc::clone(label),
            servers: node.servers.iter().map(server).collect(),
            wheel,
            balance: Arc::clone(&node.balance),
            node: Arc::downgrade(&node.transport),
        })
    }

    fn is_same_round(&self, node: &ServersNode) -> bool {
        let same = |(old, new): (&Rc<Server>, &ServerNode)| old.label == new.label;
        Arc::ptr_eq(&self.balance, &node.balance)
            && self.servers.len() == node.servers.len()
            && self.wheel.fits(&node.servers)
            && self.servers.iter().zip(&node.servers).all(same)
    }

    /// Under which a service is found: different for all nodes that are alive.
    pub(super) fn key(node: &ServersNode) -> usize {
        Arc::as_ptr(&node.transport) as usize
    }

    pub(super) fn balance_key(&self) -> usize {
        Arc::as_ptr(&self.balance) as usize
    }

    /// Whether the graph of its node is gone.
    pub(super) fn is_dead(&self) -> bool {
        self.node.strong_count() == 0
    }
}

fn replaced_host(setting: &HostHeader, server: &ServerSpec) -> Option<HeaderValue> {
    match setting {
        HostHeader::Preserve => None,
        HostHeader::Server => Some(host_of(server)),
        HostHeader::Literal(name) => HeaderValue::from_str(name).ok(),
    }
}

/// The authority of a server's URL, without a default port.
pub(super) fn host_of(server: &ServerSpec) -> HeaderValue {
    let default = if server.scheme == UpstreamScheme::Https { 443 } else { 80 };
    let text = match &server.address {
        UpstreamAddress::Unix(_) => "localhost".to_owned(),
        UpstreamAddress::Name { host, port } if *port == default => host.clone(),
        UpstreamAddress::Name { host, port } => format!("{host}:{port}"),
        UpstreamAddress::Socket(address) if address.port() == default => match address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        },
        UpstreamAddress::Socket(address) => address.to_string(),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("localhost"))
}

//! Opens connections to servers: name, TCP or unix socket, PROXY header, TLS, all within one time.

use super::fault;
use super::names::Names;
use super::stream::Stream;
use super::tls::host_of;
use crate::wire;
use futures_util::stream::{FuturesUnordered, StreamExt};
use pn_core::{ErrorKind, ProxyError};
use pn_io::reactor::{Gulping, ReactorStream};
use pn_io::{EventActions, Over};
use pn_model::Transport;
use pn_model::limits::TLS_SEND_BUFFER;
use pn_model::service::{Server, UpstreamAddress, UpstreamScheme};
use pn_model::transport::{ProxyProtocolOut, UpstreamProtocol};
use proxy_header::{ProxiedAddress, ProxyHeader};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smallvec::SmallVec;
use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// Head start of one address before the next is tried beside it (RFC 8305 section 8).
const STAGGER: Duration = Duration::from_millis(250);

/// A server, and how it is spoken to.
pub(super) struct Target {
    pub(super) address: UpstreamAddress,
    pub(super) speaks: Speaks,
    tls: Option<Result<Tls, &'static str>>,
    pub(super) proxy: Option<ProxyProtocolOut>,
    pub(super) connect: Duration,
    dialed: Cell<usize>,
}

/// HTTP versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    H1,
    H2,
    /// By ALPN.
    Either,
}

struct Tls {
    config: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone, for upgrades.
    only_h1: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Both ends of the client's connection, for a PROXY header. `None` where it came over a unix socket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClientEnds(pub(super) Option<(SocketAddr, SocketAddr)>);

pub(super) struct Dialed {
    pub(super) stream: Stream,
    pub(super) h2: bool,
    /// `None` for unix sockets.
    pub(super) peer: Option<IpAddr>,
}

impl Target {
    pub(super) fn new(server: &Server, transport: &Transport, config: Option<&Arc<ClientConfig>>) -> Self {
        let speaks = match (server.scheme, transport.protocol) {
            (UpstreamScheme::H2c, _) | (_, UpstreamProtocol::H2 | UpstreamProtocol::H2c) => Speaks::H2,
            (UpstreamScheme::Http, _) | (_, UpstreamProtocol::H1) => Speaks::H1,
            (UpstreamScheme::Https, UpstreamProtocol::Auto) => Speaks::Either,
        };
        let tls = (server.scheme == UpstreamScheme::Https).then(|| Tls::new(server, transport, config));
        Self {
            address: server.address.clone(),
            speaks,
            tls,
            proxy: transport.proxy_protocol,
            connect: transport.timeouts.connect,
            dialed: Cell::new(0),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The name under which the server is resolved.
    pub(super) fn host(&self) -> Option<&str> {
        match &self.address {
            UpstreamAddress::Name { host, .. } => Some(host),
            UpstreamAddress::Socket(_) | UpstreamAddress::Unix(_) => None,
        }
    }

    /// For what only HTTP/2 carries.
    pub(super) fn over_h2(self) -> Self {
        Self { speaks: Speaks::H2, ..self }
    }

    /// Opens a connection as far as TCP, and closes it again.
    pub(super) async fn reach(&self, names: &Rc<Names>) -> Result<(), ProxyError> {
        let addresses = self.addresses(names).await?;
        self.connect(&addresses).await.map(drop).map_err(fault::connecting)
    }

    /// Opens a connection. Every error means that nothing of a request was sent.
    pub(super) async fn dial(
        &self,
        names: &Rc<Names>,
        ends: ClientEnds,
        only_h1: bool,
    ) -> Result<Dialed, ProxyError> {
        let stage = Cell::new(ErrorKind::DnsTimeout);
        let dialing = self.dial_untimed(names, ends, only_h1, &stage);
        match tokio::time::timeout(self.connect, dialing).await {
            Ok(result) => result,
            Err(_) => Err(ProxyError::new(stage.get()).unsent()),
        }
    }

    async fn dial_untimed(
        &self,
        names: &Rc<Names>,
        ends: ClientEnds,
        only_h1: bool,
        stage: &Cell<ErrorKind>,
    ) -> Result<Dialed, ProxyError> {
        let addresses = self.addresses(names).await?;
        stage.set(ErrorKind::ConnectionTimeout);
        let (mut plain, peer) = self.connect(&addresses).await.map_err(fault::connecting)?;
        if let Some(version) = self.proxy {
            plain.write_all(&proxy_header(version, ends)).await.map_err(fault::connecting)?;
        }
        let Some(tls) = &self.tls else {
            return Ok(Dialed { stream: Stream::Plain(plain), h2: self.speaks == Speaks::H2, peer });
        };
        let tls = tls
            .as_ref()
            .map_err(|reason| ProxyError::new(ErrorKind::Unconfigured).caused_by(*reason).unsent())?;
        let (stream, h2) = tls.handshake(plain, only_h1).await?;
        if self.speaks == Speaks::H2 && !h2 {
            let error = ProxyError::new(ErrorKind::TlsProtocol);
            return Err(error.caused_by("the server does not agree to h2 by ALPN").unsent());
        }
        Ok(Dialed { stream, h2, peer })
    }

    async fn addresses(&self, names: &Rc<Names>) -> Result<SmallVec<[SocketAddr; 4]>, ProxyError> {
        match &self.address {
            UpstreamAddress::Socket(address) => Ok(SmallVec::from_slice(&[*address])),
            UpstreamAddress::Unix(_) => Ok(SmallVec::new()),
            UpstreamAddress::Name { host, port } => {
                let found = names.resolve(host).await?;
                let nth = self.dialed.replace(self.dialed.get().wrapping_add(1));
                Ok(in_turns(&found, nth, *port))
            }
        }
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<(ReactorStream, Option<IpAddr>)> {
        if let UpstreamAddress::Unix(path) = &self.address {
            let stream = UnixStream::connect(path).await?;
            return Ok((wire::reactor().attach(stream.into())?, None));
        }
        let (stream, address) = connect_any(addresses).await?;
        stream.set_nodelay(true)?;
        Ok((wire::reactor().attach(stream.into())?, Some(address.ip())))
    }
}

impl Tls {
    fn new(
        server: &Server,
        transport: &Transport,
        config: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, &'static str> {
        let config = config.ok_or("no TLS configuration was prepared for this transport")?;
        let name = pn_tls::server_name(transport, &host_of(&server.address));
        let name = name.map_err(|_| "the server's name cannot be used in TLS; set `server-name`")?;
        let mut only_h1 = ClientConfig::clone(config);
        only_h1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::clone(config), only_h1: Arc::new(only_h1), name })
    }

    async fn handshake(&self, plain: ReactorStream, only_h1: bool) -> Result<(Stream, bool), ProxyError> {
        let config = if only_h1 { &self.only_h1 } else { &self.config };
        let connecting =
            TlsConnector::from(Arc::clone(config)).connect(self.name.clone(), Gulping::new(plain));
        let mut stream = connecting.await.map_err(fault::connecting)?;
        stream.get_mut().1.set_buffer_limit(Some(TLS_SEND_BUFFER));
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Stream::Tls(Box::new(Over::new(stream, &wire::pool()))), h2))
    }
}

/// The addresses in the order in which they are tried: families in turns, the first answer's first (RFC 8305 section
/// 4), and within the first family another one first each time, so that connections spread.
fn in_turns(found: &[IpAddr], nth: usize, port: u16) -> SmallVec<[SocketAddr; 4]> {
    let first = found.first().is_some_and(IpAddr::is_ipv4);
    let (mut one, other): (SmallVec<[IpAddr; 4]>, SmallVec<[IpAddr; 4]>) =
        found.iter().copied().partition(|ip| ip.is_ipv4() == first);
    let turn = nth.checked_rem(one.len()).unwrap_or_default();
    one.rotate_left(turn);
    let longer = one.len().max(other.len());
    let turns = (0..longer).flat_map(|i| [one.get(i), other.get(i)]).flatten();
    turns.map(|&ip| SocketAddr::new(ip, port)).collect()
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    if let [address] = addresses {
        return Ok((TcpStream::connect(address).await?, *address));
    }
    let connect = async |address: SocketAddr| (TcpStream::connect(address).await, address);
    let mut rest = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match rest.next() {
            Some(address) => trying.push(connect(address)),
            None if trying.is_empty() => return Err(failed),
            None => {}
        }
        let more = rest.len() > 0;
        tokio::select! {
            Some((result, address)) = trying.next() => match result {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => failed = error,
            },
            () = tokio::time::sleep(STAGGER), if more => {}
        }
    }
}

fn proxy_header(version: ProxyProtocolOut, ends: ClientEnds) -> Vec<u8> {
    // A dual-stack socket shows IPv4 clients as mapped addresses.
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let ends = ends.0.map(|(source, destination)| (plain(source), plain(destination)));
    let header = match ends {
        Some((source, destination)) if source.is_ipv4() == destination.is_ipv4() => {
            ProxyHeader::with_address(ProxiedAddress::stream(source, destination))
        }
        _ => ProxyHeader::with_local(),
    };
    let mut bytes = Vec::with_capacity(108);
    // A vector takes all that is written, and both ends are of one family.
    match version {
        ProxyProtocolOut::V1 => header.encode_v1(&mut bytes).unwrap_or_default(),
        ProxyProtocolOut::V2 => header.encode_v2(&mut bytes).unwrap_or_default(),
    }
    bytes
}

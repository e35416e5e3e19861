//! An honest HTTP origin: HTTP/1.1 or HTTP/2, over TCP, TLS or a unix socket. It tells what it was asked, and keeps it.

mod answer;
mod serve;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use tokio::task::JoinHandle;

use crate::certificates::{Authority, Identity};
use crate::runtime;
use crate::tls::server_config;

use serve::{Listener, Protocol};

/// A running origin. Dropping it ends its connections and frees its port.
///
/// `/status/N` answers with that status, `/bytes/N` with so many bytes, `/slow/MS` after a while, `/chunked/N` with N
/// chunks and a trailer `x-count`, `/sse/N` with N events, `/endless` with bytes without end, `/upgrade` with 101 and
/// then an echo of what comes. Any other path is answered with JSON that tells the request.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    gone: Receiver<Infallible>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: String,
    /// The target as HTTP/1.1 writes it; of an HTTP/2 request the path and query.
    pub target: String,
    /// `:authority`, or Host.
    pub authority: String,
    pub version: String,
    pub headers: Vec<(String, String)>,
    /// At most the first MiB.
    pub body: Bytes,
    pub body_length: u64,
    pub trailers: Vec<(String, String)>,
    /// Whether the body came to its end.
    pub complete: bool,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Recorded {
    /// The first value of a field; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let same = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(field, _)| field.eq_ignore_ascii_case(name))
    }
}

type Answer = dyn Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync;

/// How an origin shall be before it starts.
#[derive(Default)]
pub struct OriginSetup {
    name: String,
    port: u16,
    answer: Option<Box<Answer>>,
    streams: Option<u32>,
}

#[derive(Default)]
pub(crate) struct Shared {
    name: String,
    /// Of one connection of HTTP/2.
    streams: Option<u32>,
    answer: Option<Box<Answer>>,
    requests: Mutex<Vec<Recorded>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    /// Answers everything with this, unless 0.
    status: AtomicU16,
    /// Body bytes of responses that were taken from us.
    sent: AtomicU64,
}

impl Origin {
    pub fn setup() -> OriginSetup {
        OriginSetup::default()
    }

    pub fn http1() -> Self {
        Self::setup().http1()
    }

    /// HTTP/2 with prior knowledge, no TLS.
    pub fn h2c() -> Self {
        Self::setup().h2c()
    }

    /// HTTP/2 and HTTP/1.1 over TLS, by ALPN.
    pub fn tls(identity: &Identity) -> Self {
        Self::setup().tls(identity, &["h2", "http/1.1"])
    }

    /// HTTP/1.1 over a unix socket.
    pub fn unix(path: &Path) -> Self {
        Self::setup().unix(path)
    }

    /// Where it listens; 0.0.0.0:0 for a unix socket.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Everything asked so far, in the order in which the bodies ended.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests().clone()
    }

    /// The last request that was asked; panics when there was none.
    #[track_caller]
    pub fn last(&self) -> Recorded {
        self.shared.requests().last().cloned().unwrap_or_else(|| panic!("the origin was asked nothing"))
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open.
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Bytes of response bodies that have left this origin's hands.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// From now on everything is answered with this status; `None`: as usual again.
    pub fn fail_with(&self, status: Option<u16>) {
        self.shared.status.store(status.unwrap_or(0), Ordering::SeqCst);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
        // Nothing is ever sent: this waits until the task and with it the listening socket are gone.
        self.gone.recv().ok();
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin {} was asked {:#?}", self.address, self.shared.requests())
    }
}

impl OriginSetup {
    /// Told in every answer, as the header `x-origin` and in the JSON.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// A given port, for an origin that comes back.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Answers what this function answers; `None`: as usual.
    #[must_use]
    pub fn answer(
        mut self,
        answer: impl Fn(&Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.answer = Some(Box::new(answer));
        self
    }

    /// How many streams it takes on one connection of HTTP/2.
    #[must_use]
    pub fn streams(mut self, streams: u32) -> Self {
        self.streams = Some(streams);
        self
    }

    pub fn http1(self) -> Origin {
        self.tcp(Protocol::H1)
    }

    pub fn h2c(self) -> Origin {
        self.tcp(Protocol::H2)
    }

    /// With the protocols it offers by ALPN, in order.
    pub fn tls(self, identity: &Identity, alpn: &[&str]) -> Origin {
        self.tcp(Protocol::Tls(server_config(identity, alpn, None)))
    }

    /// Demands a client certificate of that authority.
    pub fn mutual_tls(self, identity: &Identity, clients: &Authority) -> Origin {
        self.tcp(Protocol::Tls(server_config(identity, &["h2", "http/1.1"], Some(clients))))
    }

    pub fn unix(self, path: &Path) -> Origin {
        self.run(SocketAddr::from(([0, 0, 0, 0], 0)), Listener::unix(path), Protocol::H1)
    }

    fn tcp(self, protocol: Protocol) -> Origin {
        let (listener, address) = Listener::tcp(self.port);
        self.run(address, listener, protocol)
    }

    fn run(self, address: SocketAddr, listener: Listener, protocol: Protocol) -> Origin {
        let shared = Arc::new(Shared {
            name: self.name,
            answer: self.answer,
            streams: self.streams,
            ..Shared::default()
        });
        let seen = Arc::clone(&shared);
        let (held, gone): (Sender<Infallible>, _) = channel();
        let task = runtime::handle().spawn(async move {
            let _held = held;
            serve::accept_all(&listener, &protocol, &seen).await;
        });
        Origin { address, shared, task, gone }
    }
}

impl fmt::Debug for OriginSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginSetup").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

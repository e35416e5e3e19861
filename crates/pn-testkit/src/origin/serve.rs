//! The origin's sockets: accepts, speaks TLS, and hands each request to the answers.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Shared, answer};
use crate::runtime;

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

pub(super) enum Protocol {
    H1,
    H2,
    /// Then as ALPN says.
    Tls(Arc<ServerConfig>),
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Listener {
    /// On 127.0.0.1; port 0 takes any that is free.
    pub(super) fn tcp(port: u16) -> (Self, SocketAddr) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let bound = runtime::finish("a port", async move { TcpListener::bind(address).await });
        let listener = bound.unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("an address");
        (Self::Tcp(listener), address)
    }

    pub(super) fn unix(path: &Path) -> Self {
        let bound = runtime::finish("a socket", async { UnixListener::bind(path) });
        Self::Unix(bound.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    async fn accept(&self) -> io::Result<Box<dyn Io>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Ends with all its connections when it is dropped.
pub(super) async fn accept_all(listener: &Listener, protocol: &Protocol, shared: &Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok(stream) = listener.accept().await {
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let open = Open::count(shared, number);
        match protocol {
            Protocol::H1 => connections.spawn(serve(stream, false, open)),
            Protocol::H2 => connections.spawn(serve(stream, true, open)),
            Protocol::Tls(config) => connections.spawn(serve_tls(stream, Arc::clone(config), open)),
        };
        while connections.try_join_next().is_some() {}
    }
}

/// An open connection, counted while it lives.
struct Open {
    shared: Arc<Shared>,
    number: usize,
}

impl Open {
    fn count(shared: &Arc<Shared>, number: usize) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self { shared: Arc::clone(shared), number }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve_tls(stream: Box<dyn Io>, config: Arc<ServerConfig>, open: Open) {
    // A failed handshake is the other side's to tell.
    let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else { return };
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    serve(Box::new(stream), h2, open).await;
}

async fn serve(stream: Box<dyn Io>, h2: bool, open: Open) {
    let (shared, number, streams) = (Arc::clone(&open.shared), open.number, open.shared.streams);
    let service = service_fn(move |request| answer::answer(Arc::clone(&shared), number, request));
    let io = TokioIo::new(stream);
    // How a connection ends is for the test to see in what the proxy did.
    if h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        if let Some(streams) = streams {
            builder.max_concurrent_streams(streams);
        }
        builder.enable_connect_protocol().serve_connection(io, service).await.ok();
    } else {
        http1::Builder::new().half_close(true).serve_connection(io, service).with_upgrades().await.ok();
    }
}

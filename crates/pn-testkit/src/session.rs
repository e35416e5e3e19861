//! A well-behaved client for HTTP/1.1 and HTTP/2, one connection at a time.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::runtime;
use crate::tls::TlsOptions;
use crate::wait::PATIENCE;

type Body = Full<Bytes>;

/// One kept connection to a server.
#[derive(Debug)]
pub struct Session {
    sender: Sender,
    scheme: &'static str,
    local: SocketAddr,
}

#[derive(Debug)]
enum Sender {
    H1(http1::SendRequest<Body>),
    H2(http2::SendRequest<Body>),
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Reply {
    /// The first value of a field; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics when it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A request to `http://HOST/PATH` without a body; change it as needed.
pub fn request(method: &str, host: &str, path: &str) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(format!("http://{host}{path}"));
    request.body(Bytes::new()).expect("a method, a host and a path")
}

impl Session {
    /// HTTP/1.1 over TCP.
    #[track_caller]
    pub fn http1(address: SocketAddr) -> Self {
        Self::opened(address, async { Self::start(tcp(address).await?, Version::HTTP_11, "http").await })
    }

    /// HTTP/2 over TCP with prior knowledge.
    #[track_caller]
    pub fn h2c(address: SocketAddr) -> Self {
        Self::opened(address, async { Self::start(tcp(address).await?, Version::HTTP_2, "http").await })
    }

    /// Over TLS, with the protocol that ALPN agrees on.
    #[track_caller]
    pub fn tls(address: SocketAddr, server_name: &str, options: &TlsOptions) -> Self {
        Self::try_tls(address, server_name, options)
            .unwrap_or_else(|error| panic!("connect to {address}: {error}"))
    }

    /// The same; the error says what went wrong.
    pub fn try_tls(address: SocketAddr, server_name: &str, options: &TlsOptions) -> Result<Self, String> {
        runtime::finish("a connection", async {
            let name = ServerName::try_from(server_name.to_owned()).map_err(text)?;
            let (stream, local) = tcp(address).await?;
            let stream = TlsConnector::from(options.config()).connect(name, stream).await.map_err(text)?;
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Self::start((stream, local), if h2 { Version::HTTP_2 } else { Version::HTTP_11 }, "https").await
        })
    }

    /// A GET; panics when there is no whole response.
    #[track_caller]
    pub fn get(&mut self, host: &str, path: &str) -> Reply {
        self.send(request("GET", host, path))
    }

    /// Sends a request whose URI is absolute, as [`request`] makes it. Panics when there is no whole response.
    #[track_caller]
    pub fn send(&mut self, request: Request<Bytes>) -> Reply {
        self.try_send(request).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// The same; the error says what went wrong.
    pub fn try_send(&mut self, request: Request<Bytes>) -> Result<Reply, String> {
        self.try_send_within(request, PATIENCE)
    }

    pub fn try_send_within(&mut self, request: Request<Bytes>, limit: Duration) -> Result<Reply, String> {
        let done = runtime::finish_within(limit, self.exchange(request));
        done.unwrap_or_else(|| Err(format!("no response in {limit:?}")))
    }

    pub fn version(&self) -> Version {
        match self.sender {
            Sender::H1(_) => Version::HTTP_11,
            Sender::H2(_) => Version::HTTP_2,
        }
    }

    /// Whether the server has closed it, or is about to.
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::H1(sender) => sender.is_closed(),
            Sender::H2(sender) => sender.is_closed(),
        }
    }

    /// Our end, as the server sees it.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    #[track_caller]
    fn opened(address: SocketAddr, opening: impl Future<Output = Result<Self, String>>) -> Self {
        runtime::finish("a connection", opening)
            .unwrap_or_else(|error| panic!("connect to {address}: {error}"))
    }

    async fn start<S>(
        (stream, local): (S, SocketAddr),
        version: Version,
        scheme: &'static str,
    ) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        let sender = if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(text)?;
            tokio::spawn(connection);
            Sender::H2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(text)?;
            tokio::spawn(connection);
            Sender::H1(sender)
        };
        Ok(Self { sender, scheme, local })
    }

    async fn exchange(&mut self, request: Request<Bytes>) -> Result<Reply, String> {
        let request = request.map(Full::new);
        let response = match &mut self.sender {
            Sender::H1(sender) => {
                sender.ready().await.map_err(text)?;
                sender.send_request(origin_form(request)).await
            }
            Sender::H2(sender) => {
                sender.ready().await.map_err(text)?;
                sender.send_request(with_scheme(request, self.scheme)).await
            }
        };
        let (head, body) = response.map_err(text)?.into_parts();
        let body = body.collect().await.map_err(text)?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let (status, version) = (head.status.as_u16(), head.version);
        Ok(Reply { status, version, headers: head.headers, body: body.to_bytes(), trailers })
    }
}

/// RFC 9112 section 3.2.1: the path alone in the first line, the authority in Host.
fn origin_form(mut request: Request<Body>) -> Request<Body> {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(authority)) = authority {
        request.headers_mut().entry(HOST).or_insert(authority);
    }
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    *request.uri_mut() = path.parse().expect("it was a path before");
    request
}

fn with_scheme(mut request: Request<Body>, scheme: &str) -> Request<Body> {
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(scheme.parse().expect("http or https"));
    *request.uri_mut() = Uri::from_parts(parts).expect("an absolute URI");
    request
}

async fn tcp(address: SocketAddr) -> Result<(TcpStream, SocketAddr), String> {
    let stream = TcpStream::connect(address).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let local = stream.local_addr().map_err(text)?;
    Ok((stream, local))
}

/// An error and its causes in one line.
fn text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

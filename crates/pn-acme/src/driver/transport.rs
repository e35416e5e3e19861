//! HTTP to CAs: HTTP/1.1 over TLS by the proxy's own stack, one request at a time on each connection, everything within
//! bounds of time and length. What is said is `acme`'s.

use crate::acme::{HttpMethod, HttpRequest, HttpResponse, TransportError};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use pn_model::NodePath;
use pn_model::limits::ACME_BODY_BYTES;
use pn_model::site::PemSource;
use pn_model::transport::{Transport as Settings, UpstreamProtocol};
use pn_tls::UpstreamTls;
use rustls_pki_types::ServerName;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{CertificateError, Error};

const AGENT: &str = concat!("proxy-now/", env!("CARGO_PKG_VERSION"));
/// Name, TCP and TLS of one address.
const CONNECT: Duration = Duration::from_secs(10);
/// From the request to the last byte of the answer.
const ANSWER: Duration = Duration::from_secs(60);
/// What follows a status that says all, and how long it is waited for.
const REST_BYTES: usize = 64 << 10;
const REST: Duration = Duration::from_millis(100);
/// A connection that lies longer is not used again: the other side may be about to close it.
const IDLE: Duration = Duration::from_secs(15);
/// Connections of one origin that lie idle.
const IDLE_MOST: usize = 4;
/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;
/// Bytes of an answer's head; those of CAs have one or two KiB.
const HEAD_BYTES: usize = 64 << 10;

/// A client for one set of roots. Connections are kept for the requests of one order, which come one after the other.
pub struct Transport {
    tls: TlsConnector,
    idle: Mutex<HashMap<String, Vec<Idle>>>,
}

struct Idle {
    sender: Sender,
    since: tokio::time::Instant,
}

type Sender = SendRequest<Full<Bytes>>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Transport {
    /// `roots` empty: the system's. `at` is where the configuration says so; errors name it.
    pub fn new(roots: &[PemSource], at: &NodePath) -> Result<Self, pn_tls::TlsError> {
        let config = UpstreamTls::default().batch().client_config(&settings(roots, at))?;
        Ok(Self { tls: TlsConnector::from(config), idle: Mutex::default() })
    }

    /// One request and its answer. Redirects are not followed.
    pub async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let fields = request.body.as_ref().map(|_| (CONTENT_TYPE, "application/jose+json"));
        let fields = fields.into_iter().chain(request.accept.map(|accept| (ACCEPT, accept)));
        let method = match request.method {
            HttpMethod::Get => hyper::Method::GET,
            HttpMethod::Head => hyper::Method::HEAD,
            HttpMethod::Post => hyper::Method::POST,
        };
        let sent = Outgoing::new(method, &request.url, request.body.clone(), fields.collect())
            .map_err(TransportError)?;
        self.exchange(&sent).await.map_err(TransportError)
    }

    pub(super) async fn exchange(&self, request: &Outgoing) -> Result<HttpResponse, String> {
        let failed = |reason: String| format!("`{}` cannot be reached: {reason}", request.origin.shown());
        match timeout(ANSWER, self.exchange_unbounded(request)).await {
            Ok(outcome) => outcome.map_err(failed),
            Err(_) => Err(failed(format!("no answer within {ANSWER:?}"))),
        }
    }

    /// Of the answer its status alone. What else comes of it is let go, however much and however late.
    pub(super) async fn status(&self, request: &Outgoing) -> Result<u16, String> {
        let failed = |reason: String| format!("`{}` cannot be reached: {reason}", request.origin.shown());
        let (sender, response) = self.open(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        // The connection is of use again only after the last byte, which nobody waits for.
        let rest = Limited::new(response.into_body(), REST_BYTES).collect();
        if timeout(REST, rest).await.is_ok_and(|rest| rest.is_ok()) {
            self.keep(&request.origin, sender);
        }
        Ok(status)
    }

    async fn exchange_unbounded(&self, request: &Outgoing) -> Result<HttpResponse, String> {
        let (sender, response) = self.open(request).await?;
        self.read(&request.origin, sender, response).await
    }

    /// Up to the head of the answer.
    async fn open(&self, request: &Outgoing) -> Result<(Sender, Response<Incoming>), String> {
        // A connection that was kept may have been closed meanwhile: nothing was sent then, and a new one is made.
        while let Some(mut sender) = self.take_idle(&request.origin) {
            match sender.send_request(request.head()?).await {
                Ok(response) => return Ok((sender, response)),
                Err(error) if error.is_canceled() || error.is_closed() => {}
                Err(error) => return Err(chain(&error)),
            }
        }
        let mut sender = self.connect(&request.origin).await?;
        let response = sender.send_request(request.head()?).await.map_err(|error| chain(&error))?;
        Ok((sender, response))
    }

    async fn read(
        &self,
        origin: &Origin,
        sender: Sender,
        response: Response<Incoming>,
    ) -> Result<HttpResponse, String> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ACME_BODY_BYTES).collect().await;
        let body = body.map_err(|error| format!("its answer ended early or is above 1 MiB: {error}"))?;
        let headers = head.headers.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        });
        let response = HttpResponse {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: body.to_bytes().into(),
        };
        self.keep(origin, sender);
        Ok(response)
    }

    async fn connect(&self, origin: &Origin) -> Result<Sender, String> {
        let found = timeout(CONNECT, tokio::net::lookup_host((origin.host.as_str(), origin.port))).await;
        let found = found.map_err(|_| "its name is not resolved in time".to_owned())?;
        let addresses = found.map_err(|error| format!("its name is not resolved: {error}"))?;
        let mut last = "its name has no address".to_owned();
        for address in addresses.take(ADDRESSES) {
            let connected = timeout(CONNECT, async {
                let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                self.speak(origin, stream).await
            });
            match connected.await {
                Ok(Ok(sender)) => return Ok(sender),
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no connection within {CONNECT:?}"),
            }
        }
        Err(last)
    }

    async fn speak(&self, origin: &Origin, stream: TcpStream) -> Result<Sender, String> {
        if !origin.tls {
            return handshake(Box::new(stream)).await;
        }
        let name = ServerName::try_from(origin.host.clone())
            .map_err(|_| format!("`{}` is no name that a certificate could have", origin.host))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| not_trusted(&error))?;
        handshake(Box::new(stream)).await
    }

    fn take_idle(&self, origin: &Origin) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(&origin.key())?;
        kept.retain(|idle| idle.since.elapsed() < IDLE && idle.sender.is_ready());
        kept.pop().map(|idle| idle.sender)
    }

    fn keep(&self, origin: &Origin, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(origin.key()).or_default();
        kept.retain(|idle| idle.since.elapsed() < IDLE && !idle.sender.is_closed());
        if kept.len() < IDLE_MOST && !sender.is_closed() {
            kept.push(Idle { sender, since: tokio::time::Instant::now() });
        }
    }
}

/// A CA's own certificate is hardly ever too old or too new: then it is our clock that is wrong.
fn not_trusted(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(
            CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. },
        )) => format!("{error}; is the clock of this machine right?"),
        _ => error.to_string(),
    }
}

async fn handshake(stream: Box<dyn Stream>) -> Result<Sender, String> {
    let handshake = Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| chain(&error))?;
    // Ends when the sender is dropped, or the other side closes; what went wrong is told to whoever waits.
    tokio::spawn(connection);
    Ok(sender)
}

/// A request as it goes out, as often as it takes.
pub(super) struct Outgoing {
    method: hyper::Method,
    origin: Origin,
    path: String,
    body: Option<Bytes>,
    fields: Vec<(hyper::header::HeaderName, String)>,
}

struct Origin {
    tls: bool,
    host: String,
    port: u16,
    /// As in the field Host.
    authority: String,
}

impl Outgoing {
    pub(super) fn new(
        method: hyper::Method,
        url: &str,
        body: Option<String>,
        fields: Vec<(hyper::header::HeaderName, &str)>,
    ) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| format!("`{url}` is no URL"))?;
        let origin = Origin::of(&uri).ok_or_else(|| format!("`{url}` is no http or https URL"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let fields = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Ok(Self { method, origin, path, body: body.map(Bytes::from), fields })
    }

    fn head(&self) -> Result<Request<Full<Bytes>>, String> {
        let mut builder = Request::builder()
            .method(&self.method)
            .uri(&self.path)
            .header(HOST, &self.origin.authority)
            .header(USER_AGENT, AGENT);
        for (name, value) in &self.fields {
            builder = builder.header(name, value);
        }
        let body = Full::new(self.body.clone().unwrap_or_default());
        builder.body(body).map_err(|error| error.to_string())
    }
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let named = match authority.port_u16() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        Some(Self { tls, host, port, authority: named })
    }

    fn key(&self) -> String {
        format!("{}{}", u8::from(self.tls), self.authority)
    }

    fn shown(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

/// An error with its causes: hyper's own texts do not say why.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn settings(roots: &[PemSource], at: &NodePath) -> Settings {
    Settings {
        protocol: UpstreamProtocol::H1,
        roots: roots.to_vec(),
        path: at.clone(),
        ..Settings::built_in()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

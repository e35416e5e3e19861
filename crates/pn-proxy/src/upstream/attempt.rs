//! One attempt to have a request answered by one server.

use super::body::{Link, Streamed, UpstreamBody};
use super::fields::{self, Facts};
use super::h1::{Asked, Broken, H1, Head};
use super::h2::{Answered, H2, StreamPlace};
use super::load::InFlight;
use super::payload::{BodySlot, Gate, Payload};
use super::pool::{Lease, Want};
use super::service::Server;
use super::timer::Timer;
use super::tunnel::{Ends, Held, UpstreamTunnel};
use super::{dial::ClientEnds, names::Names};
use crate::conn::Interim;
use crate::flow::{Receiving, Tunnel};
use crate::wire;
use http::header::{HeaderValue, SEC_WEBSOCKET_KEY};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Version};
use pn_core::context::{FieldList, RequestHead};
use pn_core::{ErrorKind, ProxyError};
use pn_http1::RequestTarget;
use pn_io::{Chunk, Over};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a server may keep quiet about a body that it was announced with `Expect: 100-continue` (RFC 9110 section
/// 10.1.1 asks not to wait for ever).
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// A request on its way, and what is needed to send it once more.
pub(super) struct Job<'a> {
    pub(super) head: &'a RequestHead,
    pub(super) host: HeaderValue,
    pub(super) slot: Option<BodySlot>,
    pub(super) upgrade: Option<HeaderValue>,
    pub(super) ends: ClientEnds,
    pub(super) expect: bool,
    pub(super) te_trailers: bool,
    pub(super) interim: Interim,
    /// Nothing is lost when the server is asked twice.
    pub(super) idempotent: bool,
    /// What the transport says.
    pub(super) head_limit: Duration,
    pub(super) body_idle: Duration,
}

/// What a server said.
pub(super) struct Said {
    pub(super) head: Head,
    pub(super) body: UpstreamBody,
    pub(super) tunnel: Option<Box<UpstreamTunnel>>,
}

/// Why a server said nothing.
pub(super) struct Failed {
    pub(super) error: ProxyError,
    /// The connection had been used before and was found closed, which is no fault of the server.
    pub(super) stale: bool,
    /// The server has not looked at the request, and may be asked once more.
    pub(super) untouched: bool,
}

impl From<ProxyError> for Failed {
    fn from(error: ProxyError) -> Self {
        Self { error, stale: false, untouched: false }
    }
}

impl Job<'_> {
    /// Whether another attempt has all that it needs.
    pub(super) fn is_whole(&self) -> bool {
        self.slot.as_ref().is_none_or(BodySlot::is_whole)
    }

    /// The request as HTTP/1.1 has it.
    fn asked<'a>(&'a self, server: &'a Server, expect: bool) -> Result<Asked<'a>, ProxyError> {
        let (path, query) = (self.head.path.as_bytes(), self.head.query.as_deref().map(str::as_bytes));
        let target = RequestTarget::of_parts(path, query);
        let target = target.ok_or_else(|| malformed("a target that a middleware made"))?;
        Ok(Asked {
            length: self.slot.as_ref().and_then(BodySlot::size),
            has_body: self.slot.is_some(),
            te_trailers: self.te_trailers,
            expect,
            upgrade: self.upgrade.as_ref(),
            ..Asked::new(&self.head.method, target, host_for(server, &self.host), &self.head.headers)
        })
    }

    fn path_and_query(&self) -> Result<PathAndQuery, ProxyError> {
        let path = self.head.path.as_str();
        let target = match &self.head.query {
            None => PathAndQuery::try_from(path),
            Some(query) => PathAndQuery::try_from([path, "?", query].concat()),
        };
        target.map_err(|cause| malformed(&cause.to_string()))
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            method: &self.head.method,
            slot: self.slot.as_ref(),
            te_trailers: self.te_trailers,
            upgrade: self.upgrade.as_ref(),
        }
    }

    fn payload(&self, gate: Option<Arc<Gate>>) -> Payload {
        self.slot.as_ref().map_or(Payload::EMPTY, |slot| Payload::new(slot, gate))
    }

    /// The client's fault comes first: it is the cause of what happens to the connection.
    fn blame(&mut self, broken: Broken, used: bool) -> Failed {
        if let Some(error) = self.slot.as_ref().and_then(BodySlot::failure) {
            return error.into();
        }
        let closed = broken.error.kind == ErrorKind::ConnectionTerminated;
        let stale = used && (broken.unsent || (closed && broken.silent));
        Failed { error: broken.error, stale, untouched: broken.untouched }
    }
}

fn malformed(cause: &str) -> ProxyError {
    ProxyError::new(ErrorKind::RequestMalformed).caused_by(cause).unsent()
}

/// Sends the request on a connection of the server's pool, or a new one.
pub(super) async fn attempt(
    job: &mut Job<'_>,
    server: &Rc<Server>,
    names: &Rc<Names>,
    load: Option<InFlight>,
    fresh: bool,
) -> Result<Said, Failed> {
    let want = Want { ends: job.ends, upgrade: job.upgrade.is_some(), fresh };
    match server.pool.lease(names, want).await? {
        Lease::H1(connection) => over_h1(job, server, connection, load).await,
        Lease::H2(connection, place) => Box::pin(over_h2(job, server, &connection, place, load)).await,
    }
}

fn host_for<'a>(server: &'a Server, client: &'a HeaderValue) -> &'a HeaderValue {
    let host = server.host.as_ref().unwrap_or(client);
    if host.is_empty() { &server.own_host } else { host }
}

async fn over_h1(
    job: &mut Job<'_>,
    server: &Rc<Server>,
    mut connection: Box<H1>,
    load: Option<InFlight>,
) -> Result<Said, Failed> {
    let used = connection.used;
    let gate = (job.expect && job.slot.is_some()).then(wait_for_continue);
    let payload = job.payload(gate.clone());
    let (slot, interim, limit) = (job.slot.clone(), job.interim.clone(), job.head_limit);
    let asked = job.asked(server, gate.is_some())?;
    let exchange = connection.exchange(&asked, payload, gate.clone(), slot, interim, limit);
    let answered = exchange.await;
    let head = answered.map_err(|broken| job.blame(broken, used))?;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return switched(job, head, connection, load);
    }
    // The server wants none of a body that it was asked about, or will take the rest while it answers.
    let withheld = gate.is_some_and(|gate| gate.shut());
    match connection.has_sent() {
        true => {}
        false if withheld => connection.withhold(),
        false => connection = connection.detach(),
    }
    let body = UpstreamBody::new(Link::H1(connection, Rc::clone(&server.pool)), load, job.body_idle);
    Ok(Said { head, body, tunnel: None })
}

/// A gate that opens at `100 Continue`, or when the server keeps quiet.
fn wait_for_continue() -> Arc<Gate> {
    let gate = Arc::<Gate>::default();
    let timed = Arc::clone(&gate);
    tokio::task::spawn_local(async move {
        tokio::time::sleep(CONTINUE_WAIT).await;
        timed.open();
    });
    gate
}

fn switched(job: &Job<'_>, head: Head, connection: Box<H1>, load: Option<InFlight>) -> Result<Said, Failed> {
    match &job.upgrade {
        Some(asked) if fields::agrees(&head.headers, asked) => {
            let tunnel = connection.into_tunnel().ok_or_else(|| ProxyError::new(ErrorKind::Internal))?;
            let (stream, read, place) = tunnel;
            let held = Held::Connection { _place: place };
            let tunnel = UpstreamTunnel::new(Ends::H1(stream), read, held, load);
            let body = UpstreamBody::new(Link::Ended, None, Duration::ZERO);
            Ok(Said { head, body, tunnel: Some(Box::new(tunnel)) })
        }
        Some(_) => Err(ProxyError::new(ErrorKind::UpgradeFailed).into()),
        None => Err(ProxyError::new(ErrorKind::ResponseMalformed).caused_by("101 unasked").into()),
    }
}

async fn over_h2(
    job: &mut Job<'_>,
    server: &Rc<Server>,
    connection: &Rc<H2>,
    place: StreamPlace,
    load: Option<InFlight>,
) -> Result<Said, Failed> {
    let host = host_for(server, &job.host).clone();
    let uri = fields::absolute(server.pool.target.is_tls(), &host, job.path_and_query()?)?;
    if job.upgrade.is_some() && !connection.takes_upgrades().await {
        let error = ProxyError::new(ErrorKind::UpgradeFailed);
        return Err(error.caused_by("the server takes no extended CONNECT").unsent().into());
    }
    let mut headers = job.head.headers.to_map();
    let key = job.upgrade.as_ref().and_then(|_| headers.get(SEC_WEBSOCKET_KEY).cloned());
    fields::for_h2(&mut headers, &job.facts());
    let mut request = Request::new(());
    *request.method_mut() = job.head.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    if let Some(protocol) = &job.upgrade {
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(extended_connect(protocol)?);
    }
    let (payload, limit) = (job.payload(None).keeping(), job.head_limit);
    let answered = connection.exchange(request, payload, job.slot.as_ref(), &job.interim, limit).await;
    let Answered { response, send } = answered.map_err(|broken| job.blame(broken, true))?;
    let (mut parts, recv) = response.into_parts();
    if let (Some(protocol), Some(send), StatusCode::OK) = (&job.upgrade, send, parts.status) {
        let mut headers = FieldList::from(&parts.headers);
        fields::as_switch(&mut headers, protocol, key.as_ref());
        let head = Head { status: StatusCode::SWITCHING_PROTOCOLS, headers };
        let stream = Over::new(Tunnel::new(recv, send, ()), &wire::pool());
        let held = Held::Stream { _place: place };
        let tunnel = UpstreamTunnel::new(Ends::H2(Box::new(stream)), Chunk::default(), held, load);
        let body = UpstreamBody::new(Link::Ended, None, Duration::ZERO);
        return Ok(Said { head, body, tunnel: Some(Box::new(tunnel)) });
    }
    fields::check_framing(&mut parts)?;
    let head = Head { status: parts.status, headers: FieldList::from(&parts.headers) };
    let body = Receiving::new(recv, &parts.headers);
    let streamed = Streamed { body, timer: Timer::default(), _place: place };
    let body = UpstreamBody::new(Link::H2(Box::new(streamed)), load, job.body_idle);
    Ok(Said { head, body, tunnel: None })
}

fn extended_connect(protocol: &HeaderValue) -> Result<h2::ext::Protocol, ProxyError> {
    let token = protocol.to_str().map(str::to_ascii_lowercase);
    let token = token.map_err(|error| ProxyError::new(ErrorKind::RequestMalformed).caused_by(error))?;
    // WebSocket is what exists.
    match token.as_str() {
        "websocket" => Ok(h2::ext::Protocol::from_static("websocket")),
        _ => Err(ProxyError::new(ErrorKind::UpgradeFailed)
            .caused_by("HTTP/2 servers are asked for websocket alone")),
    }
}

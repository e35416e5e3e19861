//! From a request to what its service says: the leaf of splits, upstream servers, and the services that answer from
//! memory.

use super::env::ExchangeEnv;
use super::redirect;
use super::request_body::RequestBody;
use super::response_body::ResponseSource;
use crate::conn::Interim;
use crate::upstream::{Outgoing, ServerLabel, Unanswered, UpstreamTunnel};
use http::StatusCode;
use http::header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use pn_core::context::{FieldList, KnownSet};
use pn_core::graph::{ServersNode, ServiceId, ServiceNode, ServiceNodeKind};
use pn_core::{ErrorKind, ProxyError, Reply, RequestContext};
use pn_model::limits::SERVICE_DEPTH;
use pn_model::service::Respond;

/// What goes along with a request. In a box: it is handed on from stage to stage.
pub(crate) struct Delivery {
    /// The authority as the client wrote it.
    pub(crate) host: HeaderValue,
    /// The protocol that the client wants to change to.
    pub(crate) upgrade: Option<HeaderValue>,
    /// The client takes trailers.
    pub(crate) trailers: bool,
    /// The client waits for `100 Continue`.
    pub(crate) expects: bool,
    /// Whom the server's interim responses are for.
    pub(crate) interim: Interim,
    pub(crate) body: RequestBody,
}

impl Delivery {
    /// Of a request that the proxy itself makes.
    pub(crate) fn new(host: HeaderValue, body: RequestBody) -> Self {
        Self { host, upgrade: None, trailers: false, expects: false, interim: Interim::Nobody, body }
    }
}

/// What a service said.
pub(crate) struct Served {
    pub(crate) status: StatusCode,
    pub(crate) headers: FieldList,
    pub(crate) source: ResponseSource,
    /// Why the proxy itself answers; `None` when a service does.
    pub(crate) error: Option<ErrorKind>,
    pub(crate) answered: Option<Answered>,
    /// The upstream's side of a changed protocol.
    pub(crate) upgrade: Option<Box<UpstreamTunnel>>,
    pub(crate) close: bool,
}

/// The server that answered, or that was asked last.
pub(crate) struct Answered {
    pub(crate) server: ServerLabel,
    pub(crate) retries: u32,
}

impl From<Reply> for Served {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status,
            headers: reply.headers.into(),
            source: ResponseSource::Memory(reply.body),
            error: None,
            answered: None,
            upgrade: None,
            close: reply.close,
        }
    }
}

impl From<ProxyError> for Served {
    fn from(error: ProxyError) -> Self {
        Self { error: Some(error.kind), ..error.to_reply().into() }
    }
}

/// Asks a service without its middlewares: the calls of middlewares, and what `errors` fetches.
pub(crate) async fn ask(
    env: &ExchangeEnv,
    id: ServiceId,
    cx: &mut RequestContext,
    delivery: &mut Delivery,
) -> Result<Served, ProxyError> {
    let mut choice = Choice::default();
    let graph = env.current.graph();
    let mut node = graph.service(id).ok_or_else(unconfigured)?;
    while let Some(next) = choice.step(env, node, cx)? {
        node = graph.service(next).ok_or_else(unconfigured)?;
    }
    deliver(env, node, cx, delivery, choice).await
}

/// How a request finds its leaf through splits, and the cookies that make the choice stick.
#[derive(Default)]
pub(crate) struct Choice {
    depth: usize,
    cookies: Vec<HeaderValue>,
}

impl Choice {
    /// The next service below a split; `None` at a leaf.
    pub(crate) fn step(
        &mut self,
        env: &ExchangeEnv,
        node: &ServiceNode,
        cx: &RequestContext,
    ) -> Result<Option<ServiceId>, ProxyError> {
        let ServiceNodeKind::Split(split) = &node.kind else { return Ok(None) };
        self.depth += 1;
        if self.depth > SERVICE_DEPTH {
            return Err(unconfigured());
        }
        let cookies = cx.header_all(&COOKIE);
        let (service, cookie) = env.worker.upstreams.choose_split(split, cookies).ok_or_else(unconfigured)?;
        self.cookies.extend(cookie);
        Ok(Some(service))
    }
}

/// Asks a leaf.
pub(crate) async fn deliver(
    env: &ExchangeEnv,
    node: &ServiceNode,
    cx: &mut RequestContext,
    delivery: &mut Delivery,
    choice: Choice,
) -> Result<Served, ProxyError> {
    cx.set_service(&node.label);
    let mut served = match &node.kind {
        ServiceNodeKind::Servers(servers) => send(env, node, servers, cx, delivery).await?,
        ServiceNodeKind::Respond(respond) => respond_with(respond).into(),
        ServiceNodeKind::Redirect(redirect) => redirect::by_service(redirect, cx).into(),
        ServiceNodeKind::Builtin(service) => service.reply(cx).into(),
        ServiceNodeKind::Split(_) => return Err(unconfigured()),
    };
    for cookie in choice.cookies {
        served.headers.append(&SET_COOKIE, &cookie);
    }
    Ok(served)
}

async fn send(
    env: &ExchangeEnv,
    node: &ServiceNode,
    servers: &ServersNode,
    cx: &mut RequestContext,
    delivery: &mut Delivery,
) -> Result<Served, ProxyError> {
    let outgoing = outgoing(env, cx, delivery);
    let sending = env.worker.upstreams.send(servers, &node.label, outgoing, &env.worker.env);
    let answer = match sending.await {
        Ok(answer) => answer,
        Err(unanswered) => return Ok(unanswered_by(unanswered, cx)),
    };
    let (status, mut headers) = (answer.head.status, answer.head.headers);
    // HTTP/2 has none, and of HTTP/1.1's a change of protocol has one left.
    headers.remove_any(KnownSet::HOP_BY_HOP);
    if let Some(cookie) = answer.set_cookie {
        headers.append(&SET_COOKIE, &cookie);
    }
    Ok(Served {
        status,
        headers,
        source: ResponseSource::Upstream(answer.body),
        error: None,
        answered: Some(Answered { server: answer.server, retries: answer.retries }),
        upgrade: answer.upgrade,
        close: false,
    })
}

/// The proxy's own answer, which still tells what was tried.
fn unanswered_by(unanswered: Unanswered, cx: &RequestContext) -> Served {
    super::report(&unanswered.error, Some(cx));
    let retries = unanswered.retries;
    let answered = unanswered.server.map(|server| Answered { server, retries });
    Served { answered, ..unanswered.error.into() }
}

fn outgoing<'a>(
    env: &ExchangeEnv,
    cx: &'a mut RequestContext,
    delivery: &mut Delivery,
) -> Outgoing<'a, RequestBody> {
    let mut body = std::mem::take(&mut delivery.body);
    body.filter(cx.take_body_filters());
    Outgoing {
        idempotent: cx.method().is_idempotent(),
        head: cx.head(),
        host: std::mem::replace(&mut delivery.host, HeaderValue::from_static("")),
        body,
        client_ip: env.client_ip,
        peer: env.connection.peer,
        local: env.connection.local,
        upgrade: delivery.upgrade.take(),
        expect_continue: delivery.expects,
        trailers: delivery.trailers,
        interim: std::mem::take(&mut delivery.interim),
    }
}

fn respond_with(respond: &Respond) -> Reply {
    let status = StatusCode::from_u16(respond.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = match respond.body.expose() {
        "" => Reply::new(status),
        body => Reply::text(status, body.to_owned()),
    };
    for (name, value) in &respond.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value.expose())) {
            reply.headers.insert(name, value);
        }
    }
    reply
}

fn unconfigured() -> ProxyError {
    ProxyError::new(ErrorKind::Unconfigured)
}

//! One exchange: from the head of a request to the last byte of its response. Sockets and connections are elsewhere,
//! and so is what speaks with upstreams.

mod ahead;
mod authority;
mod door;
mod env;
mod finish;
mod forwarded;
mod gather;
mod intake;
mod max_forwards;
mod outward;
mod pipeline;
mod redirect;
mod request_body;
mod response;
mod response_body;
mod rfc7239;
mod service;
mod stack;
mod trailers;
mod tunnel;
mod websocket;

pub(crate) use authority::LastAuthority;
#[cfg(any(test, fuzzing))]
pub(crate) use authority::law as authority_law;
pub(crate) use forwarded::Told;
#[cfg(any(test, fuzzing))]
pub(crate) use forwarded::law as forwarded_law;
pub(crate) use intake::Line;
pub(crate) use request_body::{Inbound, RequestBody, Tally};
pub(crate) use response::Response;
pub(crate) use response_body::ResponseBody;
pub(crate) use service::Delivery;

use crate::cx::ConnCx;
use door::Door;
use env::ExchangeEnv;
use http::{HeaderValue, Version};
use intake::Asked;
use pn_core::graph::{ListenerNode, RouteNode, ServiceId};
use pn_core::{Current, Dispatch, ErrorKind, ProxyError, RequestContext};
use request_body::Pace;
use service::{Choice, Served};
use stack::{Passed, Verdict, inward, inward_waiting};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use tunnel::ClientEnd;

/// A request as its connection read it: method, version and fields are in the context.
pub(crate) struct Request {
    pub(crate) cx: Box<RequestContext>,
    pub(crate) body: Inbound,
}

/// Begins to answer a request, and decides what can be decided at once. Never fails: what goes wrong becomes a response.
pub(crate) fn begin(
    request: Request,
    line: &Line<'_>,
    protocol: Option<&str>,
    conn: &Rc<ConnCx>,
) -> Exchange {
    Exchange(Begun::new(request, line, protocol, conn))
}

/// What is to be answered.
pub(crate) struct Exchange(Result<Begun, Box<Response>>);

impl Exchange {
    #[expect(
        clippy::manual_async_fn,
        reason = "what an async fn is given is moved once more when it is polled"
    )]
    pub(crate) fn answer(self, conn: &Rc<ConnCx>) -> impl Future<Output = Response> {
        async move {
            match self.0 {
                Ok(begun) => begun.answer(conn).await,
                Err(refused) => *refused,
            }
        }
    }
}

/// Answers what is no request: nothing is known of it but what is wrong.
pub(crate) fn refuse(conn: &Rc<ConnCx>, error: &ProxyError) -> Response {
    report(error, None);
    let (began, version) = (conn.worker.env.now(), Version::HTTP_11);
    response::Finishing { conn, began, tally: &conn.worker.no_tally, version }.refuse(error)
}

/// A request that was let in.
struct Begun {
    cx: Box<RequestContext>,
    delivery: Box<Delivery>,
    door: Door,
    env: ExchangeEnv,
    tally: Rc<Tally>,
    version: Version,
    /// The client's side of a change of protocol.
    client: Option<ClientEnd>,
}

impl Begun {
    fn new(
        request: Request,
        line: &Line<'_>,
        protocol: Option<&str>,
        conn: &Rc<ConnCx>,
    ) -> Result<Self, Box<Response>> {
        let began = conn.worker.env.now();
        let current = conn.current();
        let Request { mut cx, body: mut incoming } = request;
        let version = cx.version();
        let finishing = response::Finishing { conn, began, tally: &conn.worker.no_tally, version };
        let Some(listener) = conn.listener(&current) else {
            return Err(Box::new(finishing.refuse(&ProxyError::new(ErrorKind::Overloaded))));
        };
        let (asked, door) = open(&mut cx, line, protocol, conn, &current, listener).map_err(|error| {
            report(&error, None);
            Box::new(finishing.refuse(&error))
        })?;
        let client = asked.upgrade.is_some().then(|| match &mut incoming {
            Inbound::H1(body) => ClientEnd::H1(body.upgrade()),
            Inbound::H2(body) => ClientEnd::H2(body.upgrade()),
        });
        let interim = incoming.interim();
        // Of a request without a body nothing is counted.
        let counts = asked.upgrade.is_some() || !incoming.is_end_stream();
        let tally = if counts { Rc::default() } else { Rc::clone(&conn.worker.no_tally) };
        // The body of an extended CONNECT is the tunnel itself.
        let body = if asked.upgrade.is_none() {
            let (timeouts, limits) = (&listener.spec.timeouts, &listener.spec.limits);
            let pace = Pace { idle: timeouts.body_idle, min_rate: limits.body_min_rate };
            RequestBody::new(incoming, pace, &tally)
        } else {
            RequestBody::default()
        };
        let delivery = conn.worker.deliveries.fill(Delivery {
            host: asked.host,
            upgrade: asked.upgrade,
            trailers: asked.trailers,
            expects: asked.expects,
            interim,
            body,
        });
        websocket::complete(&mut cx, &conn.worker.env, delivery.upgrade.as_ref());
        let env = ExchangeEnv {
            worker: Rc::clone(&conn.worker),
            client_ip: cx.client_ip(),
            connection: Rc::clone(&conn.connection),
            current,
            began,
            at_once: Cell::new(true),
        };
        Ok(Self { cx, delivery, door, env, tally, version, client })
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "what an async fn is given is moved once more when it is polled"
    )]
    fn answer(mut self, conn: &Rc<ConnCx>) -> impl Future<Output = Response> {
        async move {
            let finishing = response::Finishing {
                conn,
                began: self.env.began,
                tally: &self.tally,
                version: self.version,
            };
            let protocol = self.delivery.upgrade.clone();
            let mut passed = Passed::default();
            let mut served =
                run(&mut self.cx, &mut self.delivery, self.door, conn, &self.env, &mut passed).await;
            conn.worker.deliveries.give(self.delivery);
            self.env.wait();
            // What failed on the client's side is told as that, whatever the upstream made of it.
            if let Some(kind) = self.tally.failed.get().filter(|_| served.error.is_some()) {
                served = ProxyError::new(kind).into();
            }
            let mut filters = Vec::new();
            if !passed.is_empty() {
                (self.cx, filters) = outward::run(self.cx, &mut served, passed, &self.env).await;
            }
            finishing.respond(self.cx, served, filters, self.client.zip(protocol))
        }
    }
}

/// From a head as it was read to a context at the right door.
fn open(
    cx: &mut RequestContext,
    line: &Line<'_>,
    protocol: Option<&str>,
    conn: &ConnCx,
    current: &Current,
    listener: &ListenerNode,
) -> Result<(Asked, Door), ProxyError> {
    let connection = &conn.connection;
    let peer = connection.peer.map_or(LOCAL, |peer| peer.ip());
    let trusted = &listener.spec.trusted_proxies;
    let unbelieved = forwarded::unbelieved(peer, trusted);
    let head = cx.head_mut();
    let asked = intake::take_in(head, line, protocol, &listener.spec, unbelieved, &conn.authority)?;
    let goes_on = max_forwards::count(&head.method, &mut head.headers);
    let client = forwarded::client(&mut head.headers, peer, connection.tls.is_some(), trusted);
    let port = connection.local.map(|local| local.port());
    forwarded::tell(&mut head.headers, &conn.told, client, peer, &asked.host, port, head.version);
    cx.begin(connection, client.ip, client.scheme);
    if let Some(reply) = ahead::challenge(conn, cx) {
        return Ok((asked, Door::Ahead(Box::new(reply))));
    }
    let door = match door::open(current, conn, listener, cx)? {
        Door::Route(_) if !goes_on => Door::Reply(Box::new(max_forwards::answer(cx.method())?)),
        door => door,
    };
    Ok((asked, door))
}

/// What a unix socket's peer counts as.
const LOCAL: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The listener's middlewares, then what the door said.
async fn run<'g>(
    cx: &mut RequestContext,
    delivery: &mut Delivery,
    door: Door,
    conn: &ConnCx,
    env: &'g ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Served {
    let Some(listener) = conn.listener(&env.current) else {
        return ProxyError::new(ErrorKind::Overloaded).into();
    };
    let door = match door {
        Door::Ahead(reply) => return (*reply).into(),
        door => door,
    };
    let mut verdict = Verdict::Pass;
    if !listener.stack.is_empty() {
        verdict = match inward(&listener.stack, cx, env, passed) {
            Ok(verdict) => verdict,
            Err(rest) => Box::pin(inward_waiting(rest, cx, env, passed)).await,
        };
    }
    match (verdict, door) {
        (Verdict::Pass, Door::Reply(reply) | Door::Ahead(reply)) => (*reply).into(),
        (Verdict::Pass, Door::Error(error)) => error.into(),
        (Verdict::Pass, Door::Route(id)) => match env.current.graph().route(id) {
            Some(route) => routed(cx, delivery, route, env, passed).await,
            None => ProxyError::new(ErrorKind::Internal).into(),
        },
        (verdict, _) => decided(cx, delivery, verdict, env).await,
    }
}

/// The route's middlewares, then its service's, split by split.
async fn routed<'g>(
    cx: &mut RequestContext,
    delivery: &mut Delivery,
    route: &'g RouteNode,
    env: &'g ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Served {
    let graph = env.current.graph();
    if let Some(site) = graph.site(route.site) {
        cx.set_route(&site.label, &route.label);
    }
    let mut choice = Choice::default();
    let mut id = route.service;
    // The route's stack stands before that of its service.
    let mut before = Some(&route.stack);
    loop {
        let Some(node) = graph.service(id) else {
            return ProxyError::new(ErrorKind::Unconfigured).into();
        };
        for stack in [before.take(), Some(&node.stack)].into_iter().flatten() {
            if stack.is_empty() {
                continue;
            }
            let verdict = match inward(stack, cx, env, passed) {
                Ok(verdict) => verdict,
                Err(rest) => Box::pin(inward_waiting(rest, cx, env, passed)).await,
            };
            if !matches!(verdict, Verdict::Pass) {
                return decided(cx, delivery, verdict, env).await;
            }
        }
        match choice.step(env, node, cx) {
            Ok(Some(below)) => id = below,
            Ok(None) => {
                let served = service::deliver(env, node, cx, delivery, choice).await;
                return or_report(served, cx);
            }
            Err(error) => return error.into(),
        }
    }
}

/// What a middleware decided in place of the service.
async fn decided(
    cx: &mut RequestContext,
    delivery: &mut Delivery,
    verdict: Verdict,
    env: &ExchangeEnv,
) -> Served {
    match verdict {
        Verdict::Reply(reply) => (*reply).into(),
        Verdict::Dispatch(dispatch) => Box::pin(dispatched(cx, delivery, &dispatch, env)).await,
        Verdict::Pass => ProxyError::new(ErrorKind::Internal).into(),
    }
}

/// Another service in place of the route's, as a middleware said.
async fn dispatched(
    cx: &mut RequestContext,
    delivery: &mut Delivery,
    dispatch: &Dispatch,
    env: &ExchangeEnv,
) -> Served {
    let served = match env.current.graph().service_id(&dispatch.service) {
        Some(id) => to_service(cx, delivery, id, dispatch, env).await,
        None => Err(ProxyError::new(ErrorKind::Unconfigured)),
    };
    or_report(served, cx)
}

async fn to_service(
    cx: &mut RequestContext,
    delivery: &mut Delivery,
    id: ServiceId,
    dispatch: &Dispatch,
    env: &ExchangeEnv,
) -> Result<Served, ProxyError> {
    if let Some(target) = &dispatch.path_and_query {
        let (path, query) =
            target.split_once('?').map_or((&**target, None), |(path, query)| (path, Some(query)));
        cx.set_path(path).map_err(|cause| ProxyError::new(ErrorKind::Internal).caused_by(cause))?;
        cx.set_query(query);
    }
    let mut served = service::ask(env, id, cx, delivery).await?;
    served.status = dispatch.status.unwrap_or(served.status);
    Ok(served)
}

fn or_report(served: Result<Served, ProxyError>, cx: &RequestContext) -> Served {
    served.unwrap_or_else(|error| {
        report(&error, Some(cx));
        error.into()
    })
}

/// Upstream and internal failures are the operator's to know; a client's are its own.
fn report(error: &ProxyError, cx: Option<&RequestContext>) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let service = cx.and_then(RequestContext::service).unwrap_or_default();
    let host = cx.map(RequestContext::host).unwrap_or_default();
    match error.side {
        pn_core::Side::Client => tracing::debug!(%error, cause, host, "request refused"),
        _ => tracing::warn!(%error, cause, host, service, "request failed"),
    }
}

/// The client's side of a change of protocol, and the protocol.
type Change = Option<(ClientEnd, HeaderValue)>;

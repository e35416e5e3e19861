//! One exchange: from the head of a request to the last byte of its response. Sockets and connections are elsewhere,
//! and so is what speaks with upstreams.

mod authority;
mod door;
mod env;
mod finish;
mod forwarded;
mod hop;
mod intake;
mod max_forwards;
mod pipeline;
mod redirect;
mod request_body;
mod response;
mod response_body;
mod service;
mod stack;
mod trailers;
mod tunnel;
mod websocket;

pub(crate) use forwarded::Told;
pub(crate) use request_body::RequestBody;
pub(crate) use response_body::ResponseBody;

use crate::cx::ConnCx;
use door::Door;
use env::ExchangeEnv;
use http::HeaderValue;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pn_core::graph::{ListenerNode, RouteNode, ServiceId};
use pn_core::{Current, Dispatch, ErrorKind, ProxyError, RequestContext, Stack};
use request_body::{Pace, Tally};
use service::{Choice, Delivery, Served};
use stack::{Passed, Verdict, inward};
use std::rc::Rc;

/// Answers one request. Never fails: what goes wrong becomes a response.
pub(crate) async fn serve(
    request: http::Request<Incoming>,
    conn: Rc<ConnCx>,
) -> http::Response<ResponseBody> {
    let began = conn.worker.env.now();
    let current = conn.current();
    let tally = Rc::<Tally>::default();
    let (mut parts, incoming) = request.into_parts();
    let client = parts.extensions.remove::<OnUpgrade>();
    let version = parts.version;
    let finishing = response::Finishing { conn: &conn, began, tally: &tally, version };
    let Some(listener) = conn.listener(&current) else {
        return finishing.refuse(&ProxyError::new(ErrorKind::Overloaded));
    };
    let opened = open(parts, &conn, &current, listener);
    let (cx, delivery, door) = match opened {
        Ok((mut cx, mut delivery, door)) => {
            let pace =
                Pace { idle: listener.spec.timeouts.body_idle, min_rate: listener.spec.limits.body_min_rate };
            // The body of an extended CONNECT is the tunnel itself.
            if delivery.upgrade.is_none() {
                delivery.body = RequestBody::new(incoming, pace, &tally);
            }
            websocket::complete(&mut cx, &conn.worker.env, delivery.upgrade.as_ref());
            (cx, delivery, door)
        }
        Err(error) => {
            report(&error, None);
            return finishing.refuse(&error);
        }
    };
    let env = ExchangeEnv {
        worker: Rc::clone(&conn.worker),
        client_ip: cx.client_ip(),
        connection: Rc::clone(&conn.connection),
        current: current.clone(),
    };
    let protocol = delivery.upgrade.clone();
    let mut passed = Passed::new();
    let (cx, mut served) = run(cx, delivery, door, listener, &current, &env, &mut passed).await;
    // What failed on the client's side is told as that, whatever the upstream made of it.
    if let Some(kind) = tally.failed.get().filter(|_| served.error.is_some()) {
        served = ProxyError::new(kind).into();
    }
    finishing.respond(cx, served, &passed, &env, client.zip(protocol)).await
}

/// From hyper's head to a context at the right door.
fn open(
    parts: Parts,
    conn: &ConnCx,
    current: &Current,
    listener: &ListenerNode,
) -> Result<(RequestContext, Delivery, Door), ProxyError> {
    // hyper's own bound is for HTTP/1, and higher than most.
    if parts.headers.len() > listener.spec.limits.headers as usize {
        return Err(ProxyError::new(ErrorKind::HeadTooLarge));
    }
    let mut intake = intake::take_in(parts, &listener.spec)?;
    let goes_on = max_forwards::count(&intake.head.method, &mut intake.head.headers);
    let connection = &conn.connection;
    let peer = connection.peer.map_or(LOCAL, |peer| peer.ip());
    let headers = &mut intake.head.headers;
    let client = forwarded::client(headers, peer, connection.tls.is_some(), &listener.spec.trusted_proxies);
    let port = connection.local.map(|local| local.port());
    forwarded::tell(headers, &conn.told, client, peer, &intake.host, port, intake.head.version);
    let cx = RequestContext::new(intake.head, Rc::clone(connection), client.ip, client.scheme);
    let door = match door::open(current, conn, listener, &cx)? {
        Door::Route(_) if !goes_on => Door::Reply(max_forwards::answer(cx.method())?),
        door => door,
    };
    let delivery = Delivery {
        host: intake.host,
        upgrade: intake.upgrade,
        trailers: intake.trailers,
        expects: intake.expects,
        keep_head: true,
        body: RequestBody::from_memory(bytes::Bytes::new()),
    };
    Ok((cx, delivery, door))
}

/// What a unix socket's peer counts as.
const LOCAL: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The listener's middlewares, then what the door said.
async fn run<'g>(
    cx: RequestContext,
    delivery: Delivery,
    door: Door,
    listener: &'g ListenerNode,
    current: &'g Current,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> (RequestContext, Served) {
    let (cx, verdict) = pass(&listener.stack, cx, env, passed).await;
    match (verdict, door) {
        (Verdict::Pass, Door::Reply(reply)) => (cx, reply.into()),
        (Verdict::Pass, Door::Error(error)) => (cx, error.into()),
        (Verdict::Pass, Door::Route(id)) => match current.graph().route(id) {
            Some(route) => routed(cx, delivery, route, current, env, passed).await,
            None => (cx, ProxyError::new(ErrorKind::Internal).into()),
        },
        (verdict, _) => decided(cx, delivery, verdict, env).await,
    }
}

/// The route's middlewares, then its service's, split by split.
async fn routed<'g>(
    mut cx: RequestContext,
    mut delivery: Delivery,
    route: &'g RouteNode,
    current: &'g Current,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> (RequestContext, Served) {
    let graph = current.graph();
    if let Some(site) = graph.site(route.site) {
        cx.set_route(&site.label, &route.label);
    }
    let mut choice = Choice::default();
    let mut id = route.service;
    let (mut cx, mut verdict) = pass(&route.stack, cx, env, passed).await;
    while let Verdict::Pass = verdict {
        let Some(node) = graph.service(id) else {
            return (cx, ProxyError::new(ErrorKind::Unconfigured).into());
        };
        (cx, verdict) = pass(&node.stack, cx, env, passed).await;
        if !matches!(verdict, Verdict::Pass) {
            break;
        }
        match choice.step(env, node, &cx) {
            Ok(Some(below)) => id = below,
            Ok(None) => {
                delivery.keep_head = !passed.is_empty() || env.worker.logs_fields();
                let served = service::deliver(env, node, &mut cx, delivery, choice).await;
                let served = or_report(served, &cx);
                return (cx, served);
            }
            Err(error) => return (cx, error.into()),
        }
    }
    decided(cx, delivery, verdict, env).await
}

/// Runs a stack, at no cost when it is empty.
async fn pass<'g>(
    stack: &'g Stack,
    cx: RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> (RequestContext, Verdict) {
    if stack.is_empty() {
        return (cx, Verdict::Pass);
    }
    inward(stack, cx, env, passed).await
}

/// What a middleware decided in place of the service.
async fn decided(
    cx: RequestContext,
    delivery: Delivery,
    verdict: Verdict,
    env: &ExchangeEnv,
) -> (RequestContext, Served) {
    match verdict {
        Verdict::Reply(reply) => (cx, (*reply).into()),
        Verdict::Dispatch(dispatch) => Box::pin(dispatched(cx, delivery, &dispatch, env)).await,
        Verdict::Pass => (cx, ProxyError::new(ErrorKind::Internal).into()),
    }
}

/// Another service in place of the route's, as a middleware said.
async fn dispatched(
    mut cx: RequestContext,
    delivery: Delivery,
    dispatch: &Dispatch,
    env: &ExchangeEnv,
) -> (RequestContext, Served) {
    let served = match env.current.graph().service_id(&dispatch.service) {
        Some(id) => to_service(&mut cx, delivery, id, dispatch, env).await,
        None => Err(ProxyError::new(ErrorKind::Unconfigured)),
    };
    let served = or_report(served, &cx);
    (cx, served)
}

async fn to_service(
    cx: &mut RequestContext,
    delivery: Delivery,
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
type Change = Option<(OnUpgrade, HeaderValue)>;

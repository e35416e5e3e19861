//! From what a service said to the response that hyper sends: middlewares outward, a change of protocol, the end of
//! the connection, and what is counted when all is over.

use super::env::ExchangeEnv;
use super::finish::Finish;
use super::request_body::{RequestBody, Tally};
use super::response_body::{ResponseBody, ResponseSource};
use super::service::{self, Delivery, Served};
use super::stack::{Passed, Verdict, outward};
use super::tunnel::{self, Tunnel};
use super::{Change, or_report, websocket};
use crate::cx::ConnCx;
use crate::metrics::Protocol;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Version};
use pn_core::context::RequestHead;
use pn_core::{BodyFilter, Dispatch, ErrorKind, ProxyError, Reply, RequestContext, ResponseContext};
use std::rc::Rc;

/// What every end of an exchange needs.
pub(crate) struct Finishing<'a> {
    pub(crate) conn: &'a Rc<ConnCx>,
    pub(crate) began: u64,
    pub(crate) tally: &'a Rc<Tally>,
    pub(crate) version: Version,
}

impl Finishing<'_> {
    /// A request that got no further than the door.
    pub(crate) fn refuse(&self, error: &ProxyError) -> http::Response<ResponseBody> {
        let served = Served { error: Some(error.kind), ..error.to_reply().into() };
        let finish = self.finish(None, &served, Protocol::Http);
        self.build(served.status, served.headers, served.source, Vec::new(), served.close, finish)
    }

    /// The response, and with it the end of the exchange.
    pub(crate) async fn respond(
        &self,
        cx: RequestContext,
        served: Served,
        passed: &Passed<'_>,
        env: &ExchangeEnv,
        change: Change,
    ) -> http::Response<ResponseBody> {
        let (cx, mut served, filters) = match passed.is_empty() {
            true => (cx, served, Vec::new()),
            false => run_outward(cx, served, passed, env).await,
        };
        let close = served.close || self.conn.closes() || self.tally.failed.get().is_some();
        let upstream = served.upgrade.take();
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(upstream)) = (served.status, upstream) {
            return match change {
                Some((client, protocol)) => self.switch(cx, served, Tunnel { client, upstream }, &protocol),
                None => self.refuse(&ProxyError::new(ErrorKind::UpgradeFailed)),
            };
        }
        let protocol = protocol_of(&served.headers);
        let mut finish = self.finish(Some(cx), &served, protocol);
        finish.answered = served.answered;
        self.build(served.status, served.headers, served.source, filters, close, finish)
    }

    /// The protocol changes: the exchange lasts as long as the tunnel.
    fn switch(
        &self,
        cx: RequestContext,
        mut served: Served,
        tunnel: Tunnel,
        protocol: &HeaderValue,
    ) -> http::Response<ResponseBody> {
        let status = tunnel::accept(self.version, protocol, &mut served.headers);
        websocket::forget_key(self.version, &mut served.headers);
        let mut finish = self.finish(Some(cx), &served, Protocol::Websocket);
        finish.answered = served.answered;
        tunnel.open(Rc::clone(self.conn), finish);
        let mut response = http::Response::new(ResponseBody::silent());
        *response.status_mut() = status;
        *response.headers_mut() = served.headers;
        response
    }

    fn finish(&self, cx: Option<RequestContext>, served: &Served, protocol: Protocol) -> Finish {
        Finish {
            conn: Rc::clone(self.conn),
            cx,
            began: self.began,
            status: served.status,
            protocol,
            tally: Rc::clone(self.tally),
            answered: None,
            error: served.error,
            sent: 0,
            done: false,
        }
    }

    fn build(
        &self,
        status: StatusCode,
        mut headers: HeaderMap,
        source: ResponseSource,
        filters: Vec<Box<dyn BodyFilter>>,
        close: bool,
        finish: Finish,
    ) -> http::Response<ResponseBody> {
        if close {
            self.conn.close();
            if self.version != Version::HTTP_2 {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        let mut response = http::Response::new(ResponseBody::new(source, filters, finish));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

type Outward = (RequestContext, Served, Vec<Box<dyn BodyFilter>>);

/// Runs what the request passed, in reverse.
async fn run_outward(cx: RequestContext, served: Served, passed: &Passed<'_>, env: &ExchangeEnv) -> Outward {
    let size = served.source.size();
    let mut rest = Served { headers: HeaderMap::new(), ..served };
    let mut context = ResponseContext::new(cx, rest.status, served.headers, size, rest.error);
    for middleware in passed.iter().rev() {
        let (after, verdict) = outward(middleware, context, env).await;
        context = after;
        match verdict {
            Verdict::Pass => {}
            Verdict::Reply(reply) => rest = replace(&mut context, rest, *reply),
            Verdict::Dispatch(dispatch) => rest = Box::pin(fetch(&mut context, rest, &dispatch, env)).await,
        }
    }
    let (cx, status, headers, filters) = context.into_parts();
    (cx, Served { status, headers, ..rest }, filters)
}

fn replace(context: &mut ResponseContext, rest: Served, reply: Reply) -> Served {
    let size = Some(reply.body.len() as u64);
    context.replace(reply.status, reply.headers, size);
    let close = rest.close || reply.close;
    Served { source: ResponseSource::Memory(reply.body), upgrade: None, close, ..rest }
}

/// The answer of another service in place of the response: a page for an error.
async fn fetch(
    context: &mut ResponseContext,
    rest: Served,
    dispatch: &Dispatch,
    env: &ExchangeEnv,
) -> Served {
    let mut cx = page_request(context.request(), dispatch, env);
    let host =
        HeaderValue::from_str(context.request().host()).unwrap_or_else(|_| HeaderValue::from_static(""));
    let body = RequestBody::from_memory(bytes::Bytes::new());
    let delivery = Delivery { host, upgrade: None, trailers: false, expects: false, keep_head: false, body };
    let page = match env.current.graph().service_id(&dispatch.service) {
        Some(id) => service::ask(env, id, &mut cx, delivery).await,
        None => Err(ProxyError::new(ErrorKind::Unconfigured)),
    };
    let page = or_report(page, &cx);
    if page.error.is_some() {
        // No page: the response stays what it was.
        return rest;
    }
    context.replace(dispatch.status.unwrap_or(page.status), page.headers, page.source.size());
    Served { source: page.source, answered: page.answered, upgrade: None, ..rest }
}

/// A GET without the client's credentials: a page for everybody.
fn page_request(request: &RequestContext, dispatch: &Dispatch, env: &ExchangeEnv) -> RequestContext {
    let target = dispatch.path_and_query.as_deref().unwrap_or("/");
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.into())));
    let mut headers = HeaderMap::new();
    for name in [http::header::ACCEPT, http::header::ACCEPT_LANGUAGE] {
        if let Some(value) = request.header(&name) {
            headers.insert(name, value.clone());
        }
    }
    let head = RequestHead {
        method: Method::GET,
        host: request.host().into(),
        port: request.port(),
        path: path.into(),
        query,
        version: Version::HTTP_11,
        headers,
    };
    RequestContext::new(head, Rc::clone(&env.connection), env.client_ip, request.scheme())
}

fn protocol_of(headers: &HeaderMap) -> Protocol {
    match headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) {
        Some(kind) if kind.starts_with(b"text/event-stream") => Protocol::Sse,
        _ => Protocol::Http,
    }
}

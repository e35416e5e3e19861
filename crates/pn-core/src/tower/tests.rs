//! Both adapters, against each other: a layer mounted as a middleware, put before a service as a layer again.

use super::{MiddlewareLayer, Mounted, respond};
use crate::context::{Connection, RequestContext, RequestHead, ResponseContext, Scheme};
use crate::error::ProxyError;
use crate::middleware::{Call, Env, LocalFuture, Middleware};
use crate::reply::Reply;
use ::tower::{Layer, Service};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Version};
use pn_model::ServiceName;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SEEN: HeaderName = HeaderName::from_static("x-seen");

/// A layer in Tower's own manner: marks the request, refuses `/no`, marks the response.
#[derive(Clone)]
struct Mark;

#[derive(Clone)]
struct Marked<S>(S);

impl<S> Layer<S> for Mark {
    type Service = Marked<S>;
    fn layer(&self, inner: S) -> Marked<S> {
        Marked(inner)
    }
}

type Answer = Result<ResponseContext, ProxyError>;

impl<S> Service<RequestContext> for Marked<S>
where
    S: Service<RequestContext, Response = ResponseContext, Error = ProxyError>,
    S::Future: 'static,
{
    type Response = ResponseContext;
    type Error = ProxyError;
    type Future = LocalFuture<'static, Answer>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: RequestContext) -> Self::Future {
        if request.path() == "/no" {
            return Box::pin(std::future::ready(Ok(respond(
                request,
                Reply::text(StatusCode::FORBIDDEN, "no"),
            ))));
        }
        request.set_header(SEEN, HeaderValue::from_static("in"));
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            response.add_header(SEEN, HeaderValue::from_static("out"));
            Ok(response)
        })
    }
}

/// Answers 200 and says what it was given.
#[derive(Clone)]
struct Origin;

impl Service<RequestContext> for Origin {
    type Response = ResponseContext;
    type Error = ProxyError;
    type Future = LocalFuture<'static, Answer>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestContext) -> Self::Future {
        let mut headers = HeaderMap::new();
        headers.extend(request.header(&SEEN).map(|seen| (SEEN, seen.to_header())));
        Box::pin(std::future::ready(Ok(ResponseContext::new(
            request,
            StatusCode::OK,
            headers,
            Some(0),
            None,
        ))))
    }
}

struct NoEnv;

impl Env for NoEnv {
    fn now(&self) -> u64 {
        1
    }
    fn wall_clock(&self) -> Duration {
        Duration::ZERO
    }
    fn random(&self) -> u64 {
        4
    }
    fn sleep(&self, _duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<'static, Option<()>> {
        job();
        Box::pin(std::future::ready(Some(())))
    }
    fn call(&self, _service: &ServiceName, call: Call) -> LocalFuture<'static, Result<Reply, ProxyError>> {
        Box::pin(std::future::ready(Ok(Reply::new(StatusCode::OK).with_body(call.body))))
    }
}

fn request(path: &str) -> RequestContext {
    let head = RequestHead {
        method: Method::GET,
        host: "a.example".into(),
        port: None,
        path: path.into(),
        query: None,
        version: Version::HTTP_11,
        headers: crate::context::FieldList::new(),
    };
    let connection = Connection { listener: "web".into(), peer: None, local: None, tls: None };
    RequestContext::new(head, Rc::new(connection), IpAddr::V4(Ipv4Addr::LOCALHOST), Scheme::Http)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[track_caller]
fn check(path: &str, status: StatusCode, seen: &[&str]) {
    let mounted: Arc<dyn Middleware> = Arc::new(Mounted::new(Mark));
    let mut service = MiddlewareLayer::new(mounted, Rc::new(NoEnv)).layer(Origin);
    let response = run(service.call(request(path))).unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(response.header_all(&SEEN).collect::<Vec<_>>(), seen);
    assert_eq!(response.request().path(), path, "the context comes back");
}

#[test]
fn a_layer_works_the_same_as_a_middleware() {
    check("/yes", StatusCode::OK, &["in", "out"]);
    check("/no", StatusCode::FORBIDDEN, &[]);
}

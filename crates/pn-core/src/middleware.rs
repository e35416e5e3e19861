//! Middlewares: the extension boundary. A middleware sees contexts and an environment, never a connection, a buffer
//! or the configuration. Native ones and plugins go through this trait alone.

use crate::context::{RequestContext, ResponseContext};
use crate::error::ProxyError;
use crate::reply::Reply;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use pn_model::ServiceName;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future of one worker, not `Send`.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The middlewares of a listener, a route or a service, in the order in which requests meet them. Built by
/// `compile()`, never per request.
pub type Stack = Box<[Stacked]>;

/// A middleware in its place, and what need not be asked of it for each request.
#[derive(Debug, Clone)]
pub struct Stacked {
    pub middleware: Arc<dyn Middleware>,
    /// Its `on_response` is to be called.
    pub hears_responses: bool,
}

impl From<Arc<dyn Middleware>> for Stacked {
    fn from(middleware: Arc<dyn Middleware>) -> Self {
        Self { hears_responses: middleware.hears_responses(), middleware }
    }
}

/// One middleware of a graph, shared by every request and worker.
///
/// `on_request` runs on the way in, in the order of the stack; `on_response` on the way out, in reverse, for those
/// whose `on_request` said `Continue`. Both are called on the worker's thread and must not block.
pub trait Middleware: Send + Sync + Debug {
    fn on_request(&self, cx: &mut RequestContext, env: &dyn Env) -> Flow {
        let _ = (cx, env);
        Flow::Continue
    }

    /// Whether `on_response` does anything. Asked once, when the graph is built; a request whose middlewares all say no
    /// has no way out to go.
    fn hears_responses(&self) -> bool {
        true
    }

    fn on_response(&self, cx: &mut ResponseContext, env: &dyn Env) -> Flow {
        let _ = (cx, env);
        Flow::Continue
    }

    /// Called after `on_request` said `Await`: takes the context and gives it back with what is to be done.
    fn resume_request<'a>(
        &'a self,
        cx: RequestContext,
        env: &'a dyn Env,
    ) -> LocalFuture<'a, (RequestContext, Flow)> {
        let _ = env;
        Box::pin(std::future::ready((cx, Flow::Continue)))
    }

    /// Called after `on_response` said `Await`.
    fn resume_response<'a>(
        &'a self,
        cx: ResponseContext,
        env: &'a dyn Env,
    ) -> LocalFuture<'a, (ResponseContext, Flow)> {
        let _ = env;
        Box::pin(std::future::ready((cx, Flow::Continue)))
    }
}

/// What happens next.
#[derive(Debug)]
pub enum Flow {
    Continue,
    /// This is the response. On the way in, nothing further of the stack nor the service sees the request.
    Respond(Box<Reply>),
    /// Ask this service. On the way in instead of the route's own; on the way out its answer replaces the response.
    Dispatch(Box<Dispatch>),
    /// Call the async twin. From a twin itself it means `Continue`.
    Await,
    /// On the way out, asked once a response: call `on_response` again when the body has ended, or so many bytes of it are
    /// there, or it keeps them waiting. `ResponseContext::body_size` is known then where the body has ended. Anywhere else
    /// it means `Continue`.
    Gather(u64),
}

/// A request to another service in place of the one at hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    pub service: ServiceName,
    /// `None`: as it is. On the way out the request is a GET without a body.
    pub path_and_query: Option<String>,
    /// The status that the client sees, whatever the service says. `None`: the service's.
    pub status: Option<StatusCode>,
}

/// What a middleware may ask of the worker it runs on.
pub trait Env {
    /// Nanoseconds since an arbitrary moment before the process began; never goes back.
    fn now(&self) -> u64;

    /// Time since the Unix epoch.
    fn wall_clock(&self) -> Duration;

    /// Not for secrets.
    fn random(&self) -> u64;

    fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()>;

    /// Runs a job that would hold up the worker (a password hash) on one of a bounded number of threads. `None` when
    /// too many jobs wait already.
    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<'static, Option<()>>;

    /// Asks a service of the graph, with a response body of at most `limits::SYNTHETIC_BODY_BYTES`.
    fn call(&self, service: &ServiceName, request: Call) -> LocalFuture<'static, Result<Reply, ProxyError>>;
}

/// A request of a middleware's own.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub host: String,
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

//! A middleware as a `tower::Layer`.

use super::respond;
use crate::context::{RequestContext, ResponseContext};
use crate::error::ProxyError;
use crate::middleware::{Env, Flow, LocalFuture, Middleware};
use ::tower::{Layer, Service};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Puts a middleware before a service over contexts. A `Dispatch` is left in the request's extensions for the inner
/// service to follow, or replaces nothing when the response was made already.
#[derive(Clone)]
pub struct MiddlewareLayer {
    middleware: Arc<dyn Middleware>,
    env: Rc<dyn Env>,
}

impl MiddlewareLayer {
    pub fn new(middleware: Arc<dyn Middleware>, env: Rc<dyn Env>) -> Self {
        Self { middleware, env }
    }
}

impl<S> Layer<S> for MiddlewareLayer {
    type Service = MiddlewareService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MiddlewareService { layer: self.clone(), inner }
    }
}

/// What the layer makes of a service.
#[derive(Debug, Clone)]
pub struct MiddlewareService<S> {
    layer: MiddlewareLayer,
    inner: S,
}

impl<S> Service<RequestContext> for MiddlewareService<S>
where
    S: Service<RequestContext, Response = ResponseContext, Error = ProxyError> + Clone + 'static,
{
    type Response = ResponseContext;
    type Error = ProxyError;
    type Future = LocalFuture<'static, Result<ResponseContext, ProxyError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: RequestContext) -> Self::Future {
        let layer = self.layer.clone();
        // The clone stays behind, so that the service that was made ready is the one that is called.
        let inner = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, inner);
        Box::pin(async move {
            let (middleware, env) = (&*layer.middleware, &*layer.env);
            let mut flow = middleware.on_request(&mut request, env);
            if matches!(flow, Flow::Await) {
                (request, flow) = middleware.resume_request(request, env).await;
            }
            match flow {
                Flow::Respond(reply) => return Ok(respond(request, *reply)),
                Flow::Dispatch(dispatch) => drop(request.extensions_mut().insert(*dispatch)),
                Flow::Continue | Flow::Await | Flow::Gather(_) => {}
            }
            outward(middleware, env, inner.call(request).await?).await
        })
    }
}

async fn outward(
    middleware: &dyn Middleware,
    env: &dyn Env,
    mut response: ResponseContext,
) -> Result<ResponseContext, ProxyError> {
    let mut flow = middleware.on_response(&mut response, env);
    if matches!(flow, Flow::Gather(_)) {
        // The body is out of reach here.
        let size = response.body_size();
        response.set_gathered(size);
        flow = middleware.on_response(&mut response, env);
    }
    if matches!(flow, Flow::Await) {
        (response, flow) = middleware.resume_response(response, env).await;
    }
    match flow {
        Flow::Respond(reply) => {
            let (request, ..) = response.into_parts();
            Ok(respond(*request, *reply))
        }
        Flow::Dispatch(dispatch) => {
            response.extensions_mut().insert(*dispatch);
            Ok(response)
        }
        Flow::Continue | Flow::Await | Flow::Gather(_) => Ok(response),
    }
}

impl fmt::Debug for MiddlewareLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MiddlewareLayer({:?})", self.middleware)
    }
}

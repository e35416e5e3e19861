//! A `tower::Layer` over contexts, mounted as a middleware. The layer's future is paused where it calls the service
//! within, while the rest of the graph's stack and the real service take their turn.

use super::MadeBody;
use crate::context::{FieldList, RequestContext, ResponseContext};
use crate::error::{ErrorKind, ProxyError};
use crate::middleware::{Env, Flow, LocalFuture, Middleware};
use crate::reply::Reply;
use ::tower::{Layer, Service};
use http::StatusCode;
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

type Answer = Result<ResponseContext, ProxyError>;

/// The service within a mounted layer: stands for all that comes after it.
#[derive(Clone, Default)]
pub struct Inner(Rc<RefCell<Exchange>>);

/// What passes between the paused layer and the graph.
#[derive(Default)]
struct Exchange {
    request: Option<RequestContext>,
    response: Option<ResponseContext>,
}

/// A layer as a middleware.
pub struct Mounted<L>(L);

impl<L> Mounted<L> {
    pub fn new(layer: L) -> Self {
        Self(layer)
    }
}

impl Service<RequestContext> for Inner {
    type Response = ResponseContext;
    type Error = ProxyError;
    type Future = LocalFuture<'static, Answer>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestContext) -> Self::Future {
        let exchange = Rc::clone(&self.0);
        exchange.borrow_mut().request = Some(request);
        // The middleware polls again once it has put the response there; nobody else needs to wake it.
        Box::pin(poll_fn(move |_| match exchange.borrow_mut().response.take() {
            Some(response) => Poll::Ready(Ok(response)),
            None => Poll::Pending,
        }))
    }
}

/// A layer that waits inside its service, in the request's extensions until the response comes.
struct Paused {
    exchange: Inner,
    future: LocalFuture<'static, Answer>,
}

impl<L> Middleware for Mounted<L>
where
    L: Layer<Inner> + Send + Sync,
    L::Service: Service<RequestContext, Response = ResponseContext, Error = ProxyError> + 'static,
    <L::Service as Service<RequestContext>>::Future: 'static,
{
    fn on_request(&self, _cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        Flow::Await
    }

    fn on_response(&self, cx: &mut ResponseContext, _env: &dyn Env) -> Flow {
        if cx.request().extensions().get::<Paused>().is_some() { Flow::Await } else { Flow::Continue }
    }

    fn resume_request<'a>(
        &'a self,
        cx: RequestContext,
        _env: &'a dyn Env,
    ) -> LocalFuture<'a, (RequestContext, Flow)> {
        Box::pin(async move {
            let exchange = Inner::default();
            let mut service = self.0.layer(exchange.clone());
            let mut future: LocalFuture<'static, Answer> = Box::pin(async move {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                service.call(cx).await
            });
            // Until the layer calls the service within, or answers by itself.
            let early = poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if exchange.0.borrow().request.is_some() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match early.await {
                Some(answer) => answered(answer),
                None => {
                    let request = exchange.0.borrow_mut().request.take();
                    // It is there: that is what ended the wait.
                    let Some(mut request) = request else { return lost() };
                    request.extensions_mut().insert(Paused { exchange, future });
                    (request, Flow::Continue)
                }
            }
        })
    }

    fn resume_response<'a>(
        &'a self,
        mut cx: ResponseContext,
        _env: &'a dyn Env,
    ) -> LocalFuture<'a, (ResponseContext, Flow)> {
        Box::pin(async move {
            let Some(paused) = cx.extensions_mut().remove::<Paused>() else { return (cx, Flow::Continue) };
            paused.exchange.0.borrow_mut().response = Some(cx);
            match paused.future.await {
                Ok(mut response) => {
                    let made = response.extensions_mut().remove::<MadeBody>();
                    let flow =
                        made.map_or(Flow::Continue, |body| Flow::Respond(Box::new(reply(&response, body))));
                    (response, flow)
                }
                Err(error) => failed(&error),
            }
        })
    }
}

/// The layer answered without asking the service within.
fn answered(answer: Answer) -> (RequestContext, Flow) {
    match answer {
        Ok(mut response) => {
            let body =
                response.extensions_mut().remove::<MadeBody>().unwrap_or(MadeBody(bytes::Bytes::new()));
            let reply = reply(&response, body);
            let (request, ..) = response.into_parts();
            (*request, Flow::Respond(Box::new(reply)))
        }
        Err(error) => (RequestContext::lost(), Flow::Respond(Box::new(error.to_reply()))),
    }
}

fn reply(response: &ResponseContext, body: MadeBody) -> Reply {
    let mut reply = Reply::new(response.status()).with_body(body.0);
    reply.headers.extend(response.fields().to_map());
    reply
}

fn lost() -> (RequestContext, Flow) {
    let reply = ProxyError::new(ErrorKind::Internal).to_reply();
    (RequestContext::lost(), Flow::Respond(Box::new(reply)))
}

/// A layer that fails keeps the context that it was given; the exchange goes on with an empty one.
fn failed(error: &ProxyError) -> (ResponseContext, Flow) {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let context =
        ResponseContext::new(RequestContext::lost(), status, FieldList::new(), None, Some(error.kind));
    (context, Flow::Respond(Box::new(error.to_reply())))
}

impl<L> fmt::Debug for Mounted<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mounted")
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner")
    }
}

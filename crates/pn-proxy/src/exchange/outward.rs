//! Running middlewares outward: in reverse, those that let the request through. What they all decide at once costs a
//! call each; the first that waits, or asks for another service, goes on in a future of its own with those behind it.

use super::env::ExchangeEnv;
use super::or_report;
use super::request_body::RequestBody;
use super::response_body::ResponseSource;
use super::service::{self, Delivery, Served};
use super::stack::Passed;
use http::header::HeaderValue;
use http::{Method, Version};
use pn_core::context::{FieldList, RequestHead};
use pn_core::{
    BodyFilter, Dispatch, Env, ErrorKind, Flow, Middleware, ProxyError, Reply, RequestContext,
    ResponseContext, Stacked,
};
use std::rc::Rc;
use std::sync::Arc;

/// The request, and the filters of the response's body.
pub(crate) type Outcome = (Box<RequestContext>, Filters);

pub(crate) type Filters = Vec<Box<dyn BodyFilter>>;

/// A response on its way outward.
struct Outward<'s> {
    context: ResponseContext,
    /// All of the response that its context does not hold.
    rest: &'s mut Served,
}

/// A middleware that is not done at once.
struct Pause<'g> {
    middleware: &'g Arc<dyn Middleware>,
    flow: Flow,
}

/// Runs what the request passed, in reverse.
pub(crate) async fn run(
    cx: Box<RequestContext>,
    served: &mut Served,
    mut passed: Passed<'_>,
    env: &ExchangeEnv,
) -> Outcome {
    let mut outward = Outward::new(cx, served);
    match outward.go(&mut passed, env) {
        None => outward.finish(),
        Some(pause) => Box::pin(outward.go_on(passed, pause, env)).await,
    }
}

impl<'s> Outward<'s> {
    fn new(cx: Box<RequestContext>, served: &'s mut Served) -> Self {
        let headers = std::mem::take(&mut served.headers);
        let size = served.source.size();
        Self { context: ResponseContext::new(cx, served.status, headers, size, served.error), rest: served }
    }

    fn finish(self) -> Outcome {
        let (cx, status, headers, filters) = self.context.into_parts();
        (self.rest.status, self.rest.headers) = (status, headers);
        (cx, filters)
    }

    /// Runs what is left of them as far as each is done at once.
    fn go<'g>(&mut self, passed: &mut Passed<'g>, env: &ExchangeEnv) -> Option<Pause<'g>> {
        while let Some(mut stack) = passed.pop() {
            while let [before @ .., Stacked { middleware, hears_responses }] = stack {
                stack = before;
                if !hears_responses {
                    continue;
                }
                let flow = middleware.on_response(&mut self.context, env as &dyn Env);
                if matches!(flow, Flow::Continue) {
                    continue;
                }
                if let Some(flow) = self.heed(flow) {
                    passed.add(before);
                    return Some(Pause { middleware, flow });
                }
            }
        }
        None
    }

    /// Does what can be done at once, and gives back what cannot. Apart, as most want neither.
    #[cold]
    fn heed(&mut self, flow: Flow) -> Option<Flow> {
        match flow {
            Flow::Continue => None,
            Flow::Respond(reply) => {
                self.replace(*reply);
                None
            }
            Flow::Await | Flow::Dispatch(_) | Flow::Gather(_) => Some(flow),
        }
    }

    async fn go_on(mut self, mut passed: Passed<'_>, pause: Pause<'_>, env: &ExchangeEnv) -> Outcome {
        let mut next = Some(pause);
        while let Some(Pause { middleware, mut flow }) = next {
            if let Flow::Gather(bytes) = flow {
                let size = self.rest.source.gather(bytes).await;
                self.context.set_gathered(size);
                flow = middleware.on_response(&mut self.context, env as &dyn Env);
            }
            if let Flow::Await = flow {
                (self.context, flow) = middleware.resume_response(self.context, env).await;
            }
            match flow {
                Flow::Continue | Flow::Await | Flow::Gather(_) => {}
                Flow::Respond(reply) => self.replace(*reply),
                Flow::Dispatch(dispatch) => self.fetch(&dispatch, env).await,
            }
            next = self.go(&mut passed, env);
        }
        self.finish()
    }

    fn replace(&mut self, reply: Reply) {
        let size = Some(reply.body.len() as u64);
        self.context.replace(reply.status, reply.headers, size);
        self.rest.close |= reply.close;
        self.rest.source = ResponseSource::Memory(reply.body);
        self.rest.upgrade = None;
    }

    /// The answer of another service in place of the response: a page for an error.
    async fn fetch(&mut self, dispatch: &Dispatch, env: &ExchangeEnv) {
        let request = self.context.request();
        let mut cx = page_request(request, dispatch, env);
        let host = HeaderValue::from_str(request.host()).unwrap_or_else(|_| HeaderValue::from_static(""));
        let mut delivery = Delivery::new(host, RequestBody::from_memory(bytes::Bytes::new()));
        let page = match env.current.graph().service_id(&dispatch.service) {
            Some(id) => service::ask(env, id, &mut cx, &mut delivery).await,
            None => Err(ProxyError::new(ErrorKind::Unconfigured)),
        };
        let page = or_report(page, &cx);
        // No page: the response stays what it was.
        if page.error.is_none() {
            self.context.replace(dispatch.status.unwrap_or(page.status), page.headers, page.source.size());
            self.rest.source = page.source;
            self.rest.answered = page.answered;
            self.rest.upgrade = None;
        }
    }
}

/// A GET without the client's credentials: a page for everybody.
fn page_request(request: &RequestContext, dispatch: &Dispatch, env: &ExchangeEnv) -> RequestContext {
    let target = dispatch.path_and_query.as_deref().unwrap_or("/");
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.into())));
    let mut headers = FieldList::new();
    for name in [http::header::ACCEPT, http::header::ACCEPT_LANGUAGE] {
        if let Some(value) = request.header(&name) {
            headers.insert(&name, value);
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

//! A graph of one route with one middleware, and requests through its stack without a proxy around it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use pn_core::context::{Connection, FieldValue, RequestHead, Scheme};
use pn_core::middleware::Call;
use pn_core::tls::{ClientIdentity, PolicyId, TlsInfo};
use pn_core::{
    BodySink, Env, Factories, Flow, GraphPublisher, LocalFuture, Middleware, Prepared, ProxyError, Reply,
    RequestContext, ResponseContext, RouterGraph, StateRegistry, compile,
};
use pn_middleware::register;
use pn_model::path::PathPattern;
use pn_model::rule::Conditions;
use pn_model::service::Respond;
use pn_model::site::{CertificateSource, HttpsMode, RouteMatch};
use pn_model::{
    HostPattern, Middleware as Spec, MiddlewareKind, Model, NodePath, Route, Service, ServiceKind, Site,
};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) struct Rig {
    publisher: GraphPublisher,
    state: StateRegistry,
    clock: Rc<Cell<u64>>,
    /// Who the client of the next requests is, over TLS.
    client: Option<Arc<ClientIdentity>>,
}

/// A request behind the stack, or the reply in its place.
#[derive(Debug)]
pub(crate) struct Outcome {
    cx: Option<RequestContext>,
    reply: Option<Box<Reply>>,
}

impl Rig {
    pub(crate) fn new(kind: MiddlewareKind) -> Self {
        let rig = Self {
            publisher: GraphPublisher::new().0,
            state: StateRegistry::default(),
            clock: Rc::default(),
            client: None,
        };
        rig.clock.set(1_000_000_000_000);
        rig.reload(kind)
    }

    /// The same process with another configuration.
    pub(crate) fn reload(mut self, kind: MiddlewareKind) -> Self {
        let graph = graph(kind, &self.state).unwrap_or_else(|error| panic!("{error}"));
        self.publisher.commit(graph, Prepared::new(Arc::new(())));
        self
    }

    /// What compiling says.
    pub(crate) fn fails(kind: MiddlewareKind) -> String {
        graph(kind, &StateRegistry::default()).err().unwrap_or_else(|| panic!("it compiled"))
    }

    pub(crate) fn over_tls(mut self, client: ClientIdentity) -> Self {
        self.client = Some(Arc::new(client));
        self
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.set(self.clock.get() + u64::try_from(duration.as_nanos()).unwrap());
    }

    pub(crate) fn get(&self, target: &str) -> Outcome {
        self.request("GET", target, &[])
    }

    pub(crate) fn request(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Outcome {
        let mut cx = context(method, target, fields, self.client.clone());
        let env = TestEnv(Rc::clone(&self.clock));
        let middleware = self.middleware();
        let mut flow = middleware.on_request(&mut cx, &env);
        if matches!(flow, Flow::Await) {
            (cx, flow) = run(middleware.resume_request(cx, &env));
        }
        match flow {
            Flow::Continue => Outcome { cx: Some(cx), reply: None },
            Flow::Respond(reply) => Outcome { cx: None, reply: Some(reply) },
            other => panic!("{other:?}"),
        }
    }

    /// The head of a response after the middleware, for a request that went through it.
    pub(crate) fn response(
        &self,
        outcome: &Outcome,
        status: u16,
        fields: &[(&str, &str)],
        body: &str,
    ) -> ResponseContext {
        self.outward(outcome, status, fields, Some(body.len() as u64)).0
    }

    /// The same for a body of which the size is not known beforehand, once its beginning was waited for: `ended` is its
    /// size if that was all of it. Also, for how many bytes it was to be waited.
    pub(crate) fn unsized_response(
        &self,
        outcome: &Outcome,
        fields: &[(&str, &str)],
        ended: Option<u64>,
    ) -> (Option<u64>, ResponseContext) {
        let (mut cx, flow) = self.outward(outcome, 200, fields, None);
        let Flow::Gather(bytes) = flow else { return (None, cx) };
        cx.set_gathered(ended);
        let flow = self.middleware().on_response(&mut cx, &TestEnv(Rc::clone(&self.clock)));
        assert!(matches!(flow, Flow::Continue), "{flow:?}");
        (Some(bytes), cx)
    }

    /// Service, target and status of what the middleware asks for in place of a response.
    pub(crate) fn dispatch(&self, outcome: &Outcome, status: u16) -> Option<(String, String, u16)> {
        match self.outward(outcome, status, &[], Some(0)).1 {
            Flow::Dispatch(dispatch) => Some((
                dispatch.service.to_string(),
                dispatch.path_and_query.unwrap_or_default(),
                dispatch.status.map_or(0, |status| status.as_u16()),
            )),
            _ => None,
        }
    }

    fn outward(
        &self,
        outcome: &Outcome,
        status: u16,
        fields: &[(&str, &str)],
        size: Option<u64>,
    ) -> (ResponseContext, Flow) {
        // The request as it came once more, so that one outcome serves several responses.
        let given = outcome.cx.as_ref().unwrap_or_else(|| panic!("{outcome:?}"));
        let fields_in: Vec<_> =
            given.headers().map(|(name, value)| (name, value.to_str().unwrap())).collect();
        let mut again = self.request(given.method().as_str(), given.original_path(), &fields_in);
        if let Some(again) = again.cx.as_mut().filter(|again| again.path() != given.path()) {
            again.set_path(given.path()).unwrap();
        }
        let status = StatusCode::from_u16(status).unwrap();
        let mut cx = ResponseContext::new(again.cx.unwrap(), status, map(fields), size, None);
        let flow = self.middleware().on_response(&mut cx, &TestEnv(Rc::clone(&self.clock)));
        (cx, flow)
    }

    fn middleware(&self) -> Arc<dyn Middleware> {
        Arc::clone(&self.publisher.current().graph().routes()[0].stack[0].middleware)
    }
}

impl Outcome {
    /// `None` when the request went through.
    pub(crate) fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status.as_u16())
    }

    /// As a middleware behind this one leaves it.
    pub(crate) fn with_path(mut self, path: &str) -> Self {
        self.cx.as_mut().unwrap().set_path(path).unwrap();
        self
    }

    pub(crate) fn path(&self) -> Option<&str> {
        self.cx.as_ref().map(RequestContext::path)
    }

    pub(crate) fn reply_header(&self, name: &str) -> String {
        self.reply
            .as_ref()
            .map(|reply| joined(reply.headers.get_all(name).iter().map(FieldValue::from)))
            .unwrap_or_default()
    }

    pub(crate) fn request_header(&self, name: &str) -> String {
        let name = HeaderName::try_from(name).unwrap();
        self.cx.as_ref().map(|cx| joined(cx.header_all(&name))).unwrap_or_default()
    }

    /// Sends a body through the request's one filter.
    pub(crate) fn feed(&mut self, pieces: &[&str]) -> Result<String, String> {
        let mut filters = self.cx.as_mut().unwrap().take_body_filters();
        let (mut sink, mut out) = (BodySink::default(), Vec::new());
        for piece in pieces {
            filters[0]
                .data(piece.as_bytes().to_vec().into(), &mut sink)
                .map_err(|error| error.to_string())?;
            sink.drain().for_each(|piece| out.extend_from_slice(&piece));
        }
        Ok(String::from_utf8(out).unwrap())
    }
}

pub(crate) fn header(response: &ResponseContext, name: &str) -> String {
    joined(response.header_all(&HeaderName::try_from(name).unwrap()))
}

fn joined<'a>(values: impl Iterator<Item = FieldValue<'a>>) -> String {
    values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ")
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    map
}

fn context(
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    client: Option<Arc<ClientIdentity>>,
) -> RequestContext {
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.into())));
    let head = RequestHead {
        method: Method::try_from(method).unwrap(),
        host: "a.example".into(),
        port: None,
        path: path.into(),
        query,
        version: Version::HTTP_11,
        headers: map(fields).into(),
    };
    let tls = client.map(|client| TlsInfo {
        version: "TLSv1.3",
        cipher_suite: "TLS_AES_128_GCM_SHA256",
        sni: None,
        policy: PolicyId(1),
        resumed: false,
        client: Some(client),
    });
    let connection = Connection { listener: "web".into(), peer: None, local: None, tls };
    RequestContext::new(head, Rc::new(connection), "192.0.2.7".parse().unwrap(), Scheme::Http)
}

fn graph(kind: MiddlewareKind, state: &StateRegistry) -> Result<RouterGraph, String> {
    let spec = Spec { name: "m".into(), kind, path: NodePath::of(["middlewares", "m"]) };
    let respond = |name: &str| Service {
        name: name.into(),
        kind: ServiceKind::Respond(Respond { status: 200, body: "".into(), headers: Vec::new() }),
        middlewares: Vec::new(),
        path: NodePath::of(["services", name]),
    };
    let path = NodePath::of(["sites", "a.example"]);
    let route = Route {
        name: "a.example/*".into(),
        matcher: RouteMatch::Native { path: PathPattern::any(), conditions: Conditions::default() },
        priority: 0,
        middlewares: vec!["m".into()],
        to: "s".into(),
        fall_through: false,
        path: path.clone(),
    };
    let site = Site {
        name: "a.example".into(),
        hosts: vec![HostPattern::Exact("a.example".into())],
        listeners: vec!["web".into()],
        https: HttpsMode::Off,
        certificate: CertificateSource::None,
        san_group: String::new(),
        tls_policy: None,
        routes: vec![route],
        implied: false,
        path,
    };
    let model = Model {
        sites: [("a.example".into(), site)].into(),
        services: [("s".into(), respond("s")), ("pages".into(), respond("pages"))].into(),
        middlewares: [("m".into(), spec)].into(),
        ..Model::default()
    };
    let compiled = compile(&model, &register(Factories::default()), state);
    compiled
        .map(|compiled| compiled.graph)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

struct TestEnv(Rc<Cell<u64>>);

impl Env for TestEnv {
    fn now(&self) -> u64 {
        self.0.get()
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
    fn call(
        &self,
        _service: &pn_model::ServiceName,
        call: Call,
    ) -> LocalFuture<'static, Result<Reply, ProxyError>> {
        Box::pin(std::future::ready(Ok(Reply::new(StatusCode::OK).with_body(call.body))))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

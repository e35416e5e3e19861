//! A data plane with a publisher, and a middleware on its listeners that shows what they know of a client.

use crate::{Plane, PlaneOptions};
use pn_core::{
    BuildContext, BuildError, DataPlane, Env, Factories, Flow, GraphPublisher, LocalFuture, Middleware,
    MiddlewareFactory, PrepareError, Reply, RequestContext, StateRegistry, compile,
};
use pn_model::listener::{BindAddress, ListenerLimits, ListenerTimeouts, PathMode, Protocols};
use pn_model::process::AccessLog;
use pn_model::site::{CertificateFiles, CertificateSource, HttpsMode, PemSource, Site};
use pn_model::{
    HostPattern, Listener, ListenerName, MiddlewareKind, MiddlewareName, Model, NodePath, Service, SiteName,
};
use pn_testkit::{Identity, RawClient, RawResponse};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(super) const GET: &str = "GET /facts HTTP/1.1\r\nhost: a.test\r\n\r\n";
/// Longer than any socket buffer, so that a client which does not read is noticed.
pub(super) const BIG: usize = 12 << 20;

/// A running data plane.
pub(super) struct World {
    pub(super) plane: Plane,
    publisher: GraphPublisher,
    state: StateRegistry,
    pub(super) access_log: Option<AccessLog>,
    pub(super) services: Vec<Service>,
    /// `true` lets requests for `/wait` go on.
    gate: watch::Sender<bool>,
    /// How many wait.
    waiting: Arc<std::sync::atomic::AtomicUsize>,
}

impl World {
    pub(super) fn start(workers: usize) -> Self {
        Self::start_with(PlaneOptions { workers, ..PlaneOptions::default() })
    }

    pub(super) fn start_with(options: PlaneOptions) -> Self {
        let (publisher, source) = GraphPublisher::new();
        let plane = Plane::start(options, source).unwrap();
        let (gate, waiting) = (watch::Sender::new(false), Arc::default());
        Self {
            plane,
            publisher,
            state: StateRegistry::default(),
            access_log: None,
            services: Vec::new(),
            gate,
            waiting,
        }
    }

    /// One worker and these listeners.
    pub(super) fn serving(listeners: impl IntoIterator<Item = Listener>) -> Self {
        let mut world = Self::start(1);
        world.publish(listeners, []).unwrap();
        world
    }

    pub(super) fn publish(
        &mut self,
        listeners: impl IntoIterator<Item = Listener>,
        sites: impl IntoIterator<Item = Site>,
    ) -> Result<u64, Vec<PrepareError>> {
        let mut model = Model {
            listeners: listeners.into_iter().map(|own| (own.name.clone(), own)).collect(),
            services: self.services.iter().map(|own| (own.name.clone(), own.clone())).collect(),
            sites: sites.into_iter().map(|own| (own.name.clone(), own)).collect(),
            ..Model::default()
        };
        model.logs.access.clone_from(&self.access_log);
        let name = MiddlewareName::new("probe");
        let kind = MiddlewareKind::AddPrefix(String::new());
        let probe = pn_model::Middleware { name: name.clone(), kind, path: NodePath::default() };
        model.middlewares.insert(name, probe);
        let probe = Probe { gate: self.gate.subscribe(), waiting: Arc::clone(&self.waiting) };
        let factories = Factories::default().with_middleware("add-prefix", Arc::new(probe));
        let compiled = compile(&model, &factories, &self.state).unwrap();
        let prepared = self.plane.prepare(&compiled.graph)?;
        let generation = self.publisher.commit(compiled.graph, prepared);
        self.plane.await_serving(generation);
        Ok(generation)
    }

    pub(super) fn address(&self, listener: &str) -> SocketAddr {
        self.plane.addresses(&ListenerName::new(listener))[0]
    }

    pub(super) fn connect(&self, listener: &str) -> RawClient {
        RawClient::connect(self.address(listener))
    }

    pub(super) fn ask(&self, listener: &str) -> RawResponse {
        RawClient::ask(self.address(listener), GET)
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        self.plane.meters().write(&mut text);
        text
    }

    /// Returns once so many requests for `/wait` are being served.
    pub(super) fn await_waiting(&self, count: usize) {
        let waiting = || self.waiting.load(std::sync::atomic::Ordering::SeqCst);
        pn_testkit::wait_until("requests to wait", || waiting() == count);
    }

    pub(super) fn release(&self) {
        self.gate.send_replace(true);
    }

    pub(super) fn drain(&self, at_most: Duration) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.plane.drain(at_most)).cut
    }
}

/// A plain listener for both versions on a port of the kernel's choice.
pub(super) fn listener(name: &str) -> Listener {
    Listener {
        name: ListenerName::new(name),
        addresses: vec![BindAddress::Tcp(SocketAddr::new(loopback(name).into(), 0))],
        tls: false,
        protocols: Protocols { h1: true, h2: true },
        proxy_protocol: None,
        trusted_proxies: Vec::new(),
        middlewares: vec![MiddlewareName::new("probe")],
        timeouts: ListenerTimeouts {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            keepalive_idle: Duration::from_secs(75),
            drain: Duration::from_secs(30),
        },
        limits: ListenerLimits {
            connections: 1_000,
            header_bytes: 16 << 10,
            headers: 50,
            requests_per_connection: 0,
            h2_streams: 100,
            body_min_rate: 0,
        },
        paths: PathMode::Normalise,
        path: NodePath::of(["listeners", name]),
    }
}

/// Each listener has an address of its own: with port 0 two on one address would be the same to a graph.
fn loopback(name: &str) -> std::net::Ipv4Addr {
    let sum = name.bytes().fold(1, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte));
    std::net::Ipv4Addr::new(127, 0, 1, sum)
}

/// A site with a certificate from files, on every listener that is named.
pub(super) fn site(host: &str, listeners: &[&str], identity: &Identity) -> Site {
    Site {
        name: SiteName::new(host),
        hosts: vec![HostPattern::Exact(host.to_owned())],
        listeners: listeners.iter().copied().map(ListenerName::new).collect(),
        https: HttpsMode::Both,
        certificate: CertificateSource::Files(vec![CertificateFiles {
            cert: PemSource::File(identity.certificate.clone()),
            key: PemSource::File(identity.key.clone()),
        }]),
        san_group: String::new(),
        tls_policy: None,
        routes: Vec::new(),
        implied: false,
        path: NodePath::of(["sites", host]),
    }
}

/// What the body of a response to `/facts` says under a key.
pub(super) fn fact<'a>(body: &'a str, key: &str) -> &'a str {
    body.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap()
}

/// Answers `/facts` with what is known of the client, `/big` with many bytes, `/wait` once it is let go on, `/panic` not
/// at all, and everything below `/.well-known/` with 418.
#[derive(Debug)]
struct Probe {
    gate: watch::Receiver<bool>,
    waiting: Arc<std::sync::atomic::AtomicUsize>,
}

impl MiddlewareFactory for Probe {
    fn build(
        &self,
        _spec: &pn_model::Middleware,
        _cx: &mut BuildContext<'_>,
    ) -> Result<Arc<dyn Middleware>, BuildError> {
        Ok(Arc::new(Self { gate: self.gate.clone(), waiting: Arc::clone(&self.waiting) }))
    }
}

impl Middleware for Probe {
    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let reply = |body: bytes::Bytes| Flow::Respond(Box::new(Reply::text(http::StatusCode::OK, body)));
        match cx.path() {
            "/facts" => reply(facts(cx).into()),
            "/big" => reply(vec![b'x'; BIG].into()),
            "/wait" => Flow::Await,
            "/panic" => panic!("as asked"),
            path if path.starts_with("/.well-known/") => {
                let reply = Reply::text(http::StatusCode::IM_A_TEAPOT, "of the middleware");
                Flow::Respond(Box::new(reply))
            }
            _ => Flow::Continue,
        }
    }

    fn resume_request<'a>(
        &'a self,
        cx: RequestContext,
        _env: &'a dyn Env,
    ) -> LocalFuture<'a, (RequestContext, Flow)> {
        let mut gate = self.gate.clone();
        self.waiting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            gate.wait_for(|open| *open).await.unwrap();
            (cx, Flow::Respond(Box::new(Reply::text(http::StatusCode::OK, "waited"))))
        })
    }
}

fn facts(cx: &RequestContext) -> String {
    let connection = cx.connection();
    let shown =
        |address: Option<SocketAddr>| address.map_or_else(|| "none".to_owned(), |own| own.to_string());
    let tls = cx.tls();
    format!(
        "listener={}\npeer={}\nlocal={}\nversion={:?}\ntls={}\nsni={}\nresumed={}\n",
        cx.listener(),
        shown(connection.peer),
        shown(connection.local),
        cx.version(),
        tls.map_or("none", |tls| tls.version),
        tls.and_then(|tls| tls.sni.as_deref()).unwrap_or("none"),
        tls.is_some_and(|tls| tls.resumed),
    )
}

//! Shards: what each worker counts.
#![expect(
    clippy::disallowed_types,
    reason = "locked when a label set is first met and at scrapes, not by requests"
)]

use super::cells::{Bounds, Count, Histogram};
use super::labels::{Labels, Protocol};
use super::reason::Reason;
use super::sums::Sums;
use ahash::HashMap;
use http::{Method, StatusCode};
use pn_core::RouterGraph;
use pn_core::tls::TlsInfo;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// One lookup of so many is timed, so that the two readings of the clock cost nothing.
const LOOKUPS_PER_SAMPLE: u32 = 64;
/// Bounds of `router_lookup_seconds`: a lookup takes from tens of nanoseconds to milliseconds.
const LOOKUP_BOUNDS: [u64; 8] = [100, 250, 500, 1_000, 2_500, 10_000, 100_000, 1_000_000];

/// A finished exchange, as it is counted.
pub(crate) struct Finished<'a> {
    /// The listener's name.
    pub(crate) entrypoint: &'a str,
    /// The label of the service that was asked, `None` when none was.
    pub(crate) service: Option<&'a str>,
    /// The label of the route, `None` when none matched.
    pub(crate) route: Option<&'a str>,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<&'a TlsInfo>,
    /// Nanoseconds from the end of the request's head to the last byte of the response.
    pub(crate) duration: u64,
    /// Bytes of the request body.
    pub(crate) received: u64,
    /// Bytes of the response body.
    pub(crate) sent: u64,
}

/// What one worker counts. Looking a known label set up allocates nothing and takes no lock.
pub(crate) struct Shard {
    shards: Arc<Shards>,
    bounds: RefCell<Bounds>,
    by_route: Cell<bool>,
    entrypoints: Scopes,
    services: Scopes,
    routers: RefCell<HashMap<Arc<str>, Scopes>>,
    lookups: Cell<u32>,
}

#[derive(Default)]
struct Scopes(RefCell<HashMap<Arc<str>, Rc<Local>>>);

/// The series of one entrypoint, service or router, on one worker.
struct Local {
    scope: Arc<Scope>,
    traffic: RefCell<HashMap<Labels, Arc<Traffic>>>,
    tls: RefCell<Vec<Arc<TlsCount>>>,
}

/// All shards, for a scrape.
#[derive(Debug, Default)]
pub(crate) struct Shards(Mutex<Vec<Arc<Scope>>>);

/// What the workers' series are summed by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Entrypoint(Arc<str>),
    Router { router: Arc<str>, service: Arc<str> },
    Service(Arc<str>),
}

#[derive(Debug)]
pub(super) struct Scope {
    name: Name,
    pub(super) open: Count,
    pub(super) retries: Count,
    pub(super) panics: Count,
    /// TLS handshakes that failed, by `Reason`.
    pub(super) handshakes: [Count; Reason::ALL.len()],
    pub(super) lookups: Histogram,
    series: Mutex<Series>,
}

/// What has been met so far.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) traffic: Vec<Arc<Traffic>>,
    pub(super) tls: Vec<Arc<TlsCount>>,
}

#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) labels: Labels,
    pub(super) requests: Count,
    pub(super) durations: Histogram,
    pub(super) received: Count,
    pub(super) sent: Count,
}

#[derive(Debug)]
pub(super) struct TlsCount {
    pub(super) version: &'static str,
    pub(super) cipher: &'static str,
    pub(super) requests: Count,
}

/// An open connection of an entrypoint.
pub(crate) struct Open(Rc<Local>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.scope.open.sub(1);
    }
}

impl Shard {
    pub(crate) fn new(shards: Arc<Shards>) -> Self {
        Self {
            shards,
            bounds: RefCell::new(Bounds::default()),
            by_route: Cell::new(false),
            entrypoints: Scopes::default(),
            services: Scopes::default(),
            routers: RefCell::default(),
            lookups: Cell::new(0),
        }
    }

    /// Takes over what a graph says of metrics, and forgets the series of what it has no more: dashboards would show
    /// them for ever.
    pub(crate) fn reconcile(&self, graph: &RouterGraph) {
        let metrics = graph.metrics();
        let bounds: Bounds = metrics.buckets.iter().map(|seconds| (seconds * 1e9) as u64).collect();
        if *self.bounds.borrow() != bounds {
            self.bounds.replace(bounds);
            self.entrypoints.begin_anew();
            self.services.begin_anew();
            self.routers.take();
        }
        self.by_route.set(metrics.route_labels);
        self.entrypoints.retain(|name| graph.listeners().iter().any(|node| node.name().as_str() == name));
        let services: ahash::HashSet<&str> = graph.services().iter().map(|node| &*node.label).collect();
        self.services.retain(|name| services.contains(name));
        let routes: ahash::HashSet<&str> = graph.routes().iter().map(|node| &*node.label).collect();
        self.routers.borrow_mut().retain(|name, _| metrics.route_labels && routes.contains(&**name));
    }

    pub(crate) fn finished(&self, exchange: &Finished<'_>) {
        let labels = Labels::new(exchange.status.as_u16(), exchange.method, exchange.protocol);
        self.count(&self.entrypoint(exchange.entrypoint), labels, exchange);
        let Some(service) = exchange.service else { return };
        self.count(&self.service(service), labels, exchange);
        if self.by_route.get()
            && let Some(route) = exchange.route
        {
            self.count(&self.router(route, service), labels, exchange);
        }
    }

    /// A connection is open until what is returned is dropped.
    pub(crate) fn connected(&self, entrypoint: &str) -> Open {
        let local = self.entrypoint(entrypoint);
        local.scope.open.add(1);
        Open(local)
    }

    /// A connection or stream was lost to a panic.
    pub(crate) fn panicked(&self, entrypoint: &str) {
        self.entrypoint(entrypoint).scope.panics.add(1);
    }

    pub(crate) fn handshake_failed(&self, entrypoint: &str, reason: Reason) {
        if let Some(count) = self.entrypoint(entrypoint).scope.handshakes.get(reason as usize) {
            count.add(1);
        }
    }

    /// A request to this service was sent to another server so many times.
    pub(crate) fn retried(&self, service: &str, times: u32) {
        self.service(service).scope.retries.add(u64::from(times));
    }

    /// Whether the lookup at hand is one of those that are timed.
    pub(crate) fn samples_lookup(&self) -> bool {
        let count = self.lookups.get();
        self.lookups.set(count.wrapping_add(1));
        count.is_multiple_of(LOOKUPS_PER_SAMPLE)
    }

    pub(crate) fn looked_up(&self, entrypoint: &str, nanoseconds: u64) {
        self.entrypoint(entrypoint).scope.lookups.record(nanoseconds);
    }

    fn entrypoint(&self, name: &str) -> Rc<Local> {
        self.entrypoints.get(name, &self.shards, Name::Entrypoint)
    }

    fn service(&self, name: &str) -> Rc<Local> {
        self.services.get(name, &self.shards, Name::Service)
    }

    fn router(&self, router: &str, service: &str) -> Rc<Local> {
        let routers = self.routers.borrow();
        let Some((known, services)) = routers.get_key_value(router) else {
            drop(routers);
            self.routers.borrow_mut().insert(router.into(), Scopes::default());
            return self.router(router, service);
        };
        let name = |service| Name::Router { router: Arc::clone(known), service };
        services.get(service, &self.shards, name)
    }

    fn count(&self, local: &Local, labels: Labels, exchange: &Finished<'_>) {
        local.with_traffic(labels, &self.bounds, |traffic| {
            traffic.requests.add(1);
            traffic.durations.record(exchange.duration);
            traffic.received.add(exchange.received);
            traffic.sent.add(exchange.sent);
        });
        if let Some(tls) = exchange.tls {
            local.count_tls(tls);
        }
    }
}

impl Scopes {
    fn get(&self, name: &str, shards: &Shards, make: impl FnOnce(Arc<str>) -> Name) -> Rc<Local> {
        if let Some(local) = self.0.borrow().get(name) {
            return Rc::clone(local);
        }
        let name: Arc<str> = name.into();
        let scope = Arc::new(Scope::new(make(Arc::clone(&name))));
        shards.lock().push(Arc::clone(&scope));
        let local = Rc::new(Local { scope, traffic: RefCell::default(), tls: RefCell::default() });
        self.0.borrow_mut().insert(name, Rc::clone(&local));
        local
    }

    fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.0.borrow_mut().retain(|name, _| keep(name));
    }

    /// Keeps what has no histogram of requests: open connections stay open.
    fn begin_anew(&self) {
        for local in self.0.borrow().values() {
            local.traffic.take();
            local.scope.lock().traffic.clear();
        }
    }
}

impl Local {
    fn with_traffic(&self, labels: Labels, bounds: &RefCell<Bounds>, count: impl FnOnce(&Traffic)) {
        if let Some(traffic) = self.traffic.borrow().get(&labels) {
            return count(traffic);
        }
        let durations = Histogram::new(&bounds.borrow());
        let (requests, received, sent) = Default::default();
        let traffic = Arc::new(Traffic { labels, requests, durations, received, sent });
        count(&traffic);
        self.scope.lock().traffic.push(Arc::clone(&traffic));
        self.traffic.borrow_mut().insert(labels, traffic);
    }

    fn count_tls(&self, tls: &TlsInfo) {
        let mut known = self.tls.borrow_mut();
        let same = |count: &&Arc<TlsCount>| count.version == tls.version && count.cipher == tls.cipher_suite;
        if let Some(count) = known.iter().find(same) {
            return count.requests.add(1);
        }
        let count = TlsCount { version: tls.version, cipher: tls.cipher_suite, requests: Count::default() };
        count.requests.add(1);
        let count = Arc::new(count);
        self.scope.lock().tls.push(Arc::clone(&count));
        known.push(count);
    }
}

impl Scope {
    fn new(name: Name) -> Self {
        Self {
            name,
            open: Count::default(),
            retries: Count::default(),
            panics: Count::default(),
            handshakes: Default::default(),
            lookups: Histogram::new(&LOOKUP_BOUNDS.into()),
            series: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shards {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Scope>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sum over all workers.
    pub(crate) fn sum(&self) -> Sums {
        let mut scopes = self.lock();
        // What only this list holds was forgotten by its worker.
        scopes.retain(|scope| Arc::strong_count(scope) > 1);
        let mut sums = Sums::default();
        for scope in scopes.iter() {
            sums.add(&scope.name, scope);
        }
        sums
    }
}

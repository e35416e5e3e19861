//! A world in virtual time for the driver itself: tokio's clock is paused, the CA is the simulated one, nodes share one
//! storage.

use crate::Time;
use crate::acme::sim::{BASE, DIRECTORY, SimCa};
use crate::acme::{Challenge, ChallengeKind, HttpRequest, HttpResponse, RevocationReason, TransportError};
use crate::driver::accounts::{AccountOrder, AccountRefusal};
use crate::driver::board::CertificateStatus;
use crate::driver::context::Context;
use crate::driver::permission::Rules;
use crate::driver::presenters::{Presenter, Presenters};
use crate::driver::revoke::{RevocationOrder, RevocationRefusal, Revoked};
use crate::driver::run::Wire;
use crate::driver::service::{Command, DriverParts, serve};
use crate::driver::wanted::{Issuing, Wanted};
use crate::life::{Asked, CertificateId, Demand, OpenIssuer, Pace, Source, Throttle};
use crate::records::{CertificateRecord, load};
use crate::storage::{BoxFuture, CERTIFICATES, Clock, MemoryStore, Storage};
use pn_model::acme::AcmeIssuer;
use pn_model::{HostPattern, NodePath};
use pn_tls::{CertificateStore, NoCertificate, OnDemand, TimeProvider};
use rustls_pki_types::UnixTime;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

const START: Time = 1_800_000_000;

struct VirtualClock(Clock);

impl TimeProvider for VirtualClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs((self.0)())))
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VirtualClock")
    }
}

/// A CA, what stands in the world for it to find, and how long its answers take.
#[derive(Clone)]
pub(super) struct Ca(Arc<Mutex<SimCa>>, Clock, Arc<Mutex<Duration>>);

impl Ca {
    fn new(ca: SimCa, clock: &Clock) -> Self {
        Self(Arc::new(Mutex::new(ca)), Arc::clone(clock), Arc::new(Mutex::new(Duration::from_millis(300))))
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut SimCa) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub(super) fn answer_after(&self, time: Duration) {
        *self.2.lock().unwrap() = time;
    }
}

impl Wire for Ca {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let time = *self.2.lock().unwrap();
            tokio::time::sleep(time).await;
            self.with(|ca| ca.answer(request, (self.1)()))
        })
    }
}

impl Presenter for Ca {
    fn present<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        self.with(|ca| ca.present(challenges));
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        self.with(|ca| ca.withdraw(challenges));
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ca")
    }
}

/// The way to all CAs of the world, and what they find in it: nothing of some kinds.
#[derive(Debug)]
struct Cas(Vec<(&'static str, Ca)>, Arc<AtomicUsize>, Vec<ChallengeKind>);

impl Wire for Cas {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        let found = self.0.iter().find(|(base, _)| request.url.starts_with(base));
        found.unwrap_or_else(|| panic!("{}", request.url)).1.send(request)
    }
}

impl Presenter for Cas {
    fn present<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        let through = challenges.iter().filter(|challenge| !self.2.contains(&challenge.kind));
        let through: Vec<Challenge> = through.cloned().collect();
        self.0.iter().for_each(|(_, ca)| ca.with(|ca| ca.present(&through)));
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, challenges: &'a [Challenge]) -> BoxFuture<'a, Result<(), String>> {
        self.0.iter().for_each(|(_, ca)| ca.with(|ca| ca.withdraw(challenges)));
        Box::pin(async { Ok(()) })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), String>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

const STAGING: &str = "https://staging.test";
const SECOND: &str = "https://second.test";

/// Nodes on one storage and with one CA, unless it is said that there are others.
pub(super) struct Nodes {
    pub(super) ca: Ca,
    /// Where orders that failed are tried again, if that is wanted.
    pub(super) staging: Ca,
    pub(super) rehearses: bool,
    /// Of the issuer that comes after `main`, if that is wanted.
    pub(super) second: Ca,
    pub(super) falls_back: bool,
    pub(super) store: MemoryStore,
    pub(super) clock: Clock,
    pub(super) nodes: Vec<Node>,
    pub(super) throttle: Throttle,
    /// Of the issuer `main`.
    pub(super) settings: AcmeIssuer,
    /// How often it was looked for what earlier processes left.
    pub(super) tidied: Arc<AtomicUsize>,
    /// What something before the nodes does not let through.
    pub(super) blocked: Vec<ChallengeKind>,
}

pub(super) struct Node {
    pub(super) cx: Arc<Context>,
    orders: mpsc::Sender<Command>,
    task: tokio::task::JoinHandle<()>,
    pub(super) certificates: Arc<CertificateStore>,
}

impl Nodes {
    /// To be made on a runtime whose clock is paused.
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let begun = Instant::now();
        let clock: Clock = Arc::new(move || START + begun.elapsed().as_secs());
        let ca = Ca::new(SimCa::new(seed), &clock);
        let [staging, second] = [STAGING, SECOND].map(|base| Ca::new(SimCa::at(base, seed), &clock));
        let (rehearses, falls_back) = (false, false);
        let store = MemoryStore::new("node", Arc::clone(&clock));
        let throttle = Throttle::new(10, Duration::from_secs(10));
        let settings = AcmeIssuer { directory: DIRECTORY.to_owned(), staging: None, ..AcmeIssuer::default() };
        let (nodes, tidied, blocked) = (Vec::new(), Arc::default(), Vec::new());
        let mut nodes = Self {
            ca,
            staging,
            rehearses,
            second,
            falls_back,
            store,
            clock,
            nodes,
            throttle,
            settings,
            tidied,
            blocked,
        };
        (0..count).for_each(|_| nodes.add());
        nodes
    }

    pub(super) fn add(&mut self) {
        let storage = self.store.node(&format!("node{}", self.nodes.len()));
        self.add_with(Arc::new(storage), Arc::clone(&self.clock));
    }

    /// A node with its own way to the storage, and its own idea of the time.
    pub(super) fn add_with(&mut self, storage: Arc<dyn Storage>, clock: Clock) {
        let certificates = Arc::new(CertificateStore::with_clock(Arc::new(VirtualClock(Arc::clone(&clock)))));
        let parts = DriverParts {
            storage,
            shared: false,
            certificates: Arc::clone(&certificates),
            clock,
            pace: Pace { recheck: 6 * 3_600, recheck_missing: 3_600, ..Pace::default() },
        };
        let (orders, inbox) = mpsc::channel(4);
        let cx = Arc::new(Context::new(parts));
        let task = tokio::spawn(serve(Arc::clone(&cx), inbox, false));
        self.nodes.push(Node { cx, orders, task, certificates });
    }

    /// As a process that is killed: what it held is not given back.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes.remove(node).task.abort();
    }

    pub(super) async fn want(&self, names: &[&str]) {
        for node in 0..self.nodes.len() {
            self.want_at(node, names).await;
        }
    }

    pub(super) async fn want_at(&self, node: usize, names: &[&str]) {
        assert!(self.nodes[node].orders.send(Command::Settle(self.wanted(names))).await.is_ok());
    }

    pub(super) async fn revoke(&self, node: usize, name: &str) -> Result<Revoked, RevocationRefusal> {
        self.revoke_this(node, name, self.serial(node, name)).await
    }

    /// Of what is served.
    pub(super) fn serial(&self, node: usize, name: &str) -> Option<String> {
        let id = CertificateId::of(&[name.to_owned()]);
        let shown = self.status(node).into_iter().find(|one| one.id == id);
        shown.and_then(|one| one.served).map(|served| served.serial)
    }

    pub(super) async fn revoke_this(
        &self,
        node: usize,
        name: &str,
        serial: Option<String>,
    ) -> Result<Revoked, RevocationRefusal> {
        let (done, outcome) = oneshot::channel();
        let id = CertificateId::of(&[name.to_owned()]);
        let order = RevocationOrder { id, serial, reason: RevocationReason::KeyCompromise, done };
        assert!(self.nodes[node].orders.send(Command::Revoke(order)).await.is_ok());
        outcome.await.unwrap()
    }

    /// Names of the certificates that are stored.
    pub(super) async fn stored(&self) -> Vec<String> {
        let store = self.store.node("visitor");
        let mut names = Vec::new();
        for key in store.list(CERTIFICATES).await.unwrap() {
            let (record, _) = load::<CertificateRecord>(&store, &key).await.unwrap().unwrap();
            names.extend(record.names);
        }
        names
    }

    /// Sites named `names`, and one for `*` whose names are of this list; as a change of the configuration does it.
    pub(super) async fn open(&self, names: &[&str], allow: &[HostPattern]) {
        let mut wanted = self.wanted(names);
        let rules = Rules::new(self.open_issuer(allow), &[], &NodePath::default()).unwrap();
        wanted.open = Arc::new(BTreeMap::from([("main".into(), Arc::new(rules))]));
        for node in &self.nodes {
            let (done, _loaded) = std::sync::mpsc::sync_channel(1);
            let load = Command::Load { wanted: wanted.clone(), done };
            for command in [load, Command::Settle(wanted.clone())] {
                assert!(node.orders.send(command).await.is_ok());
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    fn open_issuer(&self, allow: &[HostPattern]) -> OpenIssuer {
        OpenIssuer {
            issuer: "main".into(),
            sources: self.sources(),
            hosts: vec![HostPattern::Any],
            taken: BTreeSet::new(),
            ask: None,
            allow: allow.to_vec(),
        }
    }

    /// What becomes of a handshake for this name.
    pub(super) async fn knock(&self, node: usize, name: &str) -> Result<(), NoCertificate> {
        let waiting = self.nodes[node].cx.door.knock(&"main".into(), name)?;
        tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .unwrap_or(Err(NoCertificate::Unavailable))
    }

    fn sources(&self) -> Vec<Source> {
        let main = Source {
            issuer: "main".into(),
            directory: DIRECTORY.to_owned(),
            staging: self.rehearses.then(|| directory(STAGING)),
            throttle: self.throttle,
        };
        let second = Source {
            issuer: "second".into(),
            directory: directory(SECOND),
            staging: None,
            throttle: self.throttle,
        };
        [main].into_iter().chain(self.falls_back.then_some(second)).collect()
    }

    fn wanted(&self, names: &[&str]) -> Wanted {
        let sources = self.sources();
        let all = [(BASE, &self.ca), (STAGING, &self.staging), (SECOND, &self.second)];
        let all = all.map(|(base, ca)| (base, ca.clone())).to_vec();
        let all = Arc::new(Cas(all, Arc::clone(&self.tidied), self.blocked.clone()));
        let world: Arc<dyn Presenter> = Arc::clone(&all) as _;
        let issuing = |source: &Source| {
            let settings = AcmeIssuer {
                directory: source.directory.clone(),
                staging: source.staging.clone(),
                ..self.settings.clone()
            };
            let presenters = Presenters::default().with(&ChallengeKind::ALL, &world);
            let wire = Arc::clone(&all) as _;
            (source.issuer.clone(), Arc::new(Issuing { settings, wire, presenters }))
        };
        let demand = |name: &&str| Demand::new(vec![(*name).to_owned()], sources.clone());
        Wanted {
            demands: names.iter().map(demand).collect(),
            issuers: Arc::new(sources.iter().map(issuing).collect()),
            ..Wanted::default()
        }
    }

    /// As a person asks for it.
    pub(super) async fn ask<T>(
        &self,
        node: usize,
        order: impl FnOnce(oneshot::Sender<Result<T, AccountRefusal>>) -> AccountOrder,
    ) -> Result<T, AccountRefusal> {
        let (done, outcome) = oneshot::channel();
        assert!(self.nodes[node].orders.send(Command::Accounts(order(done))).await.is_ok());
        outcome.await.unwrap()
    }

    pub(super) fn status(&self, node: usize) -> Vec<CertificateStatus> {
        self.nodes[node].cx.status()
    }

    /// Asks a node for another certificate.
    pub(super) async fn renew(&self, node: usize, name: &str) -> Asked {
        let Node { cx, orders, .. } = &self.nodes[node];
        let asked = cx.planner().ask_for(&CertificateId::of(&[name.to_owned()]), (self.clock)());
        assert!(orders.send(Command::Wake).await.is_ok());
        asked
    }

    pub(super) async fn pass(&self, days: f64) {
        tokio::time::sleep(Duration::from_secs_f64(days * 86_400.0)).await;
    }

    pub(super) fn orders(&self) -> usize {
        self.ca.with(|ca| ca.orders.len())
    }

    pub(super) fn serves(&self, node: usize, name: &str) -> bool {
        self.nodes[node].certificates.get(name).is_some()
    }
}

fn directory(base: &str) -> String {
    format!("{base}/directory")
}

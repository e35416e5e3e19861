//! The thread on which certificates are looked after, and the handle on it.

use super::accounts::{self, AccountOrder, AccountRefusal, AccountStatus};
use super::board::CertificateStatus;
use super::context::Context;
use super::job;
use super::others::Others;
use super::presenters::LOOK;
use super::revoke::{self, RevocationOrder, RevocationRefusal, Revoked};
use super::sweep;
use super::tally::OrderCounts;
use super::wanted::{Unusable, Wanted};
use crate::acme::RevocationReason;
use crate::life::{Asked, CertificateId, Demand, Pace, PutOff, Visit};
use crate::storage::{Clock, Storage};
use pn_model::Model;
use pn_tls::{CertificateStore, Source};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

/// What a driver is made of.
pub struct DriverParts {
    pub storage: Arc<dyn Storage>,
    /// Whether other processes use the storage too, so that challenges are answered for them.
    pub shared: bool,
    /// Where certificates are published.
    pub certificates: Arc<CertificateStore>,
    pub clock: Clock,
    pub pace: Pace,
}

/// The handle. The thread ends when the last one is dropped.
#[derive(Clone)]
pub struct Driver {
    orders: mpsc::Sender<Command>,
    cx: Arc<Context>,
}

pub(super) enum Command {
    /// Publish what is stored of these.
    Load {
        wanted: Wanted,
        done: std::sync::mpsc::SyncSender<()>,
    },
    /// Look after these, and no others.
    Settle(Wanted),
    /// Look at this one again now.
    Touch(CertificateId),
    Accounts(AccountOrder),
    /// Look at all of them again now.
    TouchAll,
    /// Look at what is due.
    Wake,
    Revoke(RevocationOrder),
}

/// Of commands; there are as many as changes of the configuration.
const QUEUE: usize = 16;
/// Longest that a change of the configuration waits for stored certificates to be published.
const LOADING: Duration = Duration::from_secs(20);
/// Handshakes that have ended are forgotten at this pace.
const TIDY: Duration = Duration::from_secs(2);
/// How often it is written down who was used.
const GUESTS: Duration = Duration::from_secs(3_600);
/// Certificates that are loaded at once.
const LOADS: usize = 64;

impl Driver {
    /// Starts the thread.
    pub fn start(parts: DriverParts) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel(QUEUE);
        let (shared, cx) = (parts.shared, Arc::new(Context::new(parts)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let own = Arc::clone(&cx);
        std::thread::Builder::new()
            .name("acme".to_owned())
            .spawn(move || runtime.block_on(serve(own, inbox, shared)))?;
        Ok(Self { orders, cx })
    }

    /// What a model wants, as far as its issuers can be used. `before`: what is unchanged is taken over.
    pub fn wanted(&self, model: &Model, before: &Wanted) -> Result<Wanted, Vec<Unusable>> {
        Wanted::of(model, before, &self.cx.around)
    }

    /// Publishes what is stored of the certificates that are wanted, before sites that need them are served. Waits for
    /// it within bounds; what is not there then comes later. Not to be called on a runtime.
    pub fn load(&self, wanted: Wanted) {
        if wanted.is_empty() {
            return;
        }
        self.cx.open(&wanted.open);
        let (done, loaded) = sync_channel(1);
        let sent = self.orders.blocking_send(Command::Load { wanted, done });
        if sent.is_err() || loaded.recv_timeout(LOADING).is_err() {
            tracing::warn!("stored certificates were not loaded in time; sites begin without them");
        }
    }

    /// Looks after these certificates from now on, and after no others. Not to be called on a runtime.
    pub fn settle(&self, wanted: Wanted) {
        if self.orders.blocking_send(Command::Settle(wanted)).is_err() {
            tracing::error!("nobody looks after certificates any more: the thread for it has ended");
        }
    }

    /// Looks at one again, such as after somebody changed what is stored. `false`: too much waits already.
    pub fn touch(&self, id: CertificateId) -> bool {
        self.orders.try_send(Command::Touch(id)).is_ok()
    }

    /// The accounts of all issuers that are in use, then those that none uses.
    pub async fn accounts(&self) -> Result<Vec<AccountStatus>, AccountRefusal> {
        self.ask(AccountOrder::List).await
    }

    /// Gives an account another key (RFC 8555 section 7.3.5). `which`: an issuer's name or an account's URL; `None`: the
    /// only one.
    pub async fn roll_over(&self, which: Option<String>) -> Result<AccountStatus, AccountRefusal> {
        self.ask(|done| AccountOrder::RollOver { which, done }).await
    }

    /// Closes an account for ever, and removes it; the next order registers another one.
    pub async fn deactivate(&self, which: Option<String>) -> Result<AccountStatus, AccountRefusal> {
        self.ask(|done| AccountOrder::Deactivate { which, done }).await
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, AccountRefusal>>) -> AccountOrder,
    ) -> Result<T, AccountRefusal> {
        let (done, outcome) = oneshot::channel();
        let gone = || AccountRefusal::Failed("nobody looks after accounts any more".to_owned());
        self.orders.send(Command::Accounts(order(done))).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Looks at all of them again, such as after an import. What waits in a full queue does so soon enough.
    pub fn rescan(&self) {
        self.orders.try_send(Command::TouchAll).unwrap_or_default();
    }

    /// Has another certificate obtained in place of this one, however young that is.
    pub fn renew(&self, id: &CertificateId) -> Asked {
        let asked = self.cx.planner().ask_for(id, self.cx.now());
        // Full: what waits there wakes the thread.
        self.orders.try_send(Command::Wake).unwrap_or_default();
        asked
    }

    /// Has the CA take a certificate back, also one that is only stored any more. Where it is wanted, another one is
    /// ordered then. `serial`: refused if another one is stored by the time that it is its turn.
    pub async fn revoke(
        &self,
        id: CertificateId,
        serial: Option<String>,
        reason: RevocationReason,
    ) -> Result<Revoked, RevocationRefusal> {
        let (done, outcome) = oneshot::channel();
        let gone = || RevocationRefusal::Failed("nobody looks after certificates any more".to_owned());
        let order = RevocationOrder { id, serial, reason, done };
        self.orders.send(Command::Revoke(order)).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    pub fn status(&self) -> Vec<CertificateStatus> {
        self.cx.status()
    }

    /// Orders since the process started.
    pub fn orders(&self) -> OrderCounts {
        self.cx.tally.counts()
    }
}

/// Until nobody holds the handle.
pub(super) async fn serve(cx: Arc<Context>, mut inbox: mpsc::Receiver<Command>, shared: bool) {
    let mut jobs = JoinSet::new();
    let mut visits: HashMap<Id, Visit> = HashMap::new();
    let (mut others, mut side) = (Others::default(), JoinSet::new());
    let mut look = tokio::time::interval(LOOK);
    let mut sweeps = tokio::time::interval_at(Instant::now() + sweep::FIRST, sweep::EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut knocks, mut asks, mut guests) = (cx.knocks(), JoinSet::new(), JoinSet::new());
    let (mut tidy, mut note) = (tokio::time::interval(TIDY), tokio::time::interval(GUESTS));
    tidy.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    note.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let (due, sleep) = cx.due();
        for visit in due {
            let (own, at) = (Arc::clone(&cx), visit.clone());
            let job = jobs.spawn(async move { job::visit(&own, &at).await });
            visits.insert(job.id(), visit);
        }
        tokio::select! {
            command = inbox.recv() => match command {
                Some(command) => cx.obey(command, &mut side).await,
                None => return,
            },
            Some(ended) = jobs.join_next_with_id() => cx.ended(ended, &mut visits),
            Some(ended) = side.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "work beside the schedule ended early: this is a bug");
                }
            }
            Some(knock) = knocks.recv() => cx.knocked(knock, &mut asks),
            Some(Ok(asked)) = asks.join_next() => cx.asked(asked),
            Some(_) = guests.join_next() => {}
            _ = tidy.tick(), if cx.desk().is_busy() => cx.tidy(),
            _ = note.tick(), if cx.has_guests() && guests.is_empty() => {
                guests.spawn(Arc::clone(&cx).look_after_guests());
            }
            () = tokio::time::sleep(sleep) => {}
            _ = sweeps.tick() => {
                let own = Arc::clone(&cx);
                side.spawn(async move { sweep::sweep(&own).await });
            }
            _ = look.tick(), if shared => {
                if let Err(error) = others.look(&cx).await {
                    tracing::warn!(%error, "challenges of other nodes are not seen");
                }
            }
        }
    }
}

impl Context {
    fn due(&self) -> (Vec<Visit>, Duration) {
        let now = self.now();
        let mut planner = self.planner();
        let visits = planner.visits(now);
        let sleep = planner.wake_at().map(|at| Duration::from_secs(at.saturating_sub(now)));
        (visits, sleep.unwrap_or(self.nap).min(self.nap))
    }

    /// `side`: what takes its time, and is nothing that the schedule waits for.
    async fn obey(self: &Arc<Self>, command: Command, side: &mut JoinSet<()>) {
        match command {
            Command::Load { wanted, done } => {
                self.load(wanted).await;
                // Who asked may have given up.
                done.try_send(()).unwrap_or_default();
            }
            Command::Settle(wanted) => {
                accounts::adopt(self, &wanted).await;
                let wanted = self.settle(wanted);
                side.spawn(accounts::follow(Arc::clone(self), wanted));
            }
            Command::Accounts(order) => {
                let own = Arc::clone(self);
                side.spawn(async move { accounts::obey(&own, order).await });
            }
            Command::Revoke(order) => {
                let own = Arc::clone(self);
                side.spawn(async move { revoke::obey(&own, order).await });
            }
            Command::TouchAll => {
                let (mut planner, now) = (self.planner(), self.now());
                planner.ids().iter().for_each(|id| planner.touch(id, now));
            }
            Command::Wake => {}
            Command::Touch(id) => self.planner().touch(&id, self.now()),
        }
    }

    /// Certificates that are known already are left alone.
    async fn load(self: &Arc<Self>, wanted: Wanted) {
        self.remember_guests(&wanted).await;
        let all = wanted.demands.iter().cloned().chain(self.guests(&wanted.open));
        let new: Vec<Demand> = all.filter(|demand| !self.shelf.has(demand)).collect();
        for some in new.chunks(LOADS) {
            let mut jobs = JoinSet::new();
            for demand in some {
                let (own, demand) = (Arc::clone(self), demand.clone());
                jobs.spawn(async move { job::look(&own, &demand).await.map(drop) });
            }
            while let Some(done) = jobs.join_next().await {
                if let Ok(Err(PutOff::Trouble(error))) = done {
                    tracing::error!(error, "a stored certificate was not loaded");
                }
            }
        }
    }

    fn settle(&self, wanted: Wanted) -> Arc<Wanted> {
        let mut demands = wanted.demands.clone();
        demands.extend(self.settle_guests(&wanted));
        let wanted = Arc::new(wanted);
        let before = self.wanted.swap(Arc::clone(&wanted));
        for (source, on_demand) in [(Source::Acme, false), (Source::OnDemand, true)] {
            let own = demands.iter().filter(|demand| demand.on_demand == on_demand);
            let names: BTreeSet<&str> = own.flat_map(|own| &own.names).map(String::as_str).collect();
            self.certificates.retain(source, |name| names.contains(name));
        }
        let ids: BTreeSet<&CertificateId> = demands.iter().map(|demand| &demand.id).collect();
        self.shelf.retain(&ids);
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| ids.contains(id));
        let (mut planner, now) = (self.planner(), self.now());
        planner.demand(demands, now);
        wanted.otherwise(&before).iter().for_each(|id| planner.touch(id, now));
        wanted
    }

    fn ended(&self, ended: Result<(Id, ()), JoinError>, visits: &mut HashMap<Id, Visit>) {
        let (id, panicked) = match &ended {
            Ok((id, ())) => (*id, false),
            Err(error) => (error.id(), true),
        };
        let Some(visit) = visits.remove(&id) else { return };
        if panicked {
            tracing::error!(id = %visit.demand.id, "looking after a certificate panicked");
            let why = PutOff::Trouble("this is a bug: see the log".to_owned());
            self.planner().put_off(&visit, why, self.now());
        }
        self.guest_visited(&visit.demand);
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

impl fmt::Debug for DriverParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DriverParts")
    }
}

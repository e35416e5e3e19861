//! What all work on certificates shares: the storage, the plan, what handshakes have, and who asks for more. What is done
//! with it when is `service`'s.

use super::accounts::Accounts;
use super::board::CertificateStatus;
use super::damage::Damage;
use super::desk::Desk;
use super::door::{Door, Knock, RuleSet};
use super::loudness::Loudness;
use super::permission::Permission;
use super::presenters::{LocalPresenter, Presenter, Presenters};
use super::run::{Standing, World};
use super::served::{Shelf, Usable};
use super::service::DriverParts;
use super::tally::Tally;
use super::wanted::{Around, Issuing, Wanted};
use crate::Time;
use crate::life::{CertificateId, Demand, Plan, Planner};
use crate::records::CertificateRecord;
use crate::storage::{Clock, Storage};
use arc_swap::ArcSwap;
use pn_tls::{CertificateStore, Source};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Sleeps between two looks at the same certificate, so that a clock that was set is noticed.
const NAPS: u64 = 20;

/// What all work on certificates shares.
pub(super) struct Context {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) certificates: Arc<CertificateStore>,
    pub(super) accounts: Accounts,
    pub(super) wanted: ArcSwap<Wanted>,
    /// Whether other processes use the storage too.
    pub(super) shared: bool,
    pub(super) around: Around,
    pub(super) nap: Duration,
    pub(super) clock: Clock,
    planner: Mutex<Planner>,
    pub(super) shelf: Shelf,
    pub(super) damage: Damage,
    pub(super) loudness: Loudness,
    /// Held by whoever takes a place of a throttle.
    pub(super) places: tokio::sync::Mutex<()>,
    pub(super) tally: Tally,
    /// Where handshakes ask for certificates on demand, and what becomes of it.
    pub(super) door: Door,
    knocks: Mutex<Option<mpsc::Receiver<Knock>>>,
    pub(super) permission: Permission,
    desk: Mutex<Desk>,
    pub(super) remembered: AtomicBool,
    /// Until when CAs that said nothing of renewals are not asked again.
    pub(super) quiet: Mutex<BTreeMap<CertificateId, Time>>,
}

impl Context {
    pub(super) fn new(parts: DriverParts) -> Self {
        let shared = parts.shared.then(|| Arc::clone(&parts.storage));
        let (certificates, clock) = (Arc::clone(&parts.certificates), Arc::clone(&parts.clock));
        let local: Arc<dyn Presenter> = Arc::new(LocalPresenter::new(certificates, shared, clock));
        let local = Presenters::default().with(&LocalPresenter::KINDS, &local);
        let (door, knocks) = Door::new();
        parts.certificates.set_on_demand(Box::new(door.clone()));
        let (storage, clock) = (Arc::clone(&parts.storage), Arc::clone(&parts.clock));
        Self {
            around: Around { local, storage, clock },
            shared: parts.shared,
            nap: Duration::from_secs((parts.pace.recheck / NAPS).max(1)),
            storage: parts.storage,
            certificates: parts.certificates,
            accounts: Accounts::default(),
            wanted: ArcSwap::default(),
            clock: parts.clock,
            planner: Mutex::new(Planner::new(parts.pace)),
            shelf: Shelf::default(),
            damage: Damage::default(),
            loudness: Loudness::default(),
            places: tokio::sync::Mutex::default(),
            tally: Tally::default(),
            quiet: Mutex::default(),
            door,
            knocks: Mutex::new(Some(knocks)),
            permission: Permission::new(),
            desk: Mutex::default(),
            remembered: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Time {
        (self.clock)()
    }

    pub(super) fn planner(&self) -> MutexGuard<'_, Planner> {
        // Never held while anything else runs.
        self.planner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        // As the planner; workers do not come here.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What handshakes ask for; to whoever comes first, which is the one that serves.
    pub(super) fn knocks(&self) -> mpsc::Receiver<Knock> {
        let knocks = self.knocks.lock().unwrap_or_else(PoisonError::into_inner).take();
        knocks.unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Handshakes may ask by these rules too, as sites that need them are about to be served.
    pub(super) fn open(&self, rules: &RuleSet) {
        let mut all = RuleSet::clone(&self.door.rules.load());
        all.extend(rules.iter().map(|(name, rules)| (name.clone(), Arc::clone(rules))));
        self.door.rules.store(Arc::new(all));
    }

    pub(super) fn has_guests(&self) -> bool {
        !self.door.rules.load().is_empty()
    }

    pub(super) fn tidy(&self) {
        let lost = self.desk().tidy(self.now());
        for name in lost {
            self.planner().remove(&CertificateId::of(&[name]));
        }
    }

    /// Takes a certificate on demand from handshakes.
    pub(super) fn unpublish(&self, id: &CertificateId, name: &str) {
        self.certificates.retain(Source::OnDemand, |own| own != name);
        self.shelf.remove(id);
    }

    pub(super) fn world<'a>(&'a self, issuing: &'a Issuing, standing: &'a Standing) -> World<'a> {
        World { wire: &*issuing.wire, presenters: &issuing.presenters, clock: &self.clock, standing }
    }

    pub(super) fn status(&self) -> Vec<CertificateStatus> {
        let now = self.now();
        let plans = self.planner().plans(now);
        let of = |plan: Plan| {
            let served = self.shelf.get(&plan.demand.id);
            CertificateStatus::of(plan, served, now)
        };
        plans.into_iter().filter_map(of).collect()
    }

    pub(super) fn quiet_until(&self, id: &CertificateId) -> Time {
        let quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.get(id).copied().unwrap_or(0)
    }

    pub(super) fn be_quiet(&self, id: &CertificateId, until: Time) {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), until);
    }

    /// Gives the certificate to handshakes, unless they have it.
    pub(super) fn publish(&self, demand: &Demand, record: &CertificateRecord, key: &Usable) {
        self.shelf.publish(&self.certificates, demand, record, key);
    }
}

//! Which certificates to look at when: all that are wanted, one visit of each at a time, the urgent ones first.

mod asked;
mod entry;

pub use asked::Asked;

use super::{Attempt, CertificateId, Decision, Demand, Facts, MINUTE, Next, Slots, Time, spread};
use entry::{Entry, Urgency};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How much goes on at once, and how often the storage is looked at for what others did.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Visits at once.
    pub visits: usize,
    /// Seconds between looks at a certificate that needs nothing.
    pub recheck: u64,
    /// The same for one that is missing: another node may have obtained it, or somebody imported it.
    pub recheck_missing: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { visits: 64, recheck: 10 * MINUTE, recheck_missing: MINUTE }
    }
}

/// Until a certificate is looked at again that another node is at work on.
const ELSEWHERE: u64 = 10;
/// The same where handshakes wait for it.
const ELSEWHERE_ON_DEMAND: u64 = 1;
/// Until the storage is tried again.
const TROUBLE: u64 = 30;
/// The clock was set back when it is behind itself by so much.
const SET_BACK: u64 = MINUTE;

/// What to do for one certificate. The caller says what came of it by [`Planner::visited`] or [`Planner::put_off`].
#[derive(Debug, Clone)]
pub struct Visit {
    pub demand: Arc<Demand>,
    pub kind: VisitKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitKind {
    /// Load its facts.
    Look,
    /// Take its lock, load its facts, and do what [`Planner::decide`] says then: others may have been here.
    Act,
}

/// Why a visit came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOff {
    /// Another node has the lock.
    Elsewhere,
    /// The throttle has no place before this moment.
    Throttled(Time),
    /// Nobody wants it at present: it is looked at again then.
    NotWanted(Time),
    /// The storage failed, or the lock was lost.
    Trouble(String),
}

/// What is planned for one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub demand: Arc<Demand>,
    /// `None`: the storage has not been read yet.
    pub facts: Option<Facts>,
    /// Whether a visit is under way.
    pub busy: bool,
    /// When something is done for it next, and what. While busy: what is being done.
    pub next: Next,
    pub at: Time,
    /// Of the storage, at the last visit.
    pub trouble: Option<String>,
    /// Somebody asked for another certificate, which is not there yet.
    pub asked_for: bool,
}

/// How it stands with one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Held,
    /// There is none, and the next try is not before this moment.
    Waits(Time),
    /// There is none yet.
    Underway,
}

#[derive(Debug)]
pub struct Planner {
    pace: Pace,
    entries: BTreeMap<CertificateId, Entry>,
    queue: BTreeSet<(Time, Urgency, CertificateId)>,
    /// Our own share of the throttle, by directory: keeps those that would find the shared one full from trying.
    slots: BTreeMap<String, Slots>,
    busy: usize,
    latest: Time,
}

impl Planner {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            entries: BTreeMap::new(),
            queue: BTreeSet::new(),
            slots: BTreeMap::new(),
            busy: 0,
            latest: 0,
        }
    }

    /// What is wanted from now on. What was wanted before and is the same goes on untouched; what is new is looked at at
    /// once; what is not wanted any more is forgotten. Returns the ids of the last.
    pub fn demand(&mut self, demands: Vec<Demand>, now: Time) -> Vec<CertificateId> {
        let wanted: BTreeSet<CertificateId> = demands.iter().map(|demand| demand.id.clone()).collect();
        let gone: Vec<_> = self.entries.keys().filter(|id| !wanted.contains(*id)).cloned().collect();
        for id in &gone {
            self.forget(id);
        }
        for demand in demands {
            if self.entries.get(&demand.id).is_some_and(|entry| *entry.demand == demand) {
                continue;
            }
            let id = demand.id.clone();
            // What somebody has asked for is asked for still.
            let wish = self.forget(&id).and_then(|entry| entry.wish);
            let mut entry = Entry::new(Arc::new(demand));
            entry.wish = wish;
            self.entries.insert(id.clone(), entry);
            self.wake(&id, now);
        }
        gone
    }

    /// One more is wanted, beside the others. `false`: it is wanted already, and not in this way.
    pub fn add(&mut self, demand: Demand, now: Time) -> bool {
        let id = demand.id.clone();
        if let Some(known) = self.entries.get(&id) {
            return *known.demand == demand;
        }
        self.entries.insert(id.clone(), Entry::new(Arc::new(demand)));
        self.wake(&id, now);
        true
    }

    /// One is not wanted any more. What a visit of it brings is not minded.
    pub fn remove(&mut self, id: &CertificateId) {
        self.forget(id);
    }

    /// `None`: it is not wanted.
    pub fn standing(&mut self, id: &CertificateId, now: Time) -> Option<Standing> {
        let entry = self.entries.get_mut(id)?;
        if !entry.is_missing(now) {
            return Some(Standing::Held);
        }
        let decision = entry.facts.clone().map(|facts| entry.decide(&facts, now));
        Some(match decision {
            Some(Decision::Wait { until, .. }) => Standing::Waits(until),
            _ => Standing::Underway,
        })
    }

    /// What is wanted under this id, by sites or by clients.
    pub fn demand_of(&self, id: &CertificateId) -> Option<Arc<Demand>> {
        self.entries.get(id).map(|entry| Arc::clone(&entry.demand))
    }

    /// The ids of all that is wanted.
    pub fn ids(&self) -> BTreeSet<CertificateId> {
        self.entries.keys().cloned().collect()
    }

    /// The visits to be made now.
    pub fn visits(&mut self, now: Time) -> Vec<Visit> {
        self.mind_the_clock(now);
        let mut visits = Vec::new();
        while self.busy < self.pace.visits {
            let Some((wake, _, id)) = self.queue.first().cloned() else { break };
            if wake > now {
                break;
            }
            if let Some(visit) = self.visit(&id, now) {
                visits.push(visit);
            }
        }
        visits
    }

    /// When there is something to do next. `None`: not before a visit ends or a demand comes.
    pub fn wake_at(&self) -> Option<Time> {
        let free = self.busy < self.pace.visits;
        self.queue.first().filter(|_| free).map(|(wake, _, _)| *wake)
    }

    /// Looks at one again now, such as when somebody asks for it.
    pub fn touch(&mut self, id: &CertificateId, now: Time) {
        if self.entries.get(id).is_some_and(|entry| !entry.busy) {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.facts = None;
            }
            self.wake(id, now);
        }
    }

    /// Whether what a visit is for is wanted still, in this way.
    pub fn wants(&mut self, visit: &Visit) -> bool {
        self.entry_of(visit).is_some()
    }

    /// What to do, as these are the facts. `Wait` for what is not wanted any more.
    pub fn decide(&mut self, visit: &Visit, facts: &Facts, now: Time) -> Decision {
        match self.entry_of(visit) {
            Some(entry) => entry.decide(facts, now),
            None => Decision::Wait { until: Time::MAX, next: Next::Obtain },
        }
    }

    /// A visit ended, and this is what the storage holds now.
    pub fn visited(&mut self, visit: &Visit, facts: Facts, now: Time) {
        let pace = self.pace;
        self.end_visit(visit, now, |entry| {
            entry.trouble = None;
            let decision = entry.decide(&facts, now);
            entry.facts = Some(facts);
            entry.next_look(&decision, pace, now)
        });
    }

    /// A visit came to nothing.
    pub fn put_off(&mut self, visit: &Visit, why: PutOff, now: Time) {
        self.end_visit(visit, now, |entry| match why {
            PutOff::Elsewhere => {
                entry.facts = None;
                now + if entry.demand.on_demand { ELSEWHERE_ON_DEMAND } else { ELSEWHERE }
            }
            PutOff::NotWanted(until) => until.max(now + 1),
            PutOff::Throttled(until) => until.clamp(now + 1, now + super::HOUR),
            PutOff::Trouble(message) => {
                entry.trouble = Some(message);
                entry.facts = None;
                now + TROUBLE + spread(&entry.demand.id, now, TROUBLE)
            }
        });
    }

    pub fn plans(&mut self, now: Time) -> Vec<Plan> {
        self.entries.values_mut().map(|entry| entry.plan(now)).collect()
    }

    /// `None` when what the visit was for is not wanted any more, or not in this way.
    fn entry_of(&mut self, visit: &Visit) -> Option<&mut Entry> {
        self.entries.get_mut(&visit.demand.id).filter(|entry| Arc::ptr_eq(&entry.demand, &visit.demand))
    }

    fn end_visit(&mut self, visit: &Visit, now: Time, wake: impl FnOnce(&mut Entry) -> Time) {
        let Some(entry) = self.entry_of(visit) else {
            // Where it is wanted in another way by now, what the visit left in the storage is news.
            return self.touch(&visit.demand.id, now);
        };
        let was_busy = std::mem::take(&mut entry.busy);
        let at = wake(entry);
        self.busy -= usize::from(was_busy);
        self.wake(&visit.demand.id, at);
    }

    /// `None`: it is not its turn after all.
    fn visit(&mut self, id: &CertificateId, now: Time) -> Option<Visit> {
        let (demand, decision) = {
            let entry = self.entries.get_mut(id)?;
            let facts = entry.facts.clone();
            (Arc::clone(&entry.demand), facts.map(|facts| entry.decide(&facts, now)))
        };
        let kind = match decision {
            Some(Decision::Obtain(attempt)) => {
                if let Err(until) = self.take_slot(&demand, &attempt, now) {
                    self.wake(id, until.max(now + 1));
                    return None;
                }
                VisitKind::Act
            }
            Some(Decision::Ask) => VisitKind::Act,
            _ => VisitKind::Look,
        };
        let entry = self.entries.get_mut(id)?;
        if let Some((wake, urgency)) = entry.wake.take() {
            self.queue.remove(&(wake, urgency, id.clone()));
        }
        entry.busy = true;
        self.busy += 1;
        Some(Visit { demand, kind })
    }

    fn take_slot(&mut self, demand: &Demand, attempt: &Attempt, now: Time) -> Result<(), Time> {
        let Some(source) = demand.issuers.get(attempt.issuer) else { return Ok(()) };
        let known = self.slots.entry(attempt.directory.clone()).or_default();
        known.take(source.throttle, now)
    }

    fn wake(&mut self, id: &CertificateId, at: Time) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let Some((wake, urgency)) = entry.wake.take() {
            self.queue.remove(&(wake, urgency, id.clone()));
        }
        if entry.busy {
            return;
        }
        let urgency = entry.urgency(at);
        entry.wake = Some((at, urgency));
        self.queue.insert((at, urgency, id.clone()));
    }

    fn forget(&mut self, id: &CertificateId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        if let Some((wake, urgency)) = entry.wake {
            self.queue.remove(&(wake, urgency, id.clone()));
        }
        self.busy -= usize::from(entry.busy);
        Some(entry)
    }

    /// After the clock was set back, moments that were planned lie too far ahead.
    fn mind_the_clock(&mut self, now: Time) {
        let set_back = now + SET_BACK < self.latest;
        self.latest = now;
        if set_back {
            let ids: Vec<_> = self.entries.keys().cloned().collect();
            ids.iter().for_each(|id| self.wake(id, now));
        }
    }
}

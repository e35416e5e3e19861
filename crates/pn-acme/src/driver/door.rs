//! Where handshakes ask for certificates on demand. Workers call here: what cannot be allowed is refused on the spot, the
//! rest goes over a bounded queue to the thread of certificates. Nothing here waits or takes a lock.

use super::permission::Rules;
use arc_swap::ArcSwap;
use pn_model::IssuerName;
use pn_model::limits::ON_DEMAND_HANDSHAKES;
use pn_tls::{NoCertificate, OnDemand, OnDemandCounts, Waiting};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

pub(super) type RuleSet = BTreeMap<IssuerName, Arc<Rules>>;

/// One handshake that waits.
#[derive(Debug)]
pub(super) struct Knock {
    pub(super) rules: Arc<Rules>,
    pub(super) name: String,
    answer: oneshot::Sender<Result<(), NoCertificate>>,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) rules: Arc<ArcSwap<RuleSet>>,
    pub(super) knocks: mpsc::Sender<Knock>,
    pub(super) counts: Arc<Counts>,
    room: Arc<Semaphore>,
}

/// [`OnDemandCounts`], as they are counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) allowed: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) obtained: AtomicU64,
    pub(super) failed: AtomicU64,
}

pub(super) fn count(of: &AtomicU64) {
    of.fetch_add(1, Ordering::Relaxed);
}

impl Door {
    /// And where its knocks arrive.
    pub(super) fn new() -> (Self, mpsc::Receiver<Knock>) {
        let (knocks, inbox) = mpsc::channel(ON_DEMAND_HANDSHAKES);
        let room = Arc::new(Semaphore::new(ON_DEMAND_HANDSHAKES));
        (Self { rules: Arc::default(), knocks, counts: Arc::default(), room }, inbox)
    }

    fn full(&self) -> NoCertificate {
        count(&self.counts.turned_away);
        NoCertificate::Unavailable
    }
}

impl Knock {
    pub(super) fn answer(self, answer: Result<(), NoCertificate>) {
        // The client may have gone.
        self.answer.send(answer).unwrap_or_default();
    }

    pub(super) fn is_gone(&self) -> bool {
        self.answer.is_closed()
    }
}

impl OnDemand for Door {
    fn serves(&self, issuer: &IssuerName) -> bool {
        self.rules.load().contains_key(issuer)
    }

    fn knock(&self, issuer: &IssuerName, name: &str) -> Result<Waiting, NoCertificate> {
        let rules = self.rules.load().get(issuer).cloned().ok_or(NoCertificate::Denied)?;
        if !rules.open.may_be(name) {
            count(&self.counts.denied);
            return Err(NoCertificate::Denied);
        }
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| self.full())?;
        let (answer, answered) = oneshot::channel();
        let knock = Knock { rules, name: name.to_owned(), answer, _room: room };
        self.knocks.try_send(knock).map_err(|_| self.full())?;
        Ok(Box::pin(async move { answered.await.unwrap_or(Err(NoCertificate::Unavailable)) }))
    }

    fn counts(&self) -> OnDemandCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { allowed, denied, unanswered, turned_away, obtained, failed } = &*self.counts;
        OnDemandCounts {
            allowed: read(allowed),
            denied: read(denied),
            unanswered: read(unanswered),
            turned_away: read(turned_away),
            obtained: read(obtained),
            failed: read(failed),
        }
    }
}

//! Certificates that somebody asks for out of turn. What is asked for is another one than is held now: whoever obtains
//! it, the wish is granted then. Limits hold as ever (our throttle, a CA that asked for patience); the pause after failed
//! tries does not, for the first try.

use super::{Entry, Planner};
use crate::life::{Attempt, CertificateId, Decision, Facts, Time};

/// What comes of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// An order is begun now.
    Begins(Attempt),
    /// It is being looked after at this moment; when that ends without another certificate, an order is begun.
    UnderWay,
    /// Our throttle, or a CA that asked for patience, has it wait.
    Waits(Time),
    /// Looking after it came to nothing, for this reason. That is tried again at once, and an order is begun as soon as
    /// it works.
    Trouble(String),
    /// The storage has not been read yet, so that it is not known what is held.
    Unread,
    /// Nobody wants such a certificate.
    Unknown,
}

/// A wish that is not granted yet.
#[derive(Debug)]
pub(super) enum Wish {
    /// It is not known yet what is held.
    Blind,
    Known {
        /// What is to be replaced; `None`: there was none.
        serial: Option<String>,
        /// Rounds that had failed when it was asked for: the pause that follows from them does not count.
        failures: u32,
    },
}

impl Planner {
    /// Wants another certificate than the one that is held, now.
    pub fn ask_for(&mut self, id: &CertificateId, now: Time) -> Asked {
        let Some(entry) = self.entries.get_mut(id) else { return Asked::Unknown };
        let Some(facts) = entry.facts.clone() else { return self.ask_blindly(id, now) };
        entry.wish = Some(Wish::of(&facts));
        if entry.busy {
            return Asked::UnderWay;
        }
        match entry.decide(&facts, now) {
            Decision::Obtain(attempt) => {
                let full_until = self.full_until(id, &attempt, now);
                self.wake(id, now);
                full_until.map_or(Asked::Begins(attempt), Asked::Waits)
            }
            Decision::Wait { until, .. } => Asked::Waits(until),
            Decision::Ask => Asked::UnderWay,
        }
    }

    /// After trouble nothing is known of what is stored.
    fn ask_blindly(&mut self, id: &CertificateId, now: Time) -> Asked {
        let Some(entry) = self.entries.get_mut(id) else { return Asked::Unknown };
        let Some(trouble) = entry.trouble.clone() else { return Asked::Unread };
        entry.wish = Some(Wish::Blind);
        if entry.busy {
            return Asked::UnderWay;
        }
        self.wake(id, now);
        Asked::Trouble(trouble)
    }

    fn full_until(&self, id: &CertificateId, attempt: &Attempt, now: Time) -> Option<Time> {
        let source = self.entries.get(id)?.demand.issuers.get(attempt.issuer)?;
        let mut slots = self.slots.get(&attempt.directory)?.clone();
        slots.take(source.throttle, now).err()
    }
}

impl Entry {
    /// Whether another certificate is asked for, and whether no try has been made for that yet.
    pub(super) fn wishes(&mut self, facts: &Facts) -> (bool, bool) {
        let now = Wish::of(facts);
        self.wish = self.wish.take().and_then(|wish| match (wish, now) {
            (Wish::Blind, now) => Some(now),
            (wish, now) => wish.is_for_the_same(&now).then_some(wish),
        });
        let first =
            matches!(self.wish, Some(Wish::Known { failures, .. }) if failures == facts.tries.failures);
        (self.wish.is_some(), first)
    }
}

impl Wish {
    fn of(facts: &Facts) -> Self {
        let serial = facts.held.as_ref().map(|held| held.serial.clone());
        Self::Known { serial, failures: facts.tries.failures }
    }

    fn is_for_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known { serial: one, .. }, Self::Known { serial: other, .. }) => one == other,
            _ => false,
        }
    }
}

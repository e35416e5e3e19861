//! What is known of the tries for one certificate: how often it failed, where the next one goes, and when.

use super::ladder::pause;
use super::{Attempt, CertificateId, DAY, Demand, Held, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Longest that a CA's Retry-After is obeyed: beyond a week it is a mistake.
const HOLD_MOST: u64 = 7 * DAY;
/// Each of so many rounds goes to production without a rehearsal: it may be the staging CA that is broken.
const UNREHEARSED: u32 = 4;

/// What stands with a try until it has ended.
const BEGUN: &str = "the last try was not heard of again: the process ended during it";
/// Above the time that an order takes.
const ORDER_MOST: u64 = 3600;

/// Of a certificate that is not to be had at present. The default: nothing failed. A round is one try at each issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    /// Rounds that failed in a row.
    pub failures: u32,
    /// When the first of them ended.
    pub since: Time,
    /// When this was written.
    pub last: Time,
    /// Not before.
    pub next: Time,
    /// The directory of the issuer at which this round has come; `None`: it begins.
    pub at: Option<String>,
    /// Whether its staging CA has just said yes.
    pub rehearsed: bool,
    /// Directories that refused in earnest, and so are tried at their staging CA first.
    pub rehearse: BTreeSet<String>,
    /// Directories that asked for patience, and until when.
    pub held_back: BTreeMap<String, Time>,
    pub last_error: Option<String>,
}

/// How a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    pub retry_after: Option<Time>,
    /// What failed, and the remedy.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The CA looked at the order and said no.
    Refused,
    /// It asks for patience (429, or Retry-After).
    RateLimited,
    /// It was not to be reached, did not answer in time, or not in a way that makes sense.
    Unavailable,
}

impl Tries {
    /// Whether the next try at this issuer goes to its staging CA.
    pub(super) fn rehearses(&self, directory: &str) -> bool {
        !self.rehearsed && self.rehearse.contains(directory) && !self.failures.is_multiple_of(UNREHEARSED)
    }

    /// Until when the CA asked for patience, if that is still to come. What lies further ahead than it may ask for was
    /// noted by a clock that is or was ahead.
    pub(crate) fn holds(&self, directory: &str, now: Time) -> Option<Time> {
        let until = self.held_back.get(directory).copied()?;
        (until > now && until <= now.saturating_add(HOLD_MOST)).then_some(until)
    }

    /// Written before an order is made: should the process die in it, the others wait as after a failure.
    #[must_use]
    pub fn begun(&self, id: &CertificateId, held: Option<&Held>, now: Time) -> Self {
        let mut next = self.clone();
        next.last_error = Some(BEGUN.to_owned());
        next.end_round(id, held, now);
        next
    }

    /// Whether the try that was begun last ended with this certificate, and only that could not be written.
    pub fn ended_with(&self, held: &Held) -> bool {
        let since = held.obtained_at.checked_sub(self.last);
        self.last_error.as_deref() == Some(BEGUN) && since.is_some_and(|since| since < ORDER_MOST)
    }

    /// The staging CA said yes: production is next, at once.
    #[must_use]
    pub fn rehearsed(&self, demand: &Demand, attempt: &Attempt, now: Time) -> Self {
        let at = demand.issuers.get(attempt.issuer).map(|source| source.directory.clone());
        Self { at, rehearsed: true, last: now, next: now, ..self.clone() }
    }

    /// What follows from a failed try: the next issuer of the round, or a pause before the next round.
    #[must_use]
    pub fn failed(
        &self,
        demand: &Demand,
        held: Option<&Held>,
        attempt: &Attempt,
        failure: &Failure,
        now: Time,
    ) -> Self {
        let mut next = self.clone();
        next.last_error = Some(failure.message.clone());
        next.learn(demand, attempt, failure, now);
        let following = following(demand, held, attempt.issuer, &next, now);
        match following {
            Some(directory) => (next.at, next.rehearsed) = (Some(directory), false),
            None => next.end_round(&demand.id, held, now),
        }
        if next.at.is_some() {
            (next.last, next.next) = (now, now);
        }
        next
    }

    fn learn(&mut self, demand: &Demand, attempt: &Attempt, failure: &Failure, now: Time) {
        if let Some(until) = failure.retry_after {
            let until = until.min(now.saturating_add(HOLD_MOST));
            self.held_back.insert(attempt.directory.clone(), until);
        }
        self.held_back.retain(|_, until| (now..=now.saturating_add(HOLD_MOST)).contains(until));
        let known = |directory: &String| demand.issuers.iter().any(|source| source.directory == *directory);
        self.rehearse.retain(known);
        let Some(source) = demand.issuers.get(attempt.issuer) else { return };
        match (attempt.staging, failure.kind) {
            (true, FailureKind::Refused) => {}
            (false, FailureKind::Refused) => {
                self.rehearse.insert(source.directory.clone());
            }
            // Neither says anything of what the CA would check, so a rehearsal would tell nothing.
            (_, FailureKind::RateLimited | FailureKind::Unavailable) => {
                self.rehearse.remove(&source.directory);
            }
        }
    }

    fn end_round(&mut self, id: &CertificateId, held: Option<&Held>, now: Time) {
        // A first failure from the future: the clock was set back.
        if self.failures == 0 || self.since > now {
            self.since = now;
        }
        self.failures = self.failures.saturating_add(1);
        (self.at, self.rehearsed, self.last) = (None, false, now);
        let left = held.and_then(|held| held.last_moments(now));
        self.next = now + pause(id, self.failures, self.since, left, now);
    }
}

/// The issuer to try next in this round, past those that asked for patience.
fn following(demand: &Demand, held: Option<&Held>, after: usize, tries: &Tries, now: Time) -> Option<String> {
    let usable = demand.usable(held, now).iter().skip(after + 1);
    let mut free = usable.filter(|source| tries.holds(&source.directory, now).is_none());
    free.next().map(|source| source.directory.clone())
}

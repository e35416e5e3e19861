//! One certificate of the plan: what is known of it, and when it is to be looked at next. Which comes first, and how much
//! goes on at once, is `planner`'s.

use super::asked::Wish;
use super::{Pace, Plan};
use crate::life::decide::{Own, decide};
use crate::life::{Decision, Demand, Facts, MINUTE, Next, Time, spread};
use std::sync::Arc;

/// A certificate that is missing is looked at this often, for this long after somebody has begun an order for it: that
/// may have been another node.
const SOON: u64 = 3;
const BEGUN: u64 = 2 * MINUTE;

/// Those that have nothing to serve go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Missing,
    Pressing,
    Ordinary,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) demand: Arc<Demand>,
    pub(super) facts: Option<Facts>,
    /// In the queue at this moment; `None` while it is visited.
    pub(super) wake: Option<(Time, Urgency)>,
    pub(super) busy: bool,
    pub(super) trouble: Option<String>,
    /// When a try was first seen that is said to be of the future: its pause is counted from here.
    ahead: Option<Ahead>,
    newest: Option<Newest>,
    pub(super) wish: Option<Wish>,
}

/// The certificate that was seen last. `since`: when it was first seen in place of another.
#[derive(Debug, Clone, Copy)]
struct Newest {
    not_after: Time,
    obtained_at: Time,
    since: Option<Time>,
}

#[derive(Debug, Clone, Copy)]
struct Ahead {
    last: Time,
    failures: u32,
    seen: Time,
}

impl Entry {
    pub(super) fn new(demand: Arc<Demand>) -> Self {
        Self {
            demand,
            facts: None,
            wake: None,
            busy: false,
            trouble: None,
            ahead: None,
            newest: None,
            wish: None,
        }
    }

    pub(super) fn decide(&mut self, facts: &Facts, now: Time) -> Decision {
        let (asked_for, first) = self.wishes(facts);
        let pause_ends = self.pause_ends(facts, now);
        let not_before = if first { pause_ends.min(now) } else { pause_ends };
        let own = Own { not_before, seen: self.seen(facts, now), asked_for };
        decide(&self.demand, facts, own, now)
    }

    fn seen(&mut self, facts: &Facts, now: Time) -> Option<Time> {
        let held = facts.held.as_ref()?;
        let is_it =
            |newest: &Newest| (newest.not_after, newest.obtained_at) == (held.not_after, held.obtained_at);
        let since = match self.newest {
            // The clock was set back since: it counts anew.
            Some(known) if is_it(&known) => known.since.map(|since| since.min(now)),
            Some(_) => Some(now),
            None => None,
        };
        self.newest = Some(Newest { not_after: held.not_after, obtained_at: held.obtained_at, since });
        since
    }

    /// By the clock of this node. A try from the future was written by a node whose clock is ahead, or before ours was
    /// set back: what counts then is how long was to be waited, from when it was first seen.
    fn pause_ends(&mut self, facts: &Facts, now: Time) -> Time {
        let tries = &facts.tries;
        if tries.last <= now {
            self.ahead = None;
            return tries.next;
        }
        let same =
            |ahead: &Ahead| ahead.last == tries.last && ahead.failures == tries.failures && ahead.seen <= now;
        let seen = self.ahead.filter(same).map_or(now, |ahead| ahead.seen);
        self.ahead = Some(Ahead { last: tries.last, failures: tries.failures, seen });
        seen.saturating_add(tries.next.saturating_sub(tries.last))
    }

    pub(super) fn next_look(&self, decision: &Decision, pace: Pace, now: Time) -> Time {
        let Decision::Wait { until, .. } = decision else { return now };
        let tried = self.facts.as_ref().map_or(0, |facts| facts.tries.last);
        let recheck = match self.is_missing(now) {
            true if (tried..tried.saturating_add(BEGUN)).contains(&now) => SOON,
            true => pace.recheck_missing,
            false => pace.recheck,
        };
        let recheck = recheck + spread(&self.demand.id, now, recheck / 10);
        (*until).clamp(now + 1, now + recheck)
    }

    pub(super) fn is_missing(&self, now: Time) -> bool {
        let held = self.facts.as_ref().and_then(|facts| facts.held.as_ref());
        !held.is_some_and(|held| held.is_valid(now))
    }

    pub(super) fn urgency(&self, now: Time) -> Urgency {
        match self.facts.as_ref().and_then(|facts| facts.held.as_ref()) {
            Some(held) if held.is_valid(now) && held.is_pressing(now) => Urgency::Pressing,
            Some(held) if held.is_valid(now) => Urgency::Ordinary,
            _ => Urgency::Missing,
        }
    }

    pub(super) fn plan(&mut self, now: Time) -> Plan {
        let facts = self.facts.clone();
        let decision = facts.as_ref().map(|facts| self.decide(facts, now));
        let renews = if self.is_missing(now) { Next::Obtain } else { Next::Renew };
        let (next, at) = match decision {
            Some(Decision::Wait { until, next }) => (next, until),
            Some(Decision::Ask) => (Next::Ask, now),
            Some(Decision::Obtain(_)) | None => (renews, self.wake.map_or(now, |(wake, _)| wake.max(now))),
        };
        let Self { demand, busy, trouble, wish, .. } = self;
        let (demand, trouble) = (Arc::clone(demand), trouble.clone());
        Plan { demand, facts, busy: *busy, next, at, trouble, asked_for: wish.is_some() }
    }
}

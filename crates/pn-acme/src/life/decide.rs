//! What to do for one certificate at one moment.

use super::{Demand, Facts, Held, Time};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Obtain(Attempt),
    /// Ask the CA when it suggests to renew (RFC 9773).
    Ask,
    Wait {
        until: Time,
        next: Next,
    },
}

/// What follows when the waiting ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A first certificate, or one in place of one that has ended.
    Obtain,
    Renew,
    Ask,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which of [`Demand::issuers`].
    pub issuer: usize,
    /// Where it goes: the issuer's directory, or that of its staging CA.
    pub directory: String,
    /// Only to see whether it would work: what is obtained is thrown away.
    pub staging: bool,
    /// Whether to say which certificate it replaces (RFC 9773 section 5). Each third round does not: the CA may balk
    /// at it.
    pub replaces: bool,
}

/// What a node knows by its own clock, whatever others wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    /// When the pause after the last failure ends.
    pub(super) not_before: Time,
    /// When it saw the certificate take the place of another.
    pub(super) seen: Option<Time>,
    /// Somebody asked for another one.
    pub(super) asked_for: bool,
}

pub(super) fn decide(demand: &Demand, facts: &Facts, own: Own, now: Time) -> Decision {
    let Own { not_before, seen, asked_for } = own;
    let held = facts.held.as_ref();
    let due = held.filter(|_| !asked_for).map_or(0, |held| held.due(&demand.id, seen, now));
    let asks = held.and_then(|held| held.ask_due(now)).filter(|_| now < due);
    if asks.is_some_and(|at| at <= now) {
        return Decision::Ask;
    }
    let next = if held.is_some_and(|held| held.is_valid(now)) { Next::Renew } else { Next::Obtain };
    if now < due {
        return match asks {
            Some(at) if at < due => Decision::Wait { until: at, next: Next::Ask },
            _ => Decision::Wait { until: due, next },
        };
    }
    match pick(demand, facts, held, now.max(not_before)) {
        Ok(attempt) if not_before <= now => Decision::Obtain(attempt),
        Ok(_) => Decision::Wait { until: not_before, next },
        Err(until) => Decision::Wait { until, next },
    }
}

/// The issuer whose turn it is, past those that asked for patience.
fn pick(demand: &Demand, facts: &Facts, held: Option<&Held>, now: Time) -> Result<Attempt, Time> {
    let tries = &facts.tries;
    let usable = demand.usable(held, now);
    let at = tries.at.as_ref().and_then(|at| usable.iter().position(|source| source.directory == *at));
    let turn = || usable.iter().enumerate().skip(at.unwrap_or(0));
    let free = turn().find(|(_, source)| tries.holds(&source.directory, now).is_none());
    let Some((issuer, source)) = free else {
        return Err(turn()
            .filter_map(|(_, source)| tries.holds(&source.directory, now))
            .min()
            .unwrap_or(now));
    };
    let rehearsal = source
        .staging
        .as_ref()
        .filter(|staging| tries.rehearses(&source.directory) && tries.holds(staging, now).is_none());
    Ok(Attempt {
        issuer,
        directory: rehearsal.unwrap_or(&source.directory).clone(),
        staging: rehearsal.is_some(),
        replaces: tries.failures % 3 != 2,
    })
}

//! What a world is made of: chance, a storage, CAs with bad days.

use crate::Time;
use crate::life::*;
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) const START: Time = 1_800_000_000;
const LEASE: u64 = 120;

/// What kind of world.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) days: u64,
    pub(super) nodes: usize,
    pub(super) certificates: usize,
    /// Days that a certificate lives.
    pub(super) life: u64,
    pub(super) throttle: Throttle,
    pub(super) ari: Ari,
    /// Mean days between faults of each kind; 0: none.
    pub(super) faults: u64,
    /// Longest fault, in hours.
    pub(super) fault_hours: u64,
    pub(super) clock_jumps: bool,
    /// Whether there is a second issuer.
    pub(super) fallback: bool,
    /// Once obtained, no certificate ever ends.
    pub(super) never_ends: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ari {
    None,
    Sensible,
    /// Each window is in the past.
    AlwaysNow,
    /// No answer that makes sense.
    Broken,
}

pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) held: BTreeMap<CertificateId, Held>,
    pub(super) tries: BTreeMap<CertificateId, Tries>,
    pub(super) slots: BTreeMap<String, Slots>,
    /// By whom, which job, until when.
    pub(super) leases: BTreeMap<CertificateId, (u64, Time)>,
}

impl Store {
    pub(super) fn load(&self, id: &CertificateId) -> Facts {
        Facts { held: self.held.get(id).cloned(), tries: self.tries.get(id).cloned().unwrap_or_default() }
    }

    pub(super) fn lock(&mut self, id: &CertificateId, job: u64, now: Time) -> bool {
        let free = self.leases.get(id).is_none_or(|(_, until)| *until <= now);
        if free {
            self.leases.insert(id.clone(), (job, now + LEASE));
        }
        free
    }

    pub(super) fn owns(&self, id: &CertificateId, job: u64) -> bool {
        self.leases.get(id).is_some_and(|(owner, _)| *owner == job)
    }

    pub(super) fn unlock(&mut self, id: &CertificateId, job: u64) {
        if self.owns(id, job) {
            self.leases.remove(id);
        }
    }
}

#[derive(Default)]
pub(super) struct Authority {
    pub(super) down: Vec<Range<Time>>,
    pub(super) refuses: Vec<Range<Time>>,
    pub(super) limits: Vec<Range<Time>>,
    pub(super) orders: Vec<(Time, CertificateId)>,
    /// Until when it has asked for patience.
    pub(super) asked_until: Time,
}

impl Authority {
    pub(super) fn answer(&mut self, now: Time, rng: &mut Rng) -> Result<(), Failure> {
        let during = |ranges: &[Range<Time>]| ranges.iter().any(|range| range.contains(&now));
        let (kind, retry_after) = if during(&self.down) {
            (FailureKind::Unavailable, None)
        } else if during(&self.limits) {
            let until = now + rng.below(12 * HOUR);
            self.asked_until = self.asked_until.max(until);
            (FailureKind::RateLimited, Some(until))
        } else if during(&self.refuses) {
            (FailureKind::Refused, None)
        } else {
            return Ok(());
        };
        Err(Failure { kind, retry_after, message: format!("{kind:?}") })
    }

    /// Since when nothing ails it.
    pub(super) fn well_since(&self, now: Time) -> Option<Time> {
        let faults = self.down.iter().chain(&self.refuses).chain(&self.limits);
        let begun: Vec<_> = faults.filter(|range| range.start <= now).collect();
        if begun.iter().any(|range| range.contains(&now)) {
            return None;
        }
        Some(begun.iter().map(|range| range.end).max().unwrap_or(START).max(self.asked_until))
    }
}

/// What the CA says of the renewal.
pub(super) fn ask(held: &mut Held, ari: Ari, now: Time, rng: &mut Rng) {
    let life = held.not_after - held.not_before;
    let (start, end) = match ari {
        Ari::None => return,
        Ari::Sensible => (held.not_before + life * 6 / 10, held.not_before + life * 7 / 10),
        Ari::AlwaysNow => (now.saturating_sub(2 * DAY), now.saturating_sub(DAY)),
        Ari::Broken => (now, now),
    };
    held.window = Window::draw(start, end, held.window, rng.below(u64::MAX));
    held.ask_at = Some(now + 6 * HOUR);
}

/// Stretches of time at random.
pub(super) fn faults(scenario: &Scenario, rng: &mut Rng) -> Vec<Range<Time>> {
    let mut ranges = Vec::new();
    let mut time = START;
    if scenario.faults == 0 {
        return ranges;
    }
    loop {
        time += rng.below(2 * scenario.faults * DAY) + HOUR;
        if time > START + scenario.days * DAY {
            return ranges;
        }
        let end = time + 60 + rng.below(scenario.fault_hours * HOUR);
        ranges.push(time..end);
        time = end;
    }
}

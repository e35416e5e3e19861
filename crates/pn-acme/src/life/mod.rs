//! The life of every certificate, without I/O: which are wanted, when each is obtained, renewed and tried again, from
//! whom, and how often at most. Time, what is stored and what came of a try are handed in; what to do comes out. All that
//! decides outlives the process in the storage ([`Facts`]), so that nodes that share one come to the same conclusions.
//!
//! Not here: how an order goes (`acme`), where records lie (`storage`), and whoever carries the decisions out (`driver`).

mod decide;
mod demand;
mod ladder;
mod on_demand;
mod planner;
mod renewal;
mod throttle;
mod tries;

#[cfg(test)]
mod tests;

pub use decide::{Attempt, Decision, Next};
pub use demand::{CertificateId, Demand, Source, demands};
pub use on_demand::{OpenIssuer, open_issuers};
pub use planner::{Asked, Pace, Plan, Planner, PutOff, Standing, Visit, VisitKind};
pub use renewal::{Held, Window};
pub use throttle::{Slots, Throttle};
pub use tries::{Failure, FailureKind, Tries};

use crate::Time;

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// What the storage holds of one certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub held: Option<Held>,
    pub tries: Tries,
}

/// A number below `below` that is always the same for the same certificate and occasion: it spreads certificates over
/// time, and all nodes draw the same.
fn spread(id: &CertificateId, occasion: u64, below: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ occasion;
    let folded = id.as_str().bytes().fold(start, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a
    });
    // Its low bits differ little between similar texts.
    let mixed = (folded ^ (folded >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 17) % below.max(1)
}

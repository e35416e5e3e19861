//! Orders counted by what came of them, for the metrics.

use crate::life::FailureKind;
use pn_model::IssuerName;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What came of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderOutcome {
    Issued,
    /// The staging CA said yes; nothing of it is used.
    Rehearsed,
    Refused,
    RateLimited,
    Unavailable,
}

/// How many of each since the process started, by issuer.
pub type OrderCounts = BTreeMap<(IssuerName, OrderOutcome), u64>;

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<OrderCounts>);

impl OrderOutcome {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Rehearsed => "rehearsed",
            Self::Refused => "refused",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<FailureKind> for OrderOutcome {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Refused => Self::Refused,
            FailureKind::RateLimited => Self::RateLimited,
            FailureKind::Unavailable => Self::Unavailable,
        }
    }
}

impl Tally {
    pub(super) fn count(&self, issuer: &IssuerName, outcome: OrderOutcome) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((issuer.clone(), outcome)).or_default() += 1;
    }

    pub(super) fn counts(&self) -> OrderCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

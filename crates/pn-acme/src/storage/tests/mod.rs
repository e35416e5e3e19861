//! What every store must do, and what each does beyond it.

mod contract;
mod faults;
mod files;
mod processes;

use super::Clock;
use crate::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that a test sets.
#[derive(Clone)]
pub(super) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(super) fn at(now: Time) -> Self {
        Self(Arc::new(AtomicU64::new(now)))
    }

    pub(super) fn set(&self, now: Time) {
        self.0.store(now, Ordering::SeqCst);
    }

    pub(super) fn clock(&self) -> Clock {
        let now = self.0.clone();
        Arc::new(move || now.load(Ordering::SeqCst))
    }
}

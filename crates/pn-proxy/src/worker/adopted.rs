//! Which generation each worker has come to. A change ends when it is everywhere: who is told that it was accepted may
//! ask for it, and a worker that skipped a generation would never take the sockets that only that one had, so that
//! whoever connected there would wait for ever.
#![expect(clippy::disallowed_types, reason = "locked at changes only")]

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A worker that takes longer than this between two of its tasks is stuck in one, which is a bug; changes go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Locked at changes only.
#[derive(Debug)]
pub(crate) struct Adopted {
    numbers: Mutex<Box<[u64]>>,
    moved: Condvar,
}

impl Adopted {
    pub(crate) fn new(workers: usize) -> Self {
        Self { numbers: Mutex::new(vec![0; workers].into()), moved: Condvar::new() }
    }

    /// A worker is in step with a generation.
    pub(crate) fn set(&self, worker: usize, generation: u64) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.get_mut(worker) {
            *number = generation;
        }
        self.moved.notify_all();
    }

    /// A worker comes to no further generation: it drains. Nobody waits for it.
    pub(crate) fn leave(&self, worker: usize) {
        self.set(worker, u64::MAX);
    }

    /// Waits until every worker is; at most a few seconds.
    pub(crate) fn wait(&self, generation: u64) {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |numbers: &mut Box<[u64]>| numbers.iter().any(|&number| number < generation);
        let waited = self.moved.wait_timeout_while(numbers, PATIENCE, behind);
        let waited = waited.unwrap_or_else(PoisonError::into_inner).1;
        if waited.timed_out() {
            tracing::error!(generation, "a worker has not come to this generation: this is a bug");
        }
    }
}

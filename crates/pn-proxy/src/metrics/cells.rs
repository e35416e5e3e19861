//! The cells that workers count in: written by one thread with plain loads and stores, read by any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that one worker counts up, or up and down.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// No read-modify-write: only the owning worker writes.
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    pub(crate) fn sub(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).saturating_sub(amount), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of a histogram, in nanoseconds, ascending.
pub(crate) type Bounds = Arc<[u64]>;

/// How long things took.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: Bounds,
    /// One a bound, and one for what is above all.
    buckets: Box<[Count]>,
    /// Nanoseconds.
    sum: Count,
}

impl Histogram {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let buckets = (0..=bounds.len()).map(|_| Count::default()).collect();
        Self { bounds: Arc::clone(bounds), buckets, sum: Count::default() }
    }

    pub(crate) fn record(&self, nanoseconds: u64) {
        // Few bounds, and most requests are below the first of them.
        let at = self.bounds.iter().position(|&bound| nanoseconds <= bound).unwrap_or(self.bounds.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.add(1);
        }
        self.sum.add(nanoseconds);
    }

    pub(crate) fn add_to(&self, total: &mut Durations) {
        if total.bounds.is_empty() {
            total.bounds = Arc::clone(&self.bounds);
            total.buckets = vec![0; self.buckets.len()];
        }
        // Those of other bounds, from before a change of them, are on their way out.
        if total.bounds == self.bounds {
            total.buckets.iter_mut().zip(&self.buckets).for_each(|(sum, bucket)| *sum += bucket.get());
            total.sum += self.sum.get();
        }
    }
}

/// The sum of histograms.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    pub(crate) bounds: Bounds,
    pub(crate) buckets: Vec<u64>,
    pub(crate) sum: u64,
}

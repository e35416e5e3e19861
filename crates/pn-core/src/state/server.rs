//! The state of upstream servers and of the services that balance over them. Atomic cells, shared by all workers.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// One server of one service.
#[derive(Debug)]
pub struct ServerState {
    /// Requests that this server is working on, over all workers.
    pub in_flight: AtomicU32,
    /// What active health checks say; true until the first says otherwise.
    pub healthy: AtomicBool,
    /// The moment (`Env::now`) until which the server is ejected as an outlier. 0: not ejected.
    pub ejected_until: AtomicU64,
    pub failures: FailureWindow,
}

impl Default for ServerState {
    fn default() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            healthy: AtomicBool::new(true),
            ejected_until: AtomicU64::new(0),
            failures: FailureWindow::default(),
        }
    }
}

impl ServerState {
    /// Whether new requests may go there.
    pub fn available(&self, now: u64) -> bool {
        self.healthy.load(Relaxed) && self.ejected_until.load(Relaxed) <= now
    }
}

/// Counts failures in a window of time. Two racing writers may lose one count, which only delays an ejection.
#[derive(Debug, Default)]
pub struct FailureWindow {
    began: AtomicU64,
    count: AtomicU32,
}

impl FailureWindow {
    /// Records a failure at `now` and returns how many there were within `window` nanoseconds, this one included.
    pub fn record(&self, now: u64, window: u64) -> u32 {
        if now.saturating_sub(self.began.load(Relaxed)) > window {
            self.began.store(now, Relaxed);
            self.count.store(1, Relaxed);
            return 1;
        }
        self.count.fetch_add(1, Relaxed).saturating_add(1)
    }

    pub fn clear(&self) {
        self.count.store(0, Relaxed);
    }
}

/// What a service's balancing remembers between requests. Workers count for themselves where they can; this is what
/// must be one for the process.
#[derive(Debug, Default)]
pub struct BalanceState {
    /// Where the next worker begins its round.
    pub offset: AtomicU64,
    pub retries: RetryBudget,
}

/// Bounds retries to a share of requests over ten-second windows, with a floor of one a second.
#[derive(Debug, Default)]
pub struct RetryBudget {
    began: AtomicU64,
    requests: AtomicU32,
    retries: AtomicU32,
}

const BUDGET_WINDOW: u64 = 10_000_000_000;
const BUDGET_FLOOR: f64 = 10.0;

impl RetryBudget {
    pub fn request(&self, now: u64) {
        self.roll(now);
        self.requests.fetch_add(1, Relaxed);
    }

    /// Whether one more retry is within `share` of the requests; counts it when it is.
    pub fn allow(&self, now: u64, share: f64) -> bool {
        self.roll(now);
        let allowed = (f64::from(self.requests.load(Relaxed)) * share).max(BUDGET_FLOOR);
        if f64::from(self.retries.load(Relaxed)) >= allowed {
            return false;
        }
        self.retries.fetch_add(1, Relaxed);
        true
    }

    fn roll(&self, now: u64) {
        if now.saturating_sub(self.began.load(Relaxed)) > BUDGET_WINDOW {
            self.began.store(now, Relaxed);
            self.requests.store(0, Relaxed);
            self.retries.store(0, Relaxed);
        }
    }
}

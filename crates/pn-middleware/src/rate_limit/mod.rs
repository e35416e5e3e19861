//! `rate-limit`: so many requests a period for each client, by the generic cell rate algorithm: one moment a client,
//! no timers, exact over any window.

use crate::Built;
use crate::client_key::Keyer;
use crate::slots::{Keys, Slots};
use ahash::RandomState;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use pn_core::{BuildContext, BuildError, Env, Flow, Middleware, Reply, RequestContext};
use pn_model::middleware::RateLimit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug)]
struct Limit {
    keyer: Keyer,
    pace: Pace,
    buckets: Arc<Buckets>,
}

/// What outlives a reload that leaves the limit as it was.
#[derive(Debug)]
struct Buckets {
    seed: RandomState,
    /// The moment at which each client's bucket is full again.
    full_at: Slots,
}

/// Nanoseconds that one request costs, and that a client may be ahead by.
#[derive(Debug, Clone, Copy)]
struct Pace {
    cost: u64,
    ahead: u64,
}

pub(crate) fn build(spec: &RateLimit, cx: &mut BuildContext<'_>) -> Built {
    let pace = Pace::new(spec)?;
    let keyer = Keyer::new(&spec.by, "rate-limit")?;
    let defined_by = format!("{spec:?}");
    let buckets = cx.state(&defined_by, || Buckets::new(keyer.keys()));
    Ok(Arc::new(Limit { keyer, pace, buckets }))
}

impl Buckets {
    fn new(keys: Keys) -> Self {
        Self { seed: RandomState::default(), full_at: Slots::new(keys) }
    }
}

impl Middleware for Limit {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, env: &dyn Env) -> Flow {
        let key = self.keyer.key(cx, &self.buckets.seed);
        match self.pace.take(&self.buckets.full_at.slot(key).value, env.now()) {
            Ok(()) => Flow::Continue,
            Err(wait) => too_many(wait),
        }
    }
}

impl Pace {
    fn new(spec: &RateLimit) -> Result<Self, BuildError> {
        let period = u64::try_from(spec.period.as_nanos()).unwrap_or(u64::MAX);
        let cost = period.checked_div(spec.amount).filter(|&cost| cost > 0);
        let cost = cost.ok_or_else(|| {
            BuildError::new(["rate-limit", "rate"], "the rate is nothing, or without bound")
        })?;
        Ok(Self { cost, ahead: cost.saturating_mul(spec.burst.max(1)) })
    }

    /// Takes one request out of a bucket, or says how many nanoseconds are left until that is possible.
    fn take(self, full_at: &AtomicU64, now: u64) -> Result<(), u64> {
        let mut seen = full_at.load(Relaxed);
        loop {
            let next = seen.max(now).saturating_add(self.cost);
            let wait = next.saturating_sub(now).saturating_sub(self.ahead);
            if wait > 0 {
                return Err(wait);
            }
            match full_at.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }
}

#[cold]
fn too_many(wait: u64) -> Flow {
    let seconds = wait.div_ceil(1_000_000_000);
    let reply = Reply::text(StatusCode::TOO_MANY_REQUESTS, "429 Too Many Requests\n");
    Flow::Respond(Box::new(reply.with_header(RETRY_AFTER, HeaderValue::from(seconds))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pn_model::middleware::ClientKey;
    use std::time::Duration;

    #[test]
    fn a_bucket_gives_its_burst_and_then_the_rate() {
        let spec = RateLimit { amount: 10, period: Duration::from_secs(1), burst: 3, by: ClientKey::All };
        let pace = Pace::new(&spec).unwrap();
        let bucket = AtomicU64::new(0);
        let ms = 1_000_000;
        let start = 5_000 * ms;
        for _ in 0..3 {
            assert_eq!(pace.take(&bucket, start), Ok(()));
        }
        assert_eq!(pace.take(&bucket, start), Err(100 * ms));
        assert_eq!(pace.take(&bucket, start + 99 * ms), Err(ms));
        assert_eq!(pace.take(&bucket, start + 100 * ms), Ok(()));
        assert_eq!(pace.take(&bucket, start + 100 * ms), Err(100 * ms));
        for _ in 0..3 {
            assert_eq!(pace.take(&bucket, start + 10_000 * ms), Ok(()));
        }
        assert!(pace.take(&bucket, start + 10_000 * ms).is_err());
    }
}

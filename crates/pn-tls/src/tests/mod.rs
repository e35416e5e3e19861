//! Handshakes in memory between rustls on both sides: what a client meets, not how it is made.

mod choice;
mod client_auth;
mod files;
mod on_demand;
mod pki;
mod policies;
mod resumption;
mod store;
mod upstream;
mod world;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A clock that only moves when it is told to.
#[derive(Debug)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seconds)))
    }

    /// Starts at the real time, which is that of the clients.
    pub(crate) fn real() -> Arc<Self> {
        Self::at(UnixTime::now().as_secs())
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::SeqCst))))
    }
}

//! Requests in flight, counted where balancing goes by them.

use pn_core::state::ServerState;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One request that a server is working on.
pub(super) struct InFlight(Arc<ServerState>);

impl InFlight {
    pub(super) fn new(state: &Arc<ServerState>) -> Self {
        state.in_flight.fetch_add(1, Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

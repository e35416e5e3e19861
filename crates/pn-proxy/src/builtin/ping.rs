//! `@ping`: whether this process takes requests, for load balancers in front.

use http::StatusCode;
use pn_core::{BuiltinService, Reply, RequestContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// 200 `OK`, or 503 while the process drains, so that a balancer sends no more.
#[derive(Debug, Default)]
pub struct Ping {
    draining: Arc<AtomicBool>,
}

impl Ping {
    /// `draining` is set by whoever tells the process to stop.
    pub fn new(draining: Arc<AtomicBool>) -> Self {
        Self { draining }
    }
}

impl BuiltinService for Ping {
    fn reply(&self, _request: &RequestContext) -> Reply {
        if self.draining.load(Relaxed) {
            return Reply::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        Reply::text(StatusCode::OK, "OK\n")
    }
}

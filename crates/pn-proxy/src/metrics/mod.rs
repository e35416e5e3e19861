//! Metrics of the data plane: each worker counts in cells that it alone writes; a scrape sums them.

use http::{Method, StatusCode};
use pn_core::tls::TlsInfo;

/// What one worker counts.
#[derive(Default)]
pub(crate) struct Shard {}

/// A finished exchange, as it is counted.
pub(crate) struct Finished<'a> {
    /// The listener's name.
    pub(crate) entrypoint: &'a str,
    /// The label of the service that was asked, `None` when none was.
    pub(crate) service: Option<&'a str>,
    /// The label of the route, `None` when none matched.
    pub(crate) route: Option<&'a str>,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<&'a TlsInfo>,
    /// Nanoseconds from the end of the request's head to the last byte of the response.
    pub(crate) duration: u64,
    /// Bytes of the request body.
    pub(crate) received: u64,
    /// Bytes of the response body.
    pub(crate) sent: u64,
}

/// The `protocol` label, as Traefik has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Http,
    Websocket,
    Sse,
}

impl Shard {
    pub(crate) fn finished(&self, exchange: &Finished<'_>) {
        let _ = exchange;
    }

    /// A connection or stream was lost to a panic.
    pub(crate) fn panicked(&self) {}

    /// A request to this service was sent to another server.
    pub(crate) fn retried(&self, service: &str) {
        let _ = service;
    }

    /// Whether the lookup at hand is one of those that are timed.
    pub(crate) fn samples_lookup(&self) -> bool {
        false
    }

    pub(crate) fn looked_up(&self, listener: &str, nanoseconds: u64) {
        let _ = (listener, nanoseconds);
    }
}

//! Upstreams: pools, dialing, names, balancing, health.

/// A worker's upstream pools.
#[derive(Default)]
pub(crate) struct Upstreams {}

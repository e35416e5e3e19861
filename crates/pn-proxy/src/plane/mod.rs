//! The data plane as the control plane and the binary see it.

mod state;

pub(crate) use state::PlaneState;

use std::os::fd::OwnedFd;

/// What the process gives the data plane at its start.
#[derive(Debug, Default)]
pub struct PlaneOptions {
    /// 0: one a core.
    pub workers: usize,
    /// Sockets that were handed over (systemd), by their names.
    pub sockets: Vec<(String, OwnedFd)>,
}

/// The running data plane.
#[derive(Debug)]
pub struct Plane {}

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("a worker could not start: {0}")]
    Worker(#[from] std::io::Error),
}

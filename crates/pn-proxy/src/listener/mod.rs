//! Listening sockets of a worker: accepting, counting, draining.

mod acceptor;
mod gate;

pub(crate) use acceptor::{Door, run};
pub(crate) use gate::{Gate, Permit};

//! The data plane: workers with their own sockets, connections, exchanges and upstream pools. It runs the graphs that
//! the control plane publishes and knows nothing of where they come from.

mod access_log;
mod bell;
mod builtin;
mod conn;
mod cx;
mod exchange;
mod flow;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod listener;
mod metrics;
mod plane;
#[cfg(test)]
mod tests;
mod upstream;
mod wire;
mod worker;

pub use builtin::{Ping, Whoami};
pub use metrics::Meters;
pub use plane::{Drained, Plane, PlaneOptions, StartError};

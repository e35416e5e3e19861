//! The admin API and the metrics: everything that the process shows of itself over HTTP, and every JSON shape of it.
//! What is shown is made elsewhere; of what is changed only `reload` and `rollback` are here, and both only ask the
//! control plane.

mod builtin;
mod metrics;
mod server;
mod views;

#[cfg(test)]
mod tests;

pub use builtin::{Api, MetricsPage};
pub use server::{AdminError, AdminServer};
pub use views::{Certificate, Process, Views};

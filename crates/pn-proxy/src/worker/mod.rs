//! Workers: one thread, one current-thread runtime, own sockets and pools.

mod adopted;
mod doors;
mod env;
mod run;

pub(crate) use adopted::Adopted;
pub(crate) use env::{Blocking, Clock, WorkerEnv};
pub(crate) use run::{Command, Start};

//! Workers: one thread, one current-thread runtime, own sockets and pools.

mod env;

pub(crate) use env::WorkerEnv;

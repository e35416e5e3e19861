//! The upstream side against real sockets: peers in order, and peers that lie.

mod balancing;
mod bench;
mod failures;
mod http1;
mod http2;
mod moves;
mod proxy_out;
mod reload;
mod retries;
mod tls;
mod upgrade;

pub(super) use bench::{node, server};
pub(super) use reload::{graph, model};

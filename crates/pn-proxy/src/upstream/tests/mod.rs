//! The upstream side against real sockets: peers in order, and peers that lie.

mod bench;
mod failures;
mod http1;
mod retries;

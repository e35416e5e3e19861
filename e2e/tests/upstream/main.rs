//! What happens between the proxy and its upstream servers, by the real binary over real sockets: who is chosen, who is
//! left out, what is asked again, how failures are told, and how each kind of server is spoken to.
#![expect(clippy::expect_used, reason = "a step of a row fails as a test does, by a panic")]

mod balancing;
mod failures;
mod health;
mod kinds;
mod names;
mod proxy_protocol;
mod real_servers;
mod retries;
mod rig;
mod sticky;

//! What tests need around the code they test: origins, raw clients, certificates, real peers started and stopped.
//! Knows nothing of the proxy's own crates; the proxy is a binary to it. Everything here blocks and panics with what
//! it saw, so tests read as plain steps: a failing step is a failing test. Nothing it starts outlives the test.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a helper of tests fails as a test does: by a panic that names what was seen"
)]

mod acme2certifier;
mod alone;
mod caddy;
mod caddy_client;
mod certificates;
mod folder;
mod http1;
mod metrics;
mod named;
mod nginx;
mod origin;
mod pebble;
mod port;
mod powerdns;
mod process;
mod proxy;
mod python;
mod raw;
mod raw_origin;
mod runtime;
mod seen;
mod session;
mod tls;
mod tools;
mod traefik;
mod wait;

pub mod differential;
pub mod h2;

pub use acme2certifier::Acme2Certifier;
pub use alone::alone;
pub use caddy::Caddy;
pub use caddy_client::CaddyClient;
pub use certificates::{Authority, Identity, Lifetime};
pub use folder::Folder;
pub use http1::{RawResponse, parse_response};
pub use metrics::Metrics;
pub use named::Named;
pub use nginx::Nginx;
pub use origin::{Origin, Recorded};
pub use pebble::{Pebble, PebbleOptions};
pub use port::{DeafPort, free_port};
pub use powerdns::PowerDns;
pub use process::{Finished, Peer, Signal, find_program};
pub use proxy::{Proxy, Reload, Setup};
pub use python::{python, python_server, venv_program};
pub use raw::{End, RawClient};
pub use raw_origin::{RawOrigin, Wire};
pub use seen::{Seen, read_request, read_request_after, requests};
pub use session::{Reply, Session, request};
pub use tls::TlsOptions;
pub use tools::{Curl, Load, curl, h2load, wrk};
pub use traefik::Traefik;
pub use wait::{PATIENCE, wait_for, wait_until};

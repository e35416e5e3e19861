//! TLS of the proxy: which certificate and policy a ClientHello gets before any route is known, session tickets,
//! client certificates, and the client side for upstream servers. No sockets and no async: `pn-proxy` moves the
//! bytes, `pn-acme` and the control plane put certificates into the store.
//!
//! The way of a connection: [`read_signal`] → [`TlsTable::choose`] → (for a name without certificate, perhaps [`TlsTable::obtain`]) →
//! handshake → [`finished`].

mod challenges;
mod client_auth;
mod error;
mod hosts;
mod identity;
mod on_demand;
mod only_these;
mod pair;
mod pem;
mod policy;
mod resolver;
mod signal;
mod signatures;
mod store;
mod suites;
mod table;
mod tickets;
mod upstream;

#[cfg(test)]
mod tests;

pub use challenges::{ChallengeBoard, ChallengeError};
pub use error::{TlsError, TlsErrorKind, TlsWarning};
pub use identity::{ClientCertificateExpired, client_identity, finished};
pub use on_demand::{NoCertificate, OnDemand, OnDemandCounts, Unheld, Waiting};
pub use pair::{certified_key, validation_key};
pub use pn_core::tls::{ClientIdentity, PolicyId, TlsInfo, TlsSignal};
pub use rustls::sign::CertifiedKey;
pub use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
pub use signal::{Hello, normalise_sni, read_signal};
pub use store::{CertificateInfo, CertificateStore, Mint, Minted, Source, certificate_info};
pub use table::{Choice, INTERNAL_ERROR, Serve, TlsListener, TlsSite, TlsTable, UNRECOGNIZED_NAME};
pub use upstream::{UpstreamBatch, UpstreamTls, server_name};

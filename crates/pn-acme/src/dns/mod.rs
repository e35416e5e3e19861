//! Challenges that are answered in the DNS: dns-01 (RFC 8555 section 8.4) and dns-persist-01
//! (draft-ietf-acme-dns-persist). Here: how TXT records get into a zone and out of it, where they belong, and whether
//! they can be seen. When that is done, and for which names, is decided elsewhere.

#[cfg(any(feature = "dns-providers", test))]
mod cover;
mod delegation;
mod error;
mod exchange;
mod exec;
mod httpreq;
mod journal;
#[cfg(feature = "dns-providers")]
mod library;
mod lookup;
mod persist;
mod presenter;
mod propagation;
mod solver;
mod turn;
mod update;
mod zone;

#[cfg(test)]
mod tests;

pub use error::DnsError;
pub use exec::Exec;
pub use httpreq::{HookAnswer, HttpClient, HttpReq, JsonPost};
#[cfg(feature = "dns-providers")]
pub use library::{PROVIDERS, Provider};
pub use presenter::{DnsPresenter, RawChallenge, TxtRecord};
pub use solver::DnsSolver;
pub use update::Rfc2136;

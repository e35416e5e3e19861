//! Where certificates come from: the internal CA, with its files, its schedule of renewals, and the installation of its
//! root into the system's store; the store that ACME's accounts and certificates are kept in, when each certificate of
//! ACME is obtained and renewed, and how challenges are answered in the DNS. Only `driver` has a thread, which the
//! control plane starts; all else is told the time.
//!
//! ## The state directory
//!
//! ```text
//! lock                     held by the one process that uses the directory
//! internal-ca/root.pem     key and certificate of the root, in one file so that they cannot disagree
//! internal-ca/root.crt     the certificate alone, for people and trust stores; made anew from root.pem
//! internal-ca/intermediate.pem
//! internal-ca/leaves/NAME-HASH.pem   key and chain, by the names of the certificate
//! certificates/            accounts and certificates of ACME, unless they are kept elsewhere: see `storage`
//! ```

pub mod acme;
pub mod ca;
pub mod dns;
pub mod driver;
mod error;
pub mod exchange;
mod files;
pub mod laws;
pub mod life;
pub mod records;
mod regular;
pub mod storage;
pub mod trust;
mod validation;

pub use ca::{Demand, InternalCa, Issued, MintBy, demands, minting};
pub use error::AcmeError;
pub use files::StateDir;
pub use validation::tls_alpn_certificate;

/// Seconds since 1970.
pub type Time = u64;

/// What this machine calls itself.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

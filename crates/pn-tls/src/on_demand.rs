//! Names that are only known once a client asks for them, under `*` and `**.host`, and that an issuer may obtain a
//! certificate for when they are. Who obtains it is behind [`OnDemand`]; a name that has its certificate is served like
//! any other and never comes here.

use pn_model::IssuerName;
use std::future::Future;
use std::pin::Pin;

/// A name without a certificate, of a site whose issuer may obtain one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheld {
    pub issuer: IssuerName,
    /// Normalised.
    pub name: Box<str>,
}

/// Why a name has no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCertificate {
    /// It is not to have one.
    Denied,
    /// It may have one, and has none yet: too much goes on, or the CA did not give it.
    Unavailable,
}

/// Until it is known. Who waits bounds how long.
pub type Waiting = Pin<Box<dyn Future<Output = Result<(), NoCertificate>> + Send>>;

/// Obtains certificates for names that clients bring. Called in the middle of handshakes, by all workers: it must not
/// block, and what it keeps must be bounded, as anybody may send any name.
pub trait OnDemand: Send + Sync {
    /// Whether sites of this issuer get certificates for such names.
    fn serves(&self, issuer: &IssuerName) -> bool;

    /// Somebody asks for this name, normalised, of a site that is for it.
    fn knock(&self, issuer: &IssuerName, name: &str) -> Result<Waiting, NoCertificate>;

    fn counts(&self) -> OnDemandCounts;
}

/// Since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OnDemandCounts {
    /// Names that the list or the service allowed.
    pub allowed: u64,
    /// Names that nobody allowed.
    pub denied: u64,
    /// Times that the service was asked and did not answer.
    pub unanswered: u64,
    /// Handshakes that were turned away for want of room.
    pub turned_away: u64,
    /// Names that got their certificate.
    pub obtained: u64,
    /// Names that were allowed and got none.
    pub failed: u64,
}

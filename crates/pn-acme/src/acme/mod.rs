//! The ACME client (RFC 8555, 8737, 8738, 9773): keys, messages and what is said when. Sockets, clocks, files and tasks
//! are not here: each procedure is a [`Machine`] that is handed what happened and the time, and answers with the one
//! thing that is to be done next.
//!
//! ```text
//! let session = Session::new(directory, AccountKey::generate(KeyType::P256)?, None)?;
//! Register { email, ..Default::default() }.machine(&session)          then
//! Order { names, csr, .. }.machine(&session)                          as often as wanted, also side by side
//! ```

mod account;
mod answer;
mod call;
mod certificate;
mod csr;
mod fault;
mod jws;
mod machine;
mod order;
pub(crate) mod pem;
mod procedure;
mod renewal;
mod session;
#[cfg(test)]
pub(crate) mod sim;
#[cfg(test)]
mod tests;
mod url;
mod wire;

pub use account::{Deactivate, Register, Registered, Rollover, UpdateContact};
pub use certificate::CertId;
pub use csr::CertificateKey;
pub(crate) use fault::shown;
pub use fault::{AcmeFault, FaultKind, Problem, Subproblem};
pub use jws::{AccountKey, KeyError};
pub use machine::{
    Action, Challenge, HttpMethod, HttpRequest, HttpResponse, Identifier, Input, Machine, Step, Time,
    TransportError,
};
pub use order::{DryRan, DryRun, Obtained, Order, ReadDirectory};
pub use pn_model::acme::{ChallengeKind, KeyType};
pub use procedure::Procedure;
pub use renewal::{RenewalInfo, RenewalWindow, RevocationReason, Revoke};
pub use session::Session;
pub(crate) use url::check_url;
pub use wire::{Directory, Meta};

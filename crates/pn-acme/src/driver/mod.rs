//! Makes the schedule of certificates real: a thread with a runtime of its own carries out what `life` decides, by the
//! procedures of `acme`, on the records of a storage, and publishes what comes of it to the handshakes. What is wanted is
//! said by the control plane; nothing here is on the way of a request.

mod accounts;
mod awaited;
mod board;
mod books;
mod context;
mod damage;
mod desk;
mod dns;
mod door;
mod guests;
mod job;
mod keep;
mod loudness;
mod others;
mod permission;
mod presenters;
mod rehearsal;
mod revoke;
mod run;
mod served;
mod service;
mod sweep;
mod tally;
mod throttle;
mod transport;
mod wanted;
mod work;

#[cfg(test)]
mod tests;

pub use accounts::{AccountRefusal, AccountStatus};
pub use awaited::Silence;
pub use board::{CertificateState, CertificateStatus};
pub use presenters::Presenter;
pub use rehearsal::{Rehearsal, Trial, TrialOutcome, rehearse};
pub use revoke::{RevocationRefusal, Revoked};
pub use service::{Driver, DriverParts};
pub use tally::{OrderCounts, OrderOutcome};
pub use transport::Transport;
pub use wanted::{Unusable, Wanted};

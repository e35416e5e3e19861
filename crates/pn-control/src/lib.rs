//! The control plane: from a provider's configuration to the running graph and back. Reads through `pn-config`,
//! compiles through `pn-core`, has certificates made by `pn-acme`, and alone holds the publisher. What serves requests,
//! and how any of this looks on the wire, lives elsewhere.

mod acme;
mod candidate;
mod control;
mod error;
mod follower;
mod history;
mod issuing;
mod kept;
mod last_good;
mod provider;
mod reconcile;
mod status;
mod summary;
mod texts;
mod watch;

#[cfg(test)]
mod tests;

pub use acme::{AcmeIssuing, StorePlace};
pub use candidate::{Candidate, Finding, Inputs, Loading, Locate, Place, Provider, Severity};
pub use control::{Control, ControlThread, Parts};
pub use error::ControlError;
pub use follower::{Change, Follower};
pub use history::Entry;
pub use issuing::{InternalIssuing, Issuing, NoIssuing};
pub use last_good::LastGood;
pub use provider::{Environment, FileProvider};
pub use reconcile::{Outcome, Refusal, Trigger};
pub use status::{Lifecycle, Reload, Status, StatusSource};

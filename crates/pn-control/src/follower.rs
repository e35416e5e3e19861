//! Parts of the process beside the data plane that follow the configuration: logs, the admin address. They prepare and
//! may refuse like the data plane does, and change when the graph does.

use pn_core::{PrepareError, RouterGraph};

/// What makes a prepared change real. Cannot fail; dropping it uncalled undoes the preparation.
pub type Change = Box<dyn FnOnce() + Send>;

pub trait Follower: Send + Sync {
    /// Opens what may fail for `next`. Changes nothing that runs.
    fn prepare(&self, next: &RouterGraph) -> Result<Change, Vec<PrepareError>>;
}

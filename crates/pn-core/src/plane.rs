//! The second of the three moves of a change: the data plane prepares what may fail, and may refuse.

use crate::graph::RouterGraph;
use pn_model::NodePath;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Implemented by the data plane, called by the control plane.
pub trait DataPlane: Send + Sync {
    /// Binds sockets, builds TLS configurations, loads what may fail, for `next`. Changes nothing that runs: what it
    /// returns undoes itself when it is dropped before it is committed. Every error is returned at once.
    fn prepare(&self, next: &RouterGraph) -> Result<Prepared, Vec<PrepareError>>;

    /// Returns when this generation, which is committed, answers every new request: only then is anybody told that it
    /// was accepted. Bounded: a data plane that does not come to it in seconds says so and lets the change go on.
    fn await_serving(&self, generation: u64);
}

/// What the data plane made ready for one graph. Workers find it beside the graph, by its type.
pub struct Prepared {
    pub(crate) made: Arc<dyn Any + Send + Sync>,
    warnings: Vec<PrepareWarning>,
}

impl Prepared {
    pub fn new(made: Arc<dyn Any + Send + Sync>) -> Self {
        Self { made, warnings: Vec::new() }
    }

    /// With what works and should be looked at, for the log and the API.
    #[must_use]
    pub fn with_warnings(self, warnings: Vec<PrepareWarning>) -> Self {
        Self { warnings, ..self }
    }

    /// Takes the warnings out.
    pub fn take_warnings(&mut self) -> Vec<PrepareWarning> {
        std::mem::take(&mut self.warnings)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

/// Why a graph cannot run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct PrepareError {
    pub at: NodePath,
    pub message: String,
    pub help: Option<String>,
}

/// Something that works here and should be looked at: a certificate that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepareWarning {
    pub at: NodePath,
    pub message: String,
}

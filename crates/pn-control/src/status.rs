//! What the control plane shows of itself: a snapshot for the API, and the flags of the process's life.

use crate::candidate::Finding;
use crate::history::Entry;
use crate::reconcile::Trigger;
use arc_swap::ArcSwap;
use pn_model::Model;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

/// One moment. Immutable; the next change makes a new one.
#[derive(Debug, Clone)]
pub struct Status {
    pub generation: u64,
    /// What runs.
    pub model: Arc<Model>,
    pub warnings: Vec<Finding>,
    /// The last attempt, unchanged ones included.
    pub last_reload: Option<Reload>,
    pub last_success: Option<SystemTime>,
    pub last_failure: Option<SystemTime>,
    /// Attempts that were accepted, the first one and unchanged ones included.
    pub reloads: u64,
    /// Attempts that were refused.
    pub refusals: u64,
    /// Newest last.
    pub history: Vec<Arc<Entry>>,
    /// The generation whose configuration a rollback brought back; it stays until the files change again.
    pub rolled_back_to: Option<u64>,
    /// Settings that were changed and wait for a restart, in words.
    pub pending_restart: Vec<String>,
}

/// One attempt to change the configuration.
#[derive(Debug, Clone)]
pub struct Reload {
    pub success: bool,
    pub time: SystemTime,
    pub trigger: Trigger,
    /// What changed, or why not.
    pub summary: String,
    /// Not empty when refused.
    pub findings: Vec<Finding>,
}

impl Status {
    fn before_first() -> Self {
        Self {
            generation: 0,
            model: Arc::default(),
            warnings: Vec::new(),
            last_reload: None,
            last_success: None,
            last_failure: None,
            reloads: 0,
            refusals: 0,
            history: Vec::new(),
            rolled_back_to: None,
            pending_restart: Vec::new(),
        }
    }
}

/// Where the newest status hangs. Made before the control plane, so that whoever shows it can be a part of the graph.
#[derive(Debug, Clone)]
pub struct StatusSource(Arc<ArcSwap<Status>>);

impl Default for StatusSource {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Status::before_first())))
    }
}

impl StatusSource {
    pub fn read(&self) -> Arc<Status> {
        self.0.load_full()
    }

    /// By the control thread alone.
    pub(crate) fn write(&self, status: Status) {
        self.0.store(Arc::new(status));
    }
}

/// Where the process is between its start and its end.
#[derive(Debug)]
pub struct Lifecycle {
    pub started: SystemTime,
    draining: Arc<AtomicBool>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { started: SystemTime::now(), draining: Arc::default() }
    }
}

impl Lifecycle {
    /// From here on the process takes no new work; load balancers before it are told by `/ping`.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// The flag itself, for those on the data plane who answer by it.
    pub fn draining(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.draining)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

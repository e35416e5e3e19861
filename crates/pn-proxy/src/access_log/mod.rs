//! The access log: one JSON object a line, written by a thread of its own, so that no worker waits for a disk.

mod entry;
mod writer;

pub(crate) use entry::Entry;
pub(crate) use writer::Log;

use pn_model::process::AccessLog;
use std::sync::Arc;
use std::time::Duration;

/// Filters and fields of a graph, and the log they go to.
#[derive(Debug)]
pub(crate) struct Sink {
    spec: AccessLog,
    log: Arc<Log>,
}

impl Sink {
    pub(crate) fn new(spec: AccessLog, log: Arc<Log>) -> Self {
        Self { spec, log }
    }

    /// Whether the filters let such an exchange through.
    pub(crate) fn wants(&self, status: u16, duration: Duration) -> bool {
        let statuses = &self.spec.status;
        let listed = statuses.iter().any(|&(first, last)| (first..=last).contains(&status));
        (statuses.is_empty() || listed) && duration >= self.spec.min_duration
    }

    /// Never waits: what the writer cannot keep up with is dropped and counted.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        self.log.push(entry.line(&self.spec.headers));
    }

    pub(crate) fn reopen(&self) {
        self.log.reopen();
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Lines that were dropped since the log was opened.
    pub(crate) fn dropped(&self) -> u64 {
        self.log.dropped()
    }
}

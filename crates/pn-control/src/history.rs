//! The last accepted configurations, newest last, for `rollback` and for people who ask what changed when.

use crate::candidate::Candidate;
use crate::reconcile::Trigger;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

/// One accepted configuration.
#[derive(Debug, Clone)]
pub struct Entry {
    pub generation: u64,
    pub time: SystemTime,
    pub trigger: Trigger,
    /// What it changed, in one line.
    pub summary: String,
    pub candidate: Candidate,
    /// The generation whose configuration this is: an older one's after a rollback, else its own.
    pub configuration: u64,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<Arc<Entry>>,
}

impl History {
    /// Adds the newest and forgets what is beyond `limit`; the running one is always kept.
    pub(crate) fn push(&mut self, entry: Entry, limit: u32) {
        if let Some(before) = self.entries.back_mut()
            && let Some(texts) = before.candidate.texts.lighten()
        {
            let candidate = Candidate { texts, ..before.candidate.clone() };
            *before = Arc::new(Entry { candidate, ..Entry::clone(before) });
        }
        self.entries.push_back(Arc::new(entry));
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        while self.entries.len() > limit {
            self.entries.pop_front();
        }
    }

    pub(crate) fn newest(&self) -> Option<&Arc<Entry>> {
        self.entries.back()
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.entries.iter().cloned().collect()
    }

    /// The configuration to go back to: that of `generation`, or the newest that is older than the running one's. A
    /// second rollback goes one further back, not forth again.
    pub(crate) fn target(&self, generation: Option<u64>) -> Option<Arc<Entry>> {
        let running = self.newest()?.configuration;
        let own = |entry: &&Arc<Entry>| entry.configuration == entry.generation;
        match generation {
            Some(wanted) => self.entries.iter().find(|entry| entry.generation == wanted).cloned(),
            None => self.entries.iter().rev().filter(own).find(|entry| entry.generation < running).cloned(),
        }
    }
}

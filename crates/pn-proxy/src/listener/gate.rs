//! How many connections of a listener are open, over all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// One a listener; outlives the generations that have the listener.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: AtomicU32,
}

/// The place of one connection, given back by its drop.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gate>);

impl Gate {
    /// `None` when `most` are open. Touched once a connection, not a request.
    pub(crate) fn enter(self: &Arc<Self>, most: u32) -> Option<Permit> {
        let entered = self.open.fetch_update(Relaxed, Relaxed, |open| (open < most).then(|| open + 1));
        entered.is_ok().then(|| Permit(Arc::clone(self)))
    }

    /// For connections that a closing listener still owes an answer.
    pub(crate) fn force(self: &Arc<Self>) -> Permit {
        self.open.fetch_add(1, Relaxed);
        Permit(Arc::clone(self))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_lets_nobody_in_until_one_leaves() {
        let gate = Arc::new(Gate::default());
        let first = gate.enter(1);
        assert!(first.is_some() && gate.enter(1).is_none());
        assert!(gate.enter(2).is_some());
        drop(first);
        assert!(gate.enter(1).is_some());
        assert_eq!(gate.open.load(Relaxed), 0);
    }
}

//! Bounds that all workers keep together: how many connections there are to a server, over the whole process. Touched
//! where a connection is opened or closed, and by who waits for one.
#![expect(clippy::disallowed_types, reason = "locked when a graph is adopted, not by requests")]

use super::service::PoolKey;
use ahash::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Notify;

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Share {
    limit: u32,
    open: AtomicU32,
    /// Requests that wait for a connection, on whichever worker.
    waiting: AtomicU32,
    /// Those of them whose worker has no connection at all.
    starving: AtomicU32,
    /// A connection was closed.
    freed: Notify,
    /// Somebody waits; whoever has a connection to spare closes it.
    wanted: Notify,
}

/// By what makes the pools of two workers one.
#[derive(Default)]
pub(crate) struct Shares(Mutex<HashMap<PoolKey, Weak<Share>>>);

impl Shares {
    /// `None` without a limit.
    pub(super) fn of(&self, key: &PoolKey, limit: u32) -> Option<Arc<Share>> {
        if limit == 0 {
            return None;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, share| share.strong_count() > 0);
        if let Some(share) = known.get(key).and_then(Weak::upgrade) {
            return Some(share);
        }
        let share = Arc::new(Share::new(limit));
        known.insert(key.clone(), Arc::downgrade(&share));
        Some(share)
    }
}

impl Share {
    pub(super) fn new(limit: u32) -> Self {
        let [open, waiting, starving] = [0; 3].map(AtomicU32::new);
        Self { limit, open, waiting, starving, freed: Notify::new(), wanted: Notify::new() }
    }

    /// Counts one more connection, if there is room for it.
    pub(super) fn enter(&self) -> bool {
        let more = |open| (open < self.limit).then_some(open + 1);
        self.open.fetch_update(SeqCst, SeqCst, more).is_ok()
    }

    pub(super) fn leave(&self) {
        self.open.fetch_sub(1, SeqCst);
        if self.waiting() > 0 {
            self.freed.notify_one();
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.open.load(SeqCst) < self.limit
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(SeqCst)
    }

    pub(super) fn is_starving(&self) -> bool {
        self.starving.load(SeqCst) > 0
    }

    /// Counts who waits, until what is returned is dropped, and asks for a connection.
    pub(super) fn ask(&self, starving: bool) -> Asking<'_> {
        let starving = u32::from(starving);
        self.waiting.fetch_add(1, SeqCst);
        self.starving.fetch_add(starving, SeqCst);
        self.wanted.notify_waiters();
        Asking { share: self, starving }
    }

    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

pub(super) struct Asking<'a> {
    share: &'a Share,
    starving: u32,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.share.waiting.fetch_sub(1, SeqCst);
        self.share.starving.fetch_sub(self.starving, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_over_all_threads_holds() {
        let share = Share::new(10);
        let entered = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..100).for_each(|_| {
                        if share.enter() {
                            assert!(entered.fetch_add(1, SeqCst) < 10);
                            entered.fetch_sub(1, SeqCst);
                            share.leave();
                        }
                    })
                });
            }
        });
        assert_eq!((0..20).filter(|_| share.enter()).count(), 10);
    }
}

//! How many connections there are to a server, and who waits for one to become free. The bound is the process's; who
//! waits does so on the own worker, and is told of what others close.

use super::shares::Share;
use pn_core::{ErrorKind, ProxyError};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Requests of one worker that wait for a connection to one server. What would come behind them waits in vain.
const WAITING_MAX: u32 = 1_024;
/// Who waits asks again after so long, should the word of another worker have been missed.
const ASK_AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Room {
    /// `None`: no limit.
    share: Option<Arc<Share>>,
    /// Of this worker.
    open: Cell<u32>,
    waiting: Cell<u32>,
    freed: Notify,
    /// Whether the last connection for which several workers waited was left to the others.
    yielded: Cell<bool>,
}

impl Room {
    pub(super) fn new(share: Option<Arc<Share>>) -> Rc<Self> {
        let (open, waiting, yielded) = Default::default();
        Rc::new(Self { share, open, waiting, freed: Notify::new(), yielded })
    }

    pub(super) fn share(&self) -> Option<&Arc<Share>> {
        self.share.as_ref()
    }

    /// A place for one more connection.
    pub(super) fn enter(self: &Rc<Self>) -> Option<Place> {
        if self.share.as_ref().is_some_and(|share| !share.enter()) {
            return None;
        }
        self.open.set(self.open.get() + 1);
        Some(Place(Rc::clone(self)))
    }

    /// A connection, or a stream on one, can be used again.
    pub(super) fn freed(&self) {
        if self.waiting.get() > 0 {
            self.freed.notify_one();
        }
    }

    /// Whether a connection that could be used again is to be closed, as other workers wait for one. By turns where
    /// somebody waits here as well.
    pub(super) fn yields(&self) -> bool {
        let own = self.waiting.get();
        if self.share.as_ref().is_none_or(|share| share.waiting() <= own) {
            return false;
        }
        let yields = own == 0 || !self.yielded.get();
        self.yielded.set(yields);
        yields
    }

    /// Until there may be room, or a connection.
    pub(super) async fn wait(&self) -> Result<(), ProxyError> {
        if self.waiting.get() >= WAITING_MAX {
            return Err(ProxyError::new(ErrorKind::ConnectionLimit).unsent());
        }
        let _waiting = Waiting::new(&self.waiting);
        let Some(share) = &self.share else {
            self.freed.notified().await;
            return Ok(());
        };
        let _asking = share.ask(self.open.get() == 0);
        // What was closed before this was counted, nobody was told of.
        if share.has_room() {
            return Ok(());
        }
        tokio::select! {
            () = self.freed.notified() => {}
            () = share.freed() => {}
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
        Ok(())
    }
}

struct Waiting<'a>(&'a Cell<u32>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// One connection's place. Lives as long as the connection.
pub(super) struct Place(Rc<Room>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if let Some(share) = &self.0.share {
            share.leave();
        }
        self.0.freed();
    }
}

//! How many connections there are to a server, and who waits for one to become free.

use pn_core::{ErrorKind, ProxyError};
use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::Notify;

/// Requests of one worker that wait for a connection to one server. What would come behind them waits in vain.
const WAITING_MAX: u32 = 1_024;

pub(super) struct Room {
    /// 0: no limit.
    limit: u32,
    open: Cell<u32>,
    waiting: Cell<u32>,
    freed: Notify,
}

impl Room {
    pub(super) fn new(limit: u32) -> Rc<Self> {
        Rc::new(Self { limit, open: Cell::new(0), waiting: Cell::new(0), freed: Notify::new() })
    }

    /// A place for one more connection.
    pub(super) fn enter(self: &Rc<Self>) -> Option<Place> {
        if self.limit > 0 && self.open.get() >= self.limit {
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

    pub(super) async fn wait(&self) -> Result<(), ProxyError> {
        if self.waiting.get() >= WAITING_MAX {
            return Err(ProxyError::new(ErrorKind::ConnectionLimit).unsent());
        }
        let _waiting = Waiting::new(&self.waiting);
        self.freed.notified().await;
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
        self.0.freed();
    }
}

//! Ties: by which a worker finds its connections again, to let them finish or to cut them off.

use super::LINGER;
use crate::listener::Permit;
use crate::metrics::Open;
use pn_core::Current;
use pn_model::ListenerName;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use tokio::sync::Notify;

/// The connections of one worker.
#[derive(Default)]
pub(crate) struct Ties {
    slots: RefCell<Slots>,
    /// Told when the last connection has gone.
    empty: Notify,
}

#[derive(Default)]
struct Slots {
    ties: Vec<Weak<Tie>>,
    free: Vec<usize>,
}

/// One connection, from its acceptance until its last request, tunnel or handshake is over.
pub(crate) struct Tie {
    pub(crate) listener: ListenerName,
    /// No further requests.
    closing: Cell<bool>,
    /// Closing because its listener goes.
    draining: Cell<bool>,
    /// Over, whatever it is doing.
    cut: Cell<bool>,
    /// It has brought a request.
    used: Cell<bool>,
    /// The generation under which it is served to its end, instead of the current one.
    last: RefCell<Option<Current>>,
    wakers: RefCell<Vec<Waker>>,
    /// Its place in the listener's count.
    _permit: Permit,
    /// Its place in the metric of open connections.
    _open: Open,
    owner: Rc<Ties>,
    slot: usize,
}

impl Ties {
    pub(crate) fn tie(self: &Rc<Self>, listener: ListenerName, permit: Permit, open: Open) -> Rc<Tie> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.free.pop().unwrap_or(slots.ties.len());
        let tie = Rc::new(Tie {
            listener,
            closing: Cell::new(false),
            draining: Cell::new(false),
            cut: Cell::new(false),
            used: Cell::new(false),
            last: RefCell::new(None),
            wakers: RefCell::default(),
            _permit: permit,
            _open: open,
            owner: Rc::clone(self),
            slot,
        });
        match slots.ties.get_mut(slot) {
            Some(free) => *free = Rc::downgrade(&tie),
            None => slots.ties.push(Rc::downgrade(&tie)),
        }
        tie
    }

    /// Lets the connections that `which` picks finish what they are doing and take nothing new. Where their listener
    /// is gone from the graph, `last` is the generation that still had it.
    pub(crate) fn drain(&self, last: Option<&Current>, which: impl Fn(&Tie) -> bool) {
        for tie in self.all().iter().filter(|tie| which(tie)) {
            tie.leave(last);
        }
    }

    /// Ends those connections that are still draining and that `which` picks. Returns how many.
    pub(crate) fn cut(&self, which: impl Fn(&Tie) -> bool) -> u64 {
        let mut count = 0;
        for tie in self.all().iter().filter(|tie| tie.draining.get() && which(tie)) {
            if !tie.cut.replace(true) {
                count += 1;
            }
            tie.wake();
        }
        count
    }

    pub(crate) fn count(&self) -> usize {
        let slots = self.slots.borrow();
        slots.ties.len() - slots.free.len()
    }

    /// Returns once no connection is left.
    pub(crate) async fn emptied(&self) {
        while self.count() > 0 {
            self.empty.notified().await;
        }
    }

    fn all(&self) -> Vec<Rc<Tie>> {
        self.slots.borrow().ties.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Tie {
    /// Its listener goes: what it does is finished. A connection that has brought no request yet (it is in its
    /// handshake, or comes out of the queue of a closing socket) may bring the one for which it was opened.
    pub(crate) fn leave(self: &Rc<Self>, last: Option<&Current>) {
        self.draining.set(true);
        if let Some(last) = last {
            self.last.borrow_mut().get_or_insert_with(|| last.clone());
        }
        if self.used.get() {
            return self.close();
        }
        let late = Rc::downgrade(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(LINGER).await;
            if let Some(tie) = late.upgrade() {
                tie.close();
            }
        });
    }

    /// A request began. Of a draining connection it is the last.
    pub(crate) fn use_once(&self) {
        self.used.set(true);
        if self.draining.get() {
            self.close();
        }
    }

    pub(crate) fn last_generation(&self) -> Option<Current> {
        self.last.borrow().clone()
    }

    /// The connection takes no further requests.
    pub(crate) fn close(&self) {
        if !self.closing.replace(true) {
            self.wake();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// Ready once the connection takes no further requests.
    pub(crate) fn poll_closing(&self, waker: &Waker) -> Poll<()> {
        self.watch(waker);
        if self.is_closing() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready once the connection must end, whatever it is doing. For tunnels.
    pub(crate) fn poll_cut(&self, waker: &Waker) -> Poll<()> {
        self.watch(waker);
        if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Wakes this task when anything changes. A task's waker stays the same, so that once is enough.
    pub(crate) fn watch(&self, waker: &Waker) {
        let mut wakers = self.wakers.borrow_mut();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    fn wake(&self) {
        self.wakers.borrow().iter().for_each(Waker::wake_by_ref);
    }
}

impl Drop for Tie {
    fn drop(&mut self) {
        let mut slots = self.owner.slots.borrow_mut();
        slots.free.push(self.slot);
        if slots.ties.len() == slots.free.len() {
            self.owner.empty.notify_waiters();
        }
    }
}

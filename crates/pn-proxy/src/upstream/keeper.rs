//! Looks after idle connections once a second, for as long as there are any. An idle worker has no timer.

use super::names::Names;
use super::pool::Pool;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::task::coop::unconstrained;

pub(super) const TICK: Duration = Duration::from_secs(1);

pub(super) struct Keeper {
    names: Rc<Names>,
    ticks: Cell<u32>,
    pools: RefCell<Vec<Weak<Pool>>>,
    running: Cell<bool>,
}

impl Keeper {
    pub(super) fn new(names: &Rc<Names>) -> Rc<Self> {
        Rc::new(Self {
            names: Rc::clone(names),
            ticks: Cell::new(0),
            pools: RefCell::default(),
            running: Cell::new(false),
        })
    }

    /// Ticks that something was idle for: a clock that costs nothing to read.
    pub(super) fn now(&self) -> u32 {
        self.ticks.get()
    }

    pub(super) fn keep(self: &Rc<Self>, pool: &Rc<Pool>) {
        self.pools.borrow_mut().push(Rc::downgrade(pool));
        if !self.running.replace(true) {
            tokio::task::spawn_local(run(Rc::downgrade(self)));
        }
    }

    /// Returns whether there is anything left.
    fn sweep(&self) -> bool {
        self.ticks.set(self.ticks.get().wrapping_add(1));
        let mut pools = self.pools.take();
        pools.retain(|pool| pool.upgrade().is_some_and(|pool| pool.sweep(&self.names)));
        pools.append(&mut self.pools.borrow_mut());
        let left = !pools.is_empty();
        self.pools.replace(pools);
        self.running.set(left);
        left
    }
}

async fn run(keeper: Weak<Keeper>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(keeper) = keeper.upgrade() else { return };
        let sweep = async { keeper.sweep() };
        // Without this the runtime would call a time-out on hundreds of reads in a row, and they would look idle.
        if !unconstrained(sweep).await {
            return;
        }
    }
}

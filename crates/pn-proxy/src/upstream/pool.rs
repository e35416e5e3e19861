//! The connections of one worker to one server under one transport: the most recently used are used first, the rest
//! grow old and are closed.

use super::dial::{ClientEnds, Dialed, Speaks, Target};
use super::h1::H1;
use super::h2::{H2, StreamPlace};
use super::keeper::Keeper;
use super::names::Names;
use super::room::{Place, Room};
use super::shares::Share;
use pn_core::{ErrorKind, ProxyError};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// Connections of HTTP/2 to one server that are opened because others refused a stream.
const REFUSING_MAX: usize = 4;

pub(super) struct Pool {
    pub(super) target: Target,
    /// The most recently used last.
    #[expect(clippy::vec_box, reason = "connections are large and move with each request")]
    idle: RefCell<Vec<Box<H1>>>,
    h2: RefCell<Vec<Rc<H2>>>,
    room: Rc<Room>,
    limits: Limits,
    /// What the server turned out to speak, where ALPN decides.
    speaks: Cell<Speaks>,
    /// Whether a connection is being opened for which others wait, because it may be shared.
    opening: Cell<bool>,
    opened: Notify,
    /// Why the last such opening failed, for those who waited.
    failed: Cell<Option<ErrorKind>>,
    /// No graph uses it any more: nothing is kept.
    retired: Cell<bool>,
    /// Whether the keeper looks after it.
    kept: Cell<bool>,
    keeper: Rc<Keeper>,
    /// Closes what other workers wait for, where there is a limit.
    _steward: Option<Steward>,
}

/// One worker's share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections that are kept for longer than a second or two; 0: none at all.
    pub(super) idle: usize,
    /// Ticks of the keeper.
    pub(super) idle_ticks: u32,
}

/// What a connection is wanted for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) ends: ClientEnds,
    /// HTTP/1.1, where the server lets one choose.
    pub(super) upgrade: bool,
    /// Not one of HTTP/1.1 that was used before, nor one of HTTP/2 that refused a stream.
    pub(super) fresh: bool,
}

pub(super) enum Lease {
    H1(Box<H1>),
    H2(Rc<H2>, StreamPlace),
}

impl Pool {
    /// `share`: the bound that all workers keep together.
    pub(super) fn new(
        target: Target,
        limits: Limits,
        share: Option<Arc<Share>>,
        keeper: &Rc<Keeper>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|pool| Self {
            _steward: share.as_ref().map(|share| Steward::new(pool, share)),
            idle: RefCell::default(),
            h2: RefCell::default(),
            room: Room::new(share),
            limits,
            speaks: Cell::new(target.speaks),
            opening: Cell::new(false),
            opened: Notify::new(),
            failed: Cell::new(None),
            retired: Cell::new(false),
            kept: Cell::new(false),
            keeper: Rc::clone(keeper),
            target,
        })
    }

    /// A connection that takes a request now.
    pub(super) async fn lease(self: &Rc<Self>, names: &Rc<Names>, want: Want) -> Result<Lease, ProxyError> {
        if let Some(lease) = self.take(want) {
            return Ok(lease);
        }
        Box::pin(self.obtain(names, want)).await
    }

    /// Dialing has a time of its own, and says itself what took too long; a wait before it may last as long.
    async fn obtain(self: &Rc<Self>, names: &Rc<Names>, want: Want) -> Result<Lease, ProxyError> {
        let deadline = Instant::now() + self.target.connect;
        loop {
            if let Some(lease) = self.take(want) {
                return Ok(lease);
            }
            let shares = self.may_share() && !want.upgrade && self.speaks.get() != Speaks::H1;
            if shares && self.opening.get() {
                let opened = timeout_at(deadline, self.opened.notified()).await;
                opened.map_err(|_| too_late(ErrorKind::ConnectionTimeout))?;
                match self.failed.get() {
                    Some(kind) => return Err(ProxyError::new(kind).unsent()),
                    None => continue,
                }
            }
            // What it allows decides whether another one is needed.
            if let Some(young) = self.settling().filter(|_| shares) {
                let settled = timeout_at(deadline, young.settle()).await;
                settled.map_err(|_| too_late(ErrorKind::ConnectionTimeout))?;
                continue;
            }
            let Some(place) = self.room.enter() else {
                if let Some(lease) = self.take_h2(Want { fresh: false, ..want }) {
                    return Ok(lease);
                }
                let waited = timeout_at(deadline, self.room.wait()).await;
                waited.map_err(|_| too_late(ErrorKind::ConnectionLimit))??;
                continue;
            };
            let _opening = shares.then(|| Opening::new(self));
            let opened = self.open(names, want, place).await;
            self.failed.set(opened.as_ref().err().map(|error| error.kind));
            return opened;
        }
    }

    async fn open(self: &Rc<Self>, names: &Rc<Names>, want: Want, place: Place) -> Result<Lease, ProxyError> {
        let dialed = self.target.dial(names, want.ends, want.upgrade).await?;
        let Dialed { stream, h2, peer } = dialed;
        if !want.upgrade {
            self.speaks.set(if h2 { Speaks::H2 } else { Speaks::H1 });
        }
        if !h2 {
            return Ok(Lease::H1(H1::new(stream, peer, place)));
        }
        let opened = timeout(self.target.connect, H2::open(stream, peer, &self.room, place)).await;
        let connection = opened.map_err(|_| too_late(ErrorKind::ConnectionTimeout))??;
        let stream = connection.stream();
        if self.may_share() && !self.retired.get() {
            connection.idle_since.set(self.keeper.now());
            self.h2.borrow_mut().push(Rc::clone(&connection));
            self.keep();
        }
        Ok(Lease::H2(connection, stream))
    }

    /// A connection that is there already.
    fn take(&self, want: Want) -> Option<Lease> {
        if let Some(lease) = self.take_h2(want) {
            return Some(lease);
        }
        if want.fresh { None } else { self.take_h1().map(Lease::H1) }
    }

    fn take_h2(&self, want: Want) -> Option<Lease> {
        let mut open = self.h2.borrow_mut();
        if open.is_empty() || (want.upgrade && self.target.speaks != Speaks::H2) {
            return None;
        }
        open.retain(|connection| !connection.is_closed());
        // One that refused this request may do so again. Others are opened for that, but not without end.
        let wary = want.fresh && open.len() < REFUSING_MAX;
        let found = open.iter().find(|one| one.has_room() && !(wary && one.has_refused()))?;
        found.idle_since.set(self.keeper.now());
        Some(Lease::H2(Rc::clone(found), found.stream()))
    }

    /// A connection of which nobody knows yet how many streams it takes.
    fn settling(&self) -> Option<Rc<H2>> {
        self.h2.borrow().iter().find(|connection| connection.is_settling()).cloned()
    }

    fn take_h1(&self) -> Option<Box<H1>> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if connection.is_alive() {
                return Some(connection);
            }
        }
    }

    /// Takes a connection back whose exchange is over. One that cannot be used again is closed.
    pub(super) fn give_back(self: &Rc<Self>, mut connection: Box<H1>) {
        let mut idle = self.idle.borrow_mut();
        // More of them than are to be kept for long serve a load that comes and goes: opening one costs more than a
        // request does. The keeper closes what is still not used a second later.
        let wanted = self.may_share() && !self.retired.get() && self.limits.idle > 0;
        if wanted && !self.room.yields() && connection.rest() {
            connection.idle_since = self.keeper.now();
            idle.push(connection);
            drop(idle);
            self.keep();
            self.room.freed();
        }
    }

    /// Connections that begin with a PROXY header belong to one client.
    fn may_share(&self) -> bool {
        self.target.proxy.is_none()
    }

    /// Other workers wait for a connection: closes one that is not in use. Where such a worker has none at all, a shared
    /// one is closed as well, once its streams are over.
    fn make_way(&self) {
        let Some(share) = self.room.share().filter(|share| share.waiting() > 0) else { return };
        let oldest = {
            let mut idle = self.idle.borrow_mut();
            (!idle.is_empty()).then(|| idle.remove(0))
        };
        if oldest.is_some() {
            return;
        }
        let mut open = self.h2.borrow_mut();
        let idle = open.iter().position(|connection| connection.is_idle());
        let chosen = idle.or_else(|| (share.is_starving() && !open.is_empty()).then_some(0));
        let chosen = chosen.map(|at| open.swap_remove(at));
        drop(open);
        drop(chosen);
    }

    /// No graph uses the server any more. Exchanges under way go on to their end.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.idle.take();
        self.h2.take();
    }

    fn keep(self: &Rc<Self>) {
        if !self.kept.replace(true) {
            self.keeper.keep(self);
        }
    }

    /// Closes what is too old, what the server has closed, and what leads to an address that the name no longer has.
    /// Returns whether anything is left to look after.
    pub(super) fn sweep(&self, names: &Rc<Names>) -> bool {
        let now = self.keeper.now();
        let fresh = |since: u32| now.wrapping_sub(since) < self.limits.idle_ticks;
        let addresses = self.target.host().and_then(|host| names.peek(host));
        let current = |peer: Option<IpAddr>| match (&addresses, peer) {
            (Some(addresses), Some(peer)) => addresses.contains(&peer),
            _ => true,
        };
        // Taken out while it is polled: nothing of this may run into itself.
        let mut idle = self.idle.take();
        idle.retain_mut(|one| fresh(one.idle_since) && current(one.peer) && one.is_alive());
        idle.append(&mut self.idle.borrow_mut());
        let surplus = idle.len().saturating_sub(self.limits.idle);
        let unused = idle.iter().take(surplus).take_while(|one| now.wrapping_sub(one.idle_since) > 1);
        let surplus = unused.count();
        let surplus: Vec<_> = idle.drain(..surplus).collect();
        self.idle.replace(idle);
        drop(surplus);
        self.h2.borrow_mut().retain(|one| {
            if !one.is_idle() {
                one.idle_since.set(now);
            }
            !one.is_closed() && fresh(one.idle_since.get()) && current(one.peer)
        });
        let left = !self.idle.borrow().is_empty() || !self.h2.borrow().is_empty();
        self.kept.set(left);
        left
    }
}

/// The task that hears when other workers wait. Ends with the pool.
struct Steward(AbortHandle);

impl Steward {
    fn new(pool: &Weak<Pool>, share: &Arc<Share>) -> Self {
        let (pool, share) = (Weak::clone(pool), Arc::clone(share));
        let work = async move {
            loop {
                share.wanted().await;
                let Some(pool) = pool.upgrade() else { return };
                pool.make_way();
            }
        };
        Self(tokio::task::spawn_local(work).abort_handle())
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn too_late(kind: ErrorKind) -> ProxyError {
    ProxyError::new(kind).unsent()
}

/// Lets those go on who wait for a connection, however the opening ends.
struct Opening<'a>(&'a Pool);

impl<'a> Opening<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.opening.set(true);
        pool.failed.set(None);
        Self(pool)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.opened.notify_waiters();
    }
}

//! Who waits for a buffer while all are in use. A bound that is reached is an overload: here, and only here, a lock is
//! taken and everybody is woken, since one buffer that is used and dropped within a poll can serve all of them.

#![expect(clippy::disallowed_types, reason = "one worker's, and taken only while its memory is exhausted")]

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Pool, PoolBuf, Size};

/// Waiting is: register, say so in `anybody`, then look for a buffer once more. Giving back is: put the buffer there,
/// then look at `anybody`. All of these are sequentially consistent, so that one of the two sees the other.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    anybody: AtomicBool,
    round: Mutex<Round>,
}

/// Those who are woken together next time.
#[derive(Debug, Default)]
struct Round {
    number: u64,
    wakers: Vec<Option<Waker>>,
    vacant: Vec<usize>,
}

/// A place to wait at, for one stream. It is registered once, however often it is polled, and leaves when dropped.
#[derive(Debug)]
pub struct Seat {
    pool: Pool,
    /// Round and index where the waker is.
    place: Option<(u64, usize)>,
}

// === impl Waiting ===

impl Waiting {
    pub(super) fn is_anybody(&self) -> bool {
        self.anybody.load(Ordering::SeqCst)
    }

    pub(super) fn wake(&self) {
        if !self.is_anybody() {
            return;
        }
        let wakers = {
            let mut round = self.lock();
            self.anybody.store(false, Ordering::SeqCst);
            round.number += 1;
            round.vacant.clear();
            mem::take(&mut round.wakers)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn register(&self, place: Option<(u64, usize)>, waker: &Waker) -> (u64, usize) {
        let mut round = self.lock();
        let index = place.filter(|(number, _)| *number == round.number).map(|(_, index)| index);
        let index = index.unwrap_or_else(|| round.seat());
        if let Some(slot) = round.wakers.get_mut(index) {
            *slot = Some(waker.clone());
        }
        self.anybody.store(true, Ordering::SeqCst);
        (round.number, index)
    }

    fn leave(&self, (number, index): (u64, usize)) {
        let mut round = self.lock();
        if number != round.number {
            return;
        }
        let waker = round.wakers.get_mut(index).and_then(Option::take);
        round.vacant.push(index);
        drop(round);
        drop(waker);
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    fn seat(&mut self) -> usize {
        self.vacant.pop().unwrap_or_else(|| {
            self.wakers.push(None);
            self.wakers.len() - 1
        })
    }
}

// === impl Seat ===

impl Seat {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool, place: None }
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A buffer, as soon as there is one. Who is woken is not served before others: it may have to wait again.
    pub fn poll_take(&mut self, cx: &mut Context<'_>, size: Size) -> Poll<PoolBuf> {
        if let Some(buf) = self.pool.take(size) {
            return Poll::Ready(buf);
        }
        self.place = Some(self.pool.home().waiting.register(self.place, cx.waker()));
        self.pool.take(size).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.pool.home().waiting.leave(place);
        }
    }
}

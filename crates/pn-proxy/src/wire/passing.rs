//! A body that goes from one socket to another without anybody looking at it, by the kernel alone where it can.

use super::reactor;
use pn_core::ProxyError;
use pn_io::reactor::ReactorStream;
use pn_io::{EventActions, Lost, Passage, Reactor};
use std::task::{Context, Poll};

/// Less than this is not worth the system calls.
pub(crate) const WORTH_PASSING: u64 = pn_io::WORTH_A_PIPE;

pub(crate) struct Passing {
    passage: <Reactor as EventActions>::Passage,
    length: u64,
    counted: u64,
    fresh: u64,
}

/// Why the rest of a body does not arrive.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Its reader takes nothing more.
    Reader,
    Body(ProxyError),
}

impl Passing {
    /// All that is left of a body.
    pub(crate) fn new(length: u64) -> Box<Self> {
        Box::new(Self { passage: reactor().passage(), length, counted: 0, fresh: 0 })
    }

    /// Ready when `from` has ended, or `to` has taken all.
    pub(crate) fn poll(
        &mut self,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Lost>> {
        let polled = self.passage.poll(cx, from, to, self.length);
        let moved = self.passage.progress().moved;
        self.fresh = moved - self.counted;
        self.counted = moved;
        #[cfg(test)]
        PASSED.fetch_add(self.fresh, std::sync::atomic::Ordering::Relaxed);
        polled
    }

    /// Bytes that were taken when it was last polled.
    pub(crate) fn fresh(&self) -> u64 {
        self.fresh
    }

    /// Whether it is the reader who is waited for.
    pub(crate) fn waits_for_reader(&self) -> bool {
        self.passage.progress().read > self.counted
    }
}

/// Bytes that went this way, on all threads.
#[cfg(test)]
pub(crate) static PASSED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

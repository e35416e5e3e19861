//! A body that goes from one socket to another without anybody looking at it, by the kernel alone where it can.

use super::reactor;
use pn_core::ProxyError;
use pn_io::reactor::ReactorStream;
use pn_io::{EventActions, Lost, Passage, Progress, Reactor};
use std::task::{Context, Poll};

/// Less than this is not worth the system calls.
pub(crate) const WORTH_PASSING: u64 = pn_io::WORTH_A_PIPE;

pub(crate) struct Passing {
    passage: <Reactor as EventActions>::Passage,
    length: u64,
    counted: Progress,
    came: u64,
    fresh: u64,
}

/// Why the rest of a body does not arrive.
#[derive(Debug)]
pub(crate) enum Stopped<E = ProxyError> {
    /// Its reader takes nothing more.
    Reader,
    Body(E),
}

impl Passing {
    /// All that is left of a body.
    pub(crate) fn new(length: u64) -> Box<Self> {
        Box::new(Self {
            passage: reactor().passage(),
            length,
            counted: Progress::default(),
            came: 0,
            fresh: 0,
        })
    }

    /// Ready when `from` has ended, or `to` has taken all.
    pub(crate) fn poll(
        &mut self,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Lost>> {
        let polled = self.passage.poll(cx, from, to, self.length);
        self.count();
        polled
    }

    /// The same once all is read: the rest of it goes to `to`.
    pub(crate) fn poll_rest(
        &mut self,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Lost>> {
        let polled = self.passage.poll_rest(cx, to);
        self.count();
        polled
    }

    fn count(&mut self) {
        let progress = self.passage.progress();
        self.came = progress.read - self.counted.read;
        self.fresh = progress.moved - self.counted.moved;
        self.counted = progress;
        #[cfg(test)]
        PASSED.fetch_add(self.fresh, std::sync::atomic::Ordering::Relaxed);
    }

    /// Bytes that were read when it was last polled.
    pub(crate) fn came(&self) -> u64 {
        self.came
    }

    /// Bytes that were taken when it was last polled.
    pub(crate) fn fresh(&self) -> u64 {
        self.fresh
    }

    /// Bytes that were taken in all.
    pub(crate) fn moved(&self) -> u64 {
        self.counted.moved
    }

    /// Whether it is the reader who is waited for.
    pub(crate) fn waits_for_reader(&self) -> bool {
        self.counted.read > self.counted.moved
    }

    /// Whether all that there was to read has been read.
    pub(crate) fn is_read(&self) -> bool {
        self.has_ended() || self.counted.read >= self.length
    }

    /// Whether whoever is read from has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.counted.ended
    }
}

/// Bytes that went this way, on all threads.
#[cfg(test)]
pub(crate) static PASSED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

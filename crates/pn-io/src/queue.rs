//! Chunks that wait to be sent by one stream, in order and bounded. Both backends have one.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::chunk::Chunk;
use crate::pool::{Pool, Size};

/// Bytes that a stream queues before it gives chunks back: one large read.
pub const HIGH_WATER: usize = 256 << 10;
/// Chunks that a stream queues before it gives them back; as many go into one system call.
pub const QUEUE_CHUNKS: usize = 32;

/// Room for chunks behind the first that a stream keeps while nothing is queued: a head and a body in few pieces.
const KEPT: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    /// Apart from the rest, which most messages have none of: a stream that waits then holds no memory for a queue.
    first: Option<Chunk>,
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

impl SendQueue {
    /// Gives the chunk back when it would be too much beside what waits already. Alone it may have any length.
    pub(crate) fn push(&mut self, chunk: Chunk, elsewhere: usize) -> Result<(), Chunk> {
        if chunk.is_empty() {
            return Ok(());
        }
        let before = self.bytes + elsewhere;
        if before > 0 && (before + chunk.len() > HIGH_WATER || self.chunks.len() + 1 >= QUEUE_CHUNKS) {
            return Err(chunk);
        }
        self.bytes += chunk.len();
        self.append(chunk);
        Ok(())
    }

    fn append(&mut self, chunk: Chunk) {
        match self.first {
            None => self.first = Some(chunk),
            Some(_) => self.chunks.push_back(chunk),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The only chunk; `None` where there are others, or none.
    pub(crate) fn only(&self) -> Option<&Chunk> {
        if self.chunks.is_empty() { self.first.as_ref() } else { None }
    }

    /// The first chunks, and their length together. One chunk is one slice: nothing is gathered that need not be.
    pub(crate) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; QUEUE_CHUNKS]) -> (usize, usize) {
        let mut total = 0;
        let mut count = 0;
        for (slice, chunk) in into.iter_mut().zip(self.first.iter().chain(&self.chunks)) {
            *slice = IoSlice::new(chunk);
            total += chunk.len();
            count += 1;
        }
        (count, total)
    }

    /// The kernel has taken this many bytes: buffers that are done go back.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.bytes -= count.min(self.bytes);
        while let Some(first) = &mut self.first {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.first = self.chunks.pop_front();
        }
        if self.chunks.capacity() > KEPT {
            self.chunks = VecDeque::new();
        }
    }

    /// Sending failed: buffers go back, and what was not taken stays counted.
    pub(crate) fn fail(&mut self) {
        (self.first, self.chunks) = Default::default();
    }

    /// For what a slow peer has not taken: little of it is moved out of large slabs in any case, much of it when these
    /// are scarce.
    pub(crate) fn settle(&mut self, pool: &Pool) {
        if self.bytes <= pool.config().small_bytes || pool.is_scarce(Size::Large) {
            self.vacate(pool);
        }
    }

    /// What waits to be sent must not keep the memory that everybody reads into: peers that send before they read would
    /// then wait for us, and we for them. Copying once costs less than a worker that cannot read.
    pub(crate) fn vacate(&mut self, pool: &Pool) {
        if !self.first.iter().chain(&self.chunks).any(Chunk::holds_large) {
            return;
        }
        let rest = std::mem::take(&mut self.chunks);
        for chunk in self.first.take().into_iter().chain(rest) {
            self.push_moved(chunk, pool);
        }
    }

    /// Into small buffers as far as there are any, the rest into memory of its own: a queue is bounded, and who waits for
    /// memory to read into would wait for the slowest peer otherwise.
    fn push_moved(&mut self, mut chunk: Chunk, pool: &Pool) {
        while chunk.holds_large() && !chunk.is_empty() {
            let Some(mut small) = pool.take(Size::Small).filter(|small| small.room() > 0) else {
                chunk = Bytes::copy_from_slice(&chunk).into();
                break;
            };
            let moved = small.extend(&chunk);
            chunk.advance(moved);
            self.append(small.into());
        }
        if !chunk.is_empty() {
            self.append(chunk);
        }
    }
}

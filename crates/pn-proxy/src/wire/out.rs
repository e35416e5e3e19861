//! What is to be sent of a message: heads and small pieces gathered into one buffer, and one large piece behind it.

use super::{pool, scratch};
use bytes::Bytes;
use pn_http1::Frame;
use pn_io::{Chunk, DataStream, Size};
use std::io;
use std::task::{Context, Poll, ready};

/// Pieces up to this size are copied together, which costs less than a vectored write.
const COPIED: usize = 4 << 10;
/// No more is gathered before it is sent. With one piece on top it fits into a small slab.
const GATHERED: usize = 12 << 10;

#[derive(Default)]
pub(crate) struct Out {
    buffer: Vec<u8>,
    piece: Chunk,
    tail: &'static [u8],
    /// Given to the stream.
    given: u64,
    /// Bytes that the socket has taken, of all messages.
    pub(crate) total: u64,
    /// As much as it had taken when this message began.
    before: u64,
}

impl Out {
    /// For a new message.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.before = self.total;
        if self.buffer.capacity() == 0 {
            self.buffer = scratch::take_buffer();
        }
        &mut self.buffer
    }

    /// Whether the socket has taken anything of this message.
    pub(crate) fn began(&self) -> bool {
        self.total > self.before
    }

    /// Room for framing that has no data.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(crate) fn takes_more(&self) -> bool {
        self.piece.is_empty() && self.tail.is_empty() && self.buffer.len() < GATHERED
    }

    pub(crate) fn push(&mut self, frame: &Frame, data: Chunk) {
        self.buffer.extend_from_slice(frame.head());
        if data.len() <= COPIED {
            self.buffer.extend_from_slice(&data);
            self.buffer.extend_from_slice(frame.tail());
        } else {
            self.piece = data;
            self.tail = frame.tail();
        }
    }

    /// Ready once the socket has all of it.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut impl DataStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let all = self.give(stream);
            let flushed = stream.poll_flush(cx);
            // An error has emptied the queue, and nothing of that was taken.
            if !matches!(flushed, Poll::Ready(Err(_))) {
                self.total = self.given - stream.queued() as u64;
            }
            if flushed.is_pending() {
                self.piece = std::mem::take(&mut self.piece).settled(&pool());
                return Poll::Pending;
            }
            ready!(flushed)?;
            if all {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The message is over: its memory goes to others.
    pub(crate) fn release(&mut self) {
        scratch::give_buffer(std::mem::take(&mut self.buffer));
    }

    /// Gives the stream what it takes. Whether that was all.
    fn give(&mut self, stream: &mut impl DataStream) -> bool {
        self.give_buffer(stream) && self.give_piece(stream)
    }

    fn give_buffer(&mut self, stream: &mut impl DataStream) -> bool {
        if self.buffer.is_empty() {
            return true;
        }
        let Ok(()) = stream.queue_send(gathered(&self.buffer)) else { return false };
        self.given += self.buffer.len() as u64;
        self.buffer.clear();
        true
    }

    fn give_piece(&mut self, stream: &mut impl DataStream) -> bool {
        if self.piece.is_empty() && self.tail.is_empty() {
            return true;
        }
        let bytes = self.piece.len() as u64;
        if let Err(piece) = stream.queue_send(std::mem::take(&mut self.piece)) {
            self.piece = piece;
            return false;
        }
        self.given += bytes;
        if stream.queue_send(self.tail.into()).is_err() {
            return false;
        }
        self.given += self.tail.len() as u64;
        self.tail = &[];
        true
    }
}

/// A copy in pool memory, which costs no allocation; where it does not fit or there is none, one of its own.
fn gathered(bytes: &[u8]) -> Chunk {
    match pool().take(Size::Small) {
        Some(mut small) if small.room() >= bytes.len() => {
            small.extend(bytes);
            small.into()
        }
        _ => Bytes::copy_from_slice(bytes).into(),
    }
}

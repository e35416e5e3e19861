//! What is to be written of a message: a buffer with heads and small pieces, and one large piece behind it.

use super::scratch;
use bytes::Buf;
use pn_http1::Frame;
use pn_io::Chunk;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Pieces up to this size are copied together, which costs less than a vectored write.
const COPIED: usize = 4 << 10;
/// No more is gathered before it is written.
const GATHERED: usize = 16 << 10;

#[derive(Default)]
pub(crate) struct Out {
    buffer: Vec<u8>,
    written: usize,
    piece: Chunk,
    tail: &'static [u8],
    /// TLS holds back what it was given.
    unflushed: bool,
    /// Whether the socket has taken anything of this message.
    pub(crate) began: bool,
    /// Bytes that the socket has taken, of all messages.
    pub(crate) total: u64,
}

impl Out {
    /// For a new message.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.began = false;
        if self.buffer.capacity() == 0 {
            self.buffer = scratch::take_buffer();
        }
        &mut self.buffer
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
        mut stream: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_written() {
            let taken = ready!(self.poll_some(stream.as_mut(), cx))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.began = true;
            self.unflushed = true;
            self.total += taken as u64;
            self.advance(taken);
        }
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The message is over: its memory goes to others.
    pub(crate) fn release(&mut self) {
        self.written = 0;
        scratch::give_buffer(std::mem::take(&mut self.buffer));
    }

    fn is_written(&self) -> bool {
        self.written >= self.buffer.len() && self.piece.is_empty() && self.tail.is_empty()
    }

    /// A lone piece, which most messages are, goes by `send`: it costs the kernel less than `writev`.
    fn poll_some(&self, stream: Pin<&mut impl AsyncWrite>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let buffered = self.buffer.get(self.written..).unwrap_or_default();
        if self.piece.is_empty() && self.tail.is_empty() {
            return stream.poll_write(cx, buffered);
        }
        stream.poll_write_vectored(cx, &[buffered, &self.piece, self.tail].map(IoSlice::new))
    }

    fn advance(&mut self, mut taken: usize) {
        let buffered = taken.min(self.buffer.len().saturating_sub(self.written));
        self.written += buffered;
        taken -= buffered;
        if self.written == self.buffer.len() {
            self.buffer.clear();
            self.written = 0;
        }
        let of_piece = taken.min(self.piece.len());
        self.piece.advance(of_piece);
        taken -= of_piece;
        self.tail = self.tail.get(taken..).unwrap_or_default();
    }
}

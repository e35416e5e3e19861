//! Memory that the connections of a worker share: bytes are read into one block and written from spare buffers, so that
//! a connection which waits holds neither.

use bytes::{BufMut, BytesMut};
use pn_http1::Fields;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Bytes that one read takes at most: with more, bulk costs no less.
pub(crate) const BLOCK: usize = 256 << 10;
/// A block with less room than this is left to those who still hold parts of it.
const ROOM_MIN: usize = 64 << 10;
/// Write buffers that are kept, and how large they may have grown.
const SPARE_MAX: usize = 16;
const SPARE_BYTES: usize = 64 << 10;

thread_local! {
    static BLOCKS: RefCell<BytesMut> = RefCell::default();
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static FIELDS: RefCell<Fields> = RefCell::default();
}

/// What there is to read, at most so many bytes of it; empty at the end.
pub(crate) fn poll_read(
    stream: Pin<&mut impl AsyncRead>,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<BytesMut>> {
    BLOCKS.with_borrow_mut(|block| {
        if block.capacity() < ROOM_MIN {
            block.reserve(BLOCK);
        }
        ready!(poll_read_buf(stream, cx, &mut block.limit(most)))?;
        Poll::Ready(Ok(block.split()))
    })
}

pub(crate) fn take_buffer() -> Vec<u8> {
    SPARE.with_borrow_mut(|spare| spare.pop().unwrap_or_default())
}

pub(crate) fn give_buffer(mut buffer: Vec<u8>) {
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_MAX && (1..=SPARE_BYTES).contains(&buffer.capacity()) {
            spare.push(buffer);
        }
    });
}

pub(crate) fn with_fields<T>(use_them: impl FnOnce(&mut Fields) -> T) -> T {
    FIELDS.with_borrow_mut(use_them)
}

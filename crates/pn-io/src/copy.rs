//! Bytes from stream to stream through the process, over any two streams: what `forward` and `relay` are where the
//! kernel cannot do it alone, as with TLS on either side.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use crate::stream::{DataStream, Relayed};

/// See [`EventActions::forward`](crate::EventActions::forward).
pub async fn forward(
    from: &mut impl DataStream,
    to: &mut impl DataStream,
    max: u64,
    moved: &Cell<u64>,
) -> io::Result<()> {
    to.flush().await?;
    let mut direction = Direction::default();
    poll_fn(|cx| direction.poll(cx, from, to, max, moved)).await
}

/// See [`EventActions::relay`](crate::EventActions::relay).
pub async fn relay(a: &mut impl DataStream, b: &mut impl DataStream, moved: &Relayed) -> io::Result<()> {
    a.flush().await?;
    b.flush().await?;
    let (mut forth, mut back) = (Direction::default(), Direction::default());
    poll_fn(|cx| {
        let forth = forth.poll_to_end(cx, a, b, &moved.forth)?;
        let back = back.poll_to_end(cx, b, a, &moved.back)?;
        if forth.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// One way. What was read is sent before more is read, so that one read is on the way at most.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    read: u64,
    ended: bool,
    closed: bool,
}

impl Direction {
    /// Ready when `from` has ended or `max` bytes were read, and `to` has taken them.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl DataStream,
        to: &mut impl DataStream,
        max: u64,
        moved: &Cell<u64>,
    ) -> Poll<io::Result<()>> {
        loop {
            let flushed = to.poll_flush(cx)?;
            moved.set(self.read - to.queued() as u64);
            ready!(flushed);
            if self.ended || self.read >= max {
                return Poll::Ready(Ok(()));
            }
            let room = usize::try_from(max - self.read).unwrap_or(usize::MAX);
            match ready!(from.poll_recv(cx, room))? {
                None => self.ended = true,
                Some(buf) => {
                    self.read += buf.len() as u64;
                    to.queue_send(buf.into()).map_err(|_| overfull())?;
                }
            }
        }
    }

    /// The same to the end of `from`, which is passed on.
    fn poll_to_end(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl DataStream,
        to: &mut impl DataStream,
        moved: &Cell<u64>,
    ) -> Poll<io::Result<()>> {
        if !self.closed {
            ready!(self.poll(cx, from, to, u64::MAX, moved))?;
            ready!(to.poll_shutdown(cx))?;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// A queue that was just flushed is empty, and takes anything.
fn overfull() -> io::Error {
    io::Error::other("the stream's queue is full though it was flushed")
}

//! The contract between what moves bytes and what decides about them: `EventActions`, one backend on one worker, and
//! `DataStream`, one connection on it. Both are for backends that wait until a socket is ready and for those that hand
//! buffers to the kernel; code above cannot tell which it has.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll};

use crate::chunk::Chunk;
use crate::passage::{self, Passage};
use crate::pool::{Pool, PoolBuf};

/// What a backend does beyond the plain contract. For tests, logs and choices of cost, never of correctness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `forward` and `relay` move much data without bringing it into the process.
    pub kernel_relay: bool,
    /// Operations are handed to the kernel together with their buffers, and are done when it says so.
    pub completions: bool,
}

/// Bytes that a relay has brought to the other side so far. Readable while it runs, so that its caller can tell a slow
/// one from one that stands still, and after it was dropped.
#[derive(Debug, Default)]
pub struct Relayed {
    /// From the first stream to the second.
    pub forth: Cell<u64>,
    /// From the second stream to the first.
    pub back: Cell<u64>,
}

/// A backend of one worker. It never leaves its thread.
pub trait EventActions: 'static {
    /// A connected socket.
    type Socket;
    type Stream: DataStream;
    type Passage: Passage<Self::Stream, Self::Stream>;

    fn capabilities(&self) -> Capabilities;

    /// The pool that received buffers come from.
    fn pool(&self) -> &Pool;

    /// Takes a connected socket over. Accepting and connecting stay with tokio whatever the backend.
    fn attach(&self, socket: Self::Socket) -> io::Result<Self::Stream>;

    /// Hands over what was queued and takes in what is done. For the moment before a worker sleeps; the reactor has
    /// nothing to do then.
    fn flush(&self);

    /// A way for bytes from one stream to another.
    fn passage(&self) -> Self::Passage;

    /// Brings up to `max` bytes from one stream to another until `from` ends, after what is queued on `to` already;
    /// done when `to` has taken all. `moved` counts what `to` has taken. Whoever drops this before it is done loses
    /// what is on the way, so that neither stream is of any more use.
    fn forward(
        &self,
        from: &mut Self::Stream,
        to: &mut Self::Stream,
        max: u64,
        moved: &Cell<u64>,
    ) -> impl Future<Output = io::Result<()>> {
        passage::forward(self.passage(), from, to, max, moved)
    }

    /// Brings everything from each stream to the other. The end of one side is passed on (half-close) while the other
    /// goes on; done when both have ended, or with the first error. Dropping it is as for [`forward`](Self::forward).
    fn relay(
        &self,
        a: &mut Self::Stream,
        b: &mut Self::Stream,
        moved: &Relayed,
    ) -> impl Future<Output = io::Result<()>> {
        passage::relay(self.passage(), self.passage(), a, b, moved)
    }
}

/// One connection. Dropping it drops what is queued, ends its operations and closes the socket; a buffer that the
/// kernel still has comes back when the kernel is done with it.
///
/// Every `poll_` function may be left at any time and called again later, from another task if need be: nothing is
/// lost or doubled (cancel-safe). Each direction remembers one task.
pub trait DataStream {
    /// What has come, at least one byte and at most `max`; `None` when the peer has ended its side, also when asked
    /// again. The backend supplies the buffer, and only when there is something to put in: waiting holds no memory.
    /// While the pool is exhausted this is pending, and goes on when a buffer comes back.
    fn poll_recv(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<PoolBuf>>>;

    /// Queues a chunk to be sent; nothing moves before `poll_flush`. Gives it back when [`HIGH_WATER`] bytes or
    /// [`QUEUE_CHUNKS`] chunks would be passed: then flush first. An empty queue takes a chunk of any length.
    ///
    /// [`HIGH_WATER`]: crate::HIGH_WATER
    /// [`QUEUE_CHUNKS`]: crate::QUEUE_CHUNKS
    fn queue_send(&mut self, chunk: Chunk) -> Result<(), Chunk>;

    /// Bytes that are queued, or on their way into the kernel.
    fn queued(&self) -> usize;

    /// Sends what is queued, at once as far as the kernel takes it; ready when all of it has been taken and its buffers
    /// are back. After an error its buffers are back all the same and the stream is of no use for sending; what was
    /// not taken stays counted in [`queued`](Self::queued), as far as that is known.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Flushes, then ends this side (FIN). Receiving goes on.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether a connection that nobody uses is fit for another exchange: open both ways, nothing unsent, nothing that
    /// came unasked. A look at what is known here and now; the peer may be closing it at this moment.
    fn is_reusable(&mut self) -> bool;

    /// [`poll_recv`](Self::poll_recv) as a future.
    fn recv(&mut self, max: usize) -> impl Future<Output = io::Result<Option<PoolBuf>>> {
        poll_fn(move |cx| self.poll_recv(cx, max))
    }

    /// [`poll_flush`](Self::poll_flush) as a future.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
        poll_fn(|cx| self.poll_flush(cx))
    }

    /// [`poll_shutdown`](Self::poll_shutdown) as a future.
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        poll_fn(|cx| self.poll_shutdown(cx))
    }
}

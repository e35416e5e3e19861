//! A connection on the reactor: reads when there is something, into the buffer that came back last; writes at once, and
//! waits only when the kernel has enough.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;

use super::socket::Socket;
use super::unsent::unsent;
use crate::chunk::Chunk;
use crate::pool::{Pool, PoolBuf, Seat, Size};
use crate::queue::{QUEUE_CHUNKS, SendQueue};
use crate::stream::DataStream;

/// See the module's documentation.
#[derive(Debug)]
pub struct ReactorStream {
    pub(super) socket: Socket,
    seat: Seat,
    pub(super) queue: SendQueue,
    /// Nothing was sent yet, and the reactor may not have said that it can be. It can, so that nobody waits for it.
    fresh: bool,
    shut: bool,
}

impl ReactorStream {
    pub(super) fn new(socket: Socket, seat: Seat) -> Self {
        Self { socket, seat, queue: SendQueue::default(), fresh: true, shut: false }
    }

    /// The socket, for its addresses and options. Reading from it or writing to it breaks the stream.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The pool that received buffers come from.
    pub(super) fn pool(&self) -> &Pool {
        self.seat.pool()
    }

    /// Bytes that the kernel has taken and the peer has not: a figure that shrinks as long as the peer takes anything.
    /// `None` where the system does not say. One system call.
    pub fn unsent(&self) -> Option<u64> {
        unsent(&self.socket)
    }

    /// A buffer to receive into, as soon as there is one.
    pub fn poll_buffer(&mut self, cx: &mut Context<'_>) -> Poll<PoolBuf> {
        self.seat.poll_take(cx, Size::Large)
    }

    /// One system call's worth of the queue, and whether the kernel took all that was offered.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (one, mut many);
        // Room for many is cleared first, which costs more than the rest of this.
        let (slices, total) = if let Some(chunk) = self.queue.only() {
            one = [IoSlice::new(chunk)];
            (one.as_slice(), chunk.len())
        } else {
            many = [IoSlice::new(&[]); QUEUE_CHUNKS];
            let (count, total) = self.queue.slices(&mut many);
            (many.get(..count).unwrap_or_default(), total)
        };
        if std::mem::take(&mut self.fresh) {
            match self.socket.send(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
        let sent = ready!(self.socket.poll_write(cx, || self.socket.send(slices)))?;
        if sent < total {
            self.socket.set_waiting(Interest::WRITABLE);
        }
        Poll::Ready(Ok(sent))
    }
}

impl DataStream for ReactorStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<PoolBuf>>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            let mut buf = ready!(self.seat.poll_take(cx, Size::Large));
            let want = buf.room().min(max.max(1));
            let room = buf.spare_mut().get_mut(..want).unwrap_or_default();
            let Some(count) = self.socket.try_if(Interest::READABLE, || self.socket.read(room)) else {
                continue;
            };
            let count = count?;
            if count == 0 {
                return Poll::Ready(Ok(None));
            }
            if count < want {
                self.socket.set_waiting(Interest::READABLE);
            }
            buf.commit(count);
            return Poll::Ready(Ok(Some(buf)));
        }
    }

    fn queue_send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.queue.push(chunk, 0)
    }

    fn queued(&self) -> usize {
        self.queue.bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            match self.poll_send(cx) {
                Poll::Ready(Ok(sent)) => self.queue.advance(sent),
                Poll::Ready(Err(error)) => {
                    self.queue.fail();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    self.queue.settle(self.seat.pool());
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        if !std::mem::replace(&mut self.shut, true) {
            self.socket.shutdown()?;
        }
        Poll::Ready(Ok(()))
    }

    fn is_reusable(&mut self) -> bool {
        self.queue.bytes() == 0 && !self.shut && self.socket.is_quiet()
    }
}

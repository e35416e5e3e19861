//! The program's side of the simulation: what a stream over completions does.

use std::cell::{RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::kernel::{Endpoint, Kernel, Operation};
use crate::chunk::Chunk;
use crate::pool::{PoolBuf, Seat, Size};
use crate::queue::SendQueue;
use crate::stream::DataStream;

/// Who drops it gives its operations and their buffers to the kernel.
#[derive(Debug)]
pub(super) struct End {
    kernel: Rc<RefCell<Kernel>>,
    id: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct SimStream {
    end: End,
    seat: Seat,
    /// Not handed over yet. While the kernel has some, these wait.
    queue: SendQueue,
}

impl End {
    pub(super) fn new(kernel: Rc<RefCell<Kernel>>, id: usize) -> Self {
        Self { kernel, id }
    }

    /// It is there until this is dropped.
    fn endpoint(&self) -> RefMut<'_, Endpoint> {
        RefMut::map(self.kernel.borrow_mut(), |kernel| kernel.ends.entry(self.id).or_default())
    }

    fn notify(&self) {
        let driver = self.kernel.borrow_mut().notify();
        driver.into_iter().for_each(Waker::wake);
    }

    fn arm(&self) {
        self.kernel.borrow_mut().arm(self.id);
        self.notify();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let turn = self.kernel.borrow_mut().orphan(self.id);
        turn.finish();
    }
}

impl SimStream {
    pub(super) fn new(end: End, seat: Seat) -> Self {
        end.endpoint().pool = Some(seat.pool().clone());
        Self { end, seat, queue: SendQueue::default() }
    }

    /// What has arrived, as much as is wanted; the rest stays in front.
    fn take_arrived(&self, max: usize) -> Option<PoolBuf> {
        let mut endpoint = self.end.endpoint();
        let mut buf = endpoint.recv.arrived.pop_front()?;
        if buf.len() <= max {
            return Some(buf);
        }
        let front = buf.split_to(max);
        endpoint.recv.arrived.push_front(buf);
        Some(front)
    }
}

impl DataStream for SimStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<PoolBuf>>> {
        if let Some(buf) = self.take_arrived(max.max(1)) {
            self.end.arm();
            return Poll::Ready(Ok(Some(buf)));
        }
        if self.end.endpoint().recv.ended {
            return Poll::Ready(Ok(None));
        }
        if self.end.endpoint().recv.starved {
            drop(ready!(self.seat.poll_take(cx, Size::Large)));
            self.end.endpoint().recv.starved = false;
        }
        self.end.endpoint().recv.waker = Some(cx.waker().clone());
        self.end.arm();
        Poll::Pending
    }

    fn queue_send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        let flying = self.end.endpoint().send.flight.bytes();
        self.queue.push(chunk, flying)
    }

    fn queued(&self) -> usize {
        self.queue.bytes() + self.end.endpoint().send.flight.bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut endpoint = self.end.endpoint();
        if let Some(error) = endpoint.send.error.take() {
            drop(endpoint);
            self.queue.fail();
            return Poll::Ready(Err(error));
        }
        if endpoint.send.state == Operation::None {
            if endpoint.send.flight.is_empty() {
                endpoint.send.flight = std::mem::take(&mut self.queue);
            }
            if endpoint.send.flight.is_empty() {
                return Poll::Ready(Ok(()));
            }
            // Once the kernel has them they cannot be moved any more.
            if self.seat.pool().is_scarce(Size::Large) {
                endpoint.send.flight.vacate(self.seat.pool());
            }
            endpoint.send.state = Operation::Submitted;
        }
        endpoint.send.waker = Some(cx.waker().clone());
        drop(endpoint);
        self.queue.settle(self.seat.pool());
        self.end.notify();
        Poll::Pending
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        let mut endpoint = self.end.endpoint();
        if endpoint.send.is_shut {
            return Poll::Ready(Ok(()));
        }
        if endpoint.send.shutdown == Operation::None {
            endpoint.send.shutdown = Operation::Submitted;
        }
        endpoint.send.waker = Some(cx.waker().clone());
        drop(endpoint);
        self.end.notify();
        Poll::Pending
    }

    fn is_reusable(&mut self) -> bool {
        let quiet = self.end.kernel.borrow().is_quiet(self.end.id);
        quiet && self.queued() == 0 && !self.end.endpoint().send.is_shut
    }
}

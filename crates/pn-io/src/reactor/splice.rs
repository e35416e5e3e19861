//! Bytes from socket to socket that never come into the process: splice(2), through a pipe that a direction has only
//! while bytes are in it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};

use super::socket::uninterrupted;
use super::stream::ReactorStream;
use crate::copy;
use crate::stream::{DataStream, Relayed};

/// Fewer bytes than this go through the process: copying 64 KiB costs less than two more system calls do.
const WORTH_IT: u64 = 256 << 10;
/// What a pipe is asked to hold. The kernel grants a user 64 MiB of such, then one page at a time, which is slow but
/// right.
const PIPE_BYTES: usize = 256 << 10;
/// Pipes of a worker, two descriptors each. Who gets none copies.
const PIPES: usize = 128;
/// Empty pipes that wait for their next use.
const KEPT: usize = 16;

/// The pipes of a worker.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    kept: RefCell<Vec<Pipe>>,
    made: Cell<usize>,
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    capacity: usize,
}

/// A pipe in use. Dropped empty it is kept; dropped with bytes in it, it is closed with them.
struct Lent<'a> {
    pipes: &'a Pipes,
    pipe: Option<Pipe>,
    holds: usize,
}

/// As [`copy::forward`].
pub(super) async fn forward(
    pipes: &Pipes,
    from: &mut ReactorStream,
    to: &mut ReactorStream,
    max: u64,
    moved: &Cell<u64>,
) -> io::Result<()> {
    if max < WORTH_IT {
        return copy::forward(from, to, max, moved).await;
    }
    to.flush().await?;
    let mut direction = Direction::new(pipes);
    poll_fn(|cx| direction.poll(cx, from, to, max, moved)).await
}

/// As [`copy::relay`].
pub(super) async fn relay(
    pipes: &Pipes,
    a: &mut ReactorStream,
    b: &mut ReactorStream,
    moved: &Relayed,
) -> io::Result<()> {
    a.flush().await?;
    b.flush().await?;
    let (mut forth, mut back) = (Direction::new(pipes), Direction::new(pipes));
    poll_fn(|cx| {
        let forth = forth.poll_to_end(cx, a, b, &moved.forth)?;
        let back = back.poll_to_end(cx, b, a, &moved.back)?;
        if forth.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// One way. More is read when the pipe is empty only: then `WouldBlock` can mean nothing but that the socket is.
struct Direction<'a> {
    pipes: &'a Pipes,
    lent: Option<Lent<'a>>,
    read: u64,
    ended: bool,
    closed: bool,
}

// === impl Direction ===

impl<'a> Direction<'a> {
    fn new(pipes: &'a Pipes) -> Self {
        Self { pipes, lent: None, read: 0, ended: false, closed: false }
    }

    /// Ready when `from` has ended or `max` bytes were read, and `to` has taken them.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        max: u64,
        moved: &Cell<u64>,
    ) -> Poll<io::Result<()>> {
        loop {
            let delivered = self.poll_deliver(cx, to)?;
            let on_the_way = to.queued() + self.lent.as_ref().map_or(0, |lent| lent.holds);
            moved.set(self.read - on_the_way as u64);
            ready!(delivered);
            if self.ended || self.read >= max {
                return Poll::Ready(Ok(()));
            }
            let fetched = self.poll_fetch(cx, from, to, max - self.read)?;
            if fetched.is_pending() {
                // Whoever waits needs no pipe.
                self.lent = None;
                return Poll::Pending;
            }
        }
    }

    /// As [`poll`](Self::poll), to the end of `from`, which is passed on.
    fn poll_to_end(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        moved: &Cell<u64>,
    ) -> Poll<io::Result<()>> {
        if !self.closed {
            ready!(self.poll(cx, from, to, u64::MAX, moved))?;
            ready!(to.poll_shutdown(cx))?;
            self.lent = None;
            self.closed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// All that was read into `to`, from the pipe or from its queue.
    fn poll_deliver(&mut self, cx: &mut Context<'_>, to: &mut ReactorStream) -> Poll<io::Result<()>> {
        while let Some(lent) = self.lent.as_mut().filter(|lent| lent.holds > 0) {
            let sent = ready!(to.socket.poll_write(cx, || lent.drain(to)))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            lent.holds -= sent.min(lent.holds);
        }
        to.poll_flush(cx)
    }

    fn poll_fetch(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        max: u64,
    ) -> Poll<io::Result<()>> {
        ready!(from.socket.poll_read_ready(cx))?;
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if self.lent.is_none() && max as u64 >= WORTH_IT {
            self.lent = self.pipes.lend();
        }
        let Some(lent) = &mut self.lent else {
            return self.poll_copy(cx, from, to, max);
        };
        let count = ready!(from.socket.poll_read(cx, || lent.fill(from, max)))?;
        lent.holds = count;
        self.read += count as u64;
        self.ended = count == 0;
        Poll::Ready(Ok(()))
    }

    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        max: usize,
    ) -> Poll<io::Result<()>> {
        match ready!(from.poll_recv(cx, max))? {
            None => self.ended = true,
            Some(buf) => {
                self.read += buf.len() as u64;
                to.queue_send(buf.into()).map_err(|_| io::Error::other("a flushed queue is full"))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

// === impl Pipes ===

impl Pipes {
    /// `None` when there are as many as may be, or the system gives none.
    fn lend(&self) -> Option<Lent<'_>> {
        let pipe = self.kept.borrow_mut().pop().or_else(|| {
            let pipe = if self.made.get() < PIPES { Pipe::new().ok() } else { None }?;
            self.made.set(self.made.get() + 1);
            Some(pipe)
        })?;
        Some(Lent { pipes: self, pipe: Some(pipe), holds: 0 })
    }

    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        self.made.get()
    }
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let capacity = fcntl_setpipe_size(&write, PIPE_BYTES).or_else(|_| fcntl_getpipe_size(&write))?;
        Ok(Self { read, write, capacity })
    }
}

impl Lent<'_> {
    /// From the socket into the pipe, which is empty.
    fn fill(&self, from: &ReactorStream, max: usize) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else { return Ok(0) };
        move_bytes(&from.socket, &pipe.write, max.min(pipe.capacity))
    }

    /// From the pipe into the socket.
    fn drain(&self, to: &ReactorStream) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else { return Ok(0) };
        move_bytes(&pipe.read, &to.socket, self.holds)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut kept = self.pipes.kept.borrow_mut();
        match self.pipe.take() {
            Some(pipe) if self.holds == 0 && kept.len() < KEPT => kept.push(pipe),
            _ => self.pipes.made.set(self.pipes.made.get() - 1),
        }
    }
}

fn move_bytes(from: impl std::os::fd::AsFd, to: impl std::os::fd::AsFd, max: usize) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    uninterrupted(|| Ok(splice(&from, None, &to, None, max, flags)?))
}

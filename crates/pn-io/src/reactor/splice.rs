//! Bytes from socket to socket that never come into the process: splice(2), through a pipe that a direction has only
//! while bytes are in it.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};

use super::socket::uninterrupted;
use super::stream::ReactorStream;
use crate::passage::{Lost, Passage, Progress, WORTH_A_PIPE};
use crate::stream::DataStream;

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
#[derive(Debug)]
struct Lent {
    pipes: Rc<Pipes>,
    pipe: Option<Pipe>,
    holds: usize,
}

/// One way. More is read when the pipe is empty only: then `WouldBlock` can mean nothing but that the socket is.
#[derive(Debug)]
pub struct Splicing {
    pipes: Rc<Pipes>,
    lent: Option<Lent>,
    progress: Progress,
}

// === impl Splicing ===

impl Passage<ReactorStream, ReactorStream> for Splicing {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut ReactorStream,
        to: &mut ReactorStream,
        max: u64,
    ) -> Poll<Result<(), Lost>> {
        loop {
            ready!(self.poll_deliver(cx, to)).map_err(Lost::To)?;
            let over = self.progress.ended || self.progress.read >= max;
            if over
                || self.poll_fetch(cx, from, to, max - self.progress.read).map_err(Lost::From)?.is_pending()
            {
                // Whoever waits needs no pipe.
                self.lent = None;
                return if over { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>, to: &mut ReactorStream) -> Poll<Result<(), Lost>> {
        ready!(self.poll_deliver(cx, to)).map_err(Lost::To)?;
        self.lent = None;
        Poll::Ready(Ok(()))
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}

impl Splicing {
    pub(super) fn new(pipes: &Rc<Pipes>) -> Self {
        Self { pipes: Rc::clone(pipes), lent: None, progress: Progress::default() }
    }

    /// All that was read into `to`.
    fn poll_deliver(&mut self, cx: &mut Context<'_>, to: &mut ReactorStream) -> Poll<io::Result<()>> {
        let delivered = self.poll_empty(cx, to);
        if !matches!(delivered, Poll::Ready(Err(_))) {
            let on_the_way = to.queued() + self.lent.as_ref().map_or(0, |lent| lent.holds);
            self.progress.moved = self.progress.read.saturating_sub(on_the_way as u64);
        }
        delivered
    }

    /// From the pipe, or from the queue.
    fn poll_empty(&mut self, cx: &mut Context<'_>, to: &mut ReactorStream) -> Poll<io::Result<()>> {
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
        if self.lent.is_none() && max as u64 >= WORTH_A_PIPE {
            self.lent = Pipes::lend(&self.pipes);
        }
        let Some(lent) = &mut self.lent else {
            return self.poll_copy(cx, from, to, max);
        };
        let count = ready!(from.socket.poll_read(cx, || lent.fill(from, max)))?;
        lent.holds = count;
        self.progress.read += count as u64;
        self.progress.ended = count == 0;
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
            None => self.progress.ended = true,
            Some(buf) => {
                self.progress.read += buf.len() as u64;
                to.queue_send(buf.into()).map_err(|_| io::Error::other("a flushed queue is full"))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

// === impl Pipes ===

impl Pipes {
    /// `None` when there are as many as may be, or the system gives none.
    fn lend(own: &Rc<Self>) -> Option<Lent> {
        let pipe = own.kept.borrow_mut().pop().or_else(|| {
            let pipe = if own.made.get() < PIPES { Pipe::new().ok() } else { None }?;
            own.made.set(own.made.get() + 1);
            Some(pipe)
        })?;
        Some(Lent { pipes: Rc::clone(own), pipe: Some(pipe), holds: 0 })
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

impl Lent {
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

impl Drop for Lent {
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

//! A client's socket, and what lies over it: plain or TLS, one concrete type without dynamic calls. Reads and writes
//! leave their trace in the pulse at the socket, below TLS.

use super::pulse::Pulse;
use crate::wire::Passing;
use bytes::Bytes;
use pn_io::reactor::{self, Gulp, ReactorStream};
use pn_io::{Chunk, DataStream, Lost, Over, PoolBuf};
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

/// The socket itself, with bytes that were read ahead of the protocol that wants them.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: ReactorStream,
    gulp: Gulp,
    pulse: Arc<Pulse>,
}

/// What HTTP runs over.
#[derive(Debug)]
pub(crate) enum Io {
    Plain(Socket),
    Tls(Box<Over<TlsStream<Socket>>>),
}

impl Socket {
    pub(crate) fn new(stream: ReactorStream, pulse: Arc<Pulse>) -> Self {
        Self { stream, gulp: Gulp::default(), pulse }
    }

    /// Gives bytes back that belong to the next protocol.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.gulp.put_back(bytes);
    }

    /// The connection alone, for bytes that go both ways unread. Nothing may be ahead any more.
    pub(crate) fn stream(&mut self) -> &mut ReactorStream {
        &mut self.stream
    }

    /// Lets a body pass from another socket into this one, which has nothing queued.
    pub(crate) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        from: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Lost>> {
        let polled = passing.poll(from, &mut self.stream, cx);
        if passing.fresh() > 0 {
            self.pulse.has_written();
        }
        if polled.is_pending() && passing.waits_for_reader() {
            self.blocked();
        }
        polled
    }

    /// Whether nothing was read that is not dealt with, so that what comes may pass on unread.
    pub(crate) fn is_at_hand(&self) -> bool {
        self.gulp.is_empty()
    }

    /// Lets a body pass from this socket into another, which has nothing queued.
    pub(crate) fn poll_give(
        &mut self,
        passing: &mut Passing,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Lost>> {
        let polled = passing.poll(&mut self.stream, to, cx);
        if passing.came() > 0 || passing.has_ended() {
            self.pulse.has_read(usize::try_from(passing.came()).unwrap_or(usize::MAX));
        }
        polled
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Ready(Ok(_)) => self.pulse.has_written(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.blocked(),
        }
        polled
    }

    fn blocked(&self) {
        self.pulse.write_blocked(|| self.stream.unsent());
    }
}

/// A client that takes nothing is sent nothing more: the kernel would keep trying with what it has buffered, and keep
/// the buffers, long after the connection is given up.
impl Drop for Socket {
    fn drop(&mut self) {
        if let (true, reactor::Socket::Tcp(tcp)) = (self.pulse.is_given_up(), self.stream.socket()) {
            let reset = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
            reset.unwrap_or_else(|error| tracing::debug!(%error, "a connection was not reset"));
        }
    }
}

impl DataStream for Socket {
    fn poll_recv(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<PoolBuf>>> {
        if !self.gulp.is_empty() {
            let mut buf = ready!(self.stream.poll_buffer(cx));
            let count = buf.extend(&self.gulp.take(max.min(buf.room())));
            self.pulse.has_read(count);
            return Poll::Ready(Ok(Some(buf)));
        }
        let polled = self.stream.poll_recv(cx, max);
        if let Poll::Ready(Ok(read)) = &polled {
            self.pulse.has_read(read.as_ref().map_or(0, |buf| buf.len()));
        }
        polled
    }

    fn queue_send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.stream.queue_send(chunk)
    }

    fn queued(&self) -> usize {
        self.stream.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.stream.queued();
        if before == 0 {
            return Poll::Ready(Ok(()));
        }
        let flushed = DataStream::poll_flush(&mut self.stream, cx);
        if self.stream.queued() < before {
            self.pulse.has_written();
        }
        if flushed.is_pending() {
            self.blocked();
        }
        flushed
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        DataStream::poll_shutdown(&mut self.stream, cx)
    }

    fn is_reusable(&mut self) -> bool {
        self.gulp.is_empty() && self.stream.is_reusable()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining());
        let this = &mut *self;
        let polled = this.gulp.poll_read(&mut this.stream, cx, buf);
        if let Poll::Ready(Ok(())) = &polled
            && room > 0
        {
            self.pulse.has_read(buf.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        DataStream::poll_flush(&mut *self, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

crate::wire::either_stream!(Io { Plain, Tls });

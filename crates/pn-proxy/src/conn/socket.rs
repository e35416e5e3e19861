//! A client's socket, and what lies over it: TCP or unix, plain or TLS, one concrete type without dynamic calls. Reads
//! and writes leave their trace in the pulse at the socket, below TLS.

use super::pulse::Pulse;
use bytes::{Buf, Bytes};
use socket2::SockRef;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// Below this a response's pieces are copied together: one `send` is cheaper than one `writev` as long as the copy
/// stays in the first cache.
const GATHER_BYTES: usize = 4 << 10;

#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The socket itself, with bytes that were read ahead of the protocol that wants them.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    ahead: Bytes,
    pulse: Arc<Pulse>,
}

/// What HTTP runs over.
#[derive(Debug)]
pub(crate) enum Io {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Socket {
    pub(crate) fn new(stream: Stream, pulse: Arc<Pulse>) -> Self {
        Self { stream, ahead: Bytes::new(), pulse }
    }

    /// Gives bytes back that belong to the next protocol.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.ahead = bytes;
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let n = self.ahead.len().min(buf.remaining());
            buf.put_slice(self.ahead.get(..n).unwrap_or_default());
            self.ahead.advance(n);
            if self.ahead.is_empty() {
                // Lets go of the buffer, which the connection would otherwise keep for its lifetime.
                self.ahead = Bytes::new();
            }
            self.pulse.has_read(n);
            return Poll::Ready(Ok(()));
        }
        let (before, room) = (buf.filled().len(), buf.remaining());
        let polled = match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Unix(unix) => Pin::new(unix).poll_read(cx, buf),
        };
        if let Poll::Ready(Ok(())) = &polled
            && room > 0
        {
            self.pulse.has_read(buf.filled().len() - before);
        }
        polled
    }
}

/// A client that takes nothing is sent nothing more: the kernel would keep trying with what it has buffered, and keep
/// the buffers, long after the connection is given up.
impl Drop for Socket {
    fn drop(&mut self) {
        if let (true, Stream::Tcp(tcp)) = (self.pulse.is_given_up(), &self.stream) {
            let reset = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
            reset.unwrap_or_else(|error| tracing::debug!(%error, "a connection was not reset"));
        }
    }
}

impl Socket {
    fn note(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(Ok(_)) => self.pulse.has_written(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.pulse.write_blocked(),
        }
        polled
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Unix(unix) => Pin::new(unix).poll_write(cx, bytes),
        };
        self.note(polled)
    }

    fn write_pieces(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, pieces),
            Stream::Unix(unix) => Pin::new(unix).poll_write_vectored(cx, pieces),
        };
        self.note(polled)
    }
}

thread_local! {
    /// Where small pieces are put together; one a worker, so that no connection holds one.
    static GATHER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHER_BYTES));
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = pieces.iter().filter(|piece| !piece.is_empty());
        let first = filled.next().map(|piece| &**piece).unwrap_or_default();
        if filled.next().is_none() {
            return self.write(cx, first);
        }
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() > GATHER_BYTES {
            return self.write_pieces(cx, pieces);
        }
        GATHER.with_borrow_mut(|gathered| {
            gathered.clear();
            pieces.iter().for_each(|piece| gathered.extend_from_slice(piece));
            self.write(cx, gathered)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets hold nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

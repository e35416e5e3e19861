//! The sockets of upstream connections: TCP or unix, with or without TLS, behind one type, and a bound on what a
//! server may send before its response head is complete.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// Bytes that may arrive before a final response head: hyper takes 400 KiB for one head, and what is read along with
/// it of the body is at most as much again. More is a flood of interim responses.
const HEAD_BYTES: usize = 2 << 20;

pub(super) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub(super) enum Stream {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

/// Counts what arrives while a response head is due.
#[derive(Clone, Default)]
pub(super) struct HeadBudget(Rc<Cell<usize>>);

impl HeadBudget {
    /// A request goes out: its head is due.
    pub(super) fn begin(&self) {
        self.0.set(HEAD_BYTES);
    }

    /// The head is there: from now on anything may come.
    pub(super) fn end(&self) {
        self.0.set(usize::MAX);
    }

    /// Whether nothing arrived since `begin`.
    pub(super) fn untouched(&self) -> bool {
        self.0.get() == HEAD_BYTES
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, HeadFlood))?);
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the server sent more than {HEAD_BYTES} bytes and no response head")]
pub(super) struct HeadFlood;

/// What hyper reads and writes.
pub(super) struct Io {
    stream: Stream,
    budget: HeadBudget,
}

impl Io {
    pub(super) fn new(stream: Stream, budget: HeadBudget) -> Self {
        budget.end();
        Self { stream, budget }
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.budget.spend(buf.filled().len() - before))
    }
}

/// The same call on whichever stream it is.
macro_rules! each {
    ($enum:ident, $first:ident, $second:ident, $self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            $enum::$first($stream) => $call,
            $enum::$second($stream) => $call,
        }
    };
}

macro_rules! delegate {
    ($enum:ident { $first:ident, $second:ident }) => {
        impl AsyncRead for $enum {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                each!($enum, $first, $second, self, stream => Pin::new(stream).poll_read(cx, buf))
            }
        }

        impl AsyncWrite for $enum {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                each!($enum, $first, $second, self, stream => Pin::new(stream).poll_write(cx, bytes))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                pieces: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                each!($enum, $first, $second, self, stream => Pin::new(stream).poll_write_vectored(cx, pieces))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!($enum, $first, $second, self, stream => Pin::new(stream).poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!($enum, $first, $second, self, stream => Pin::new(stream).poll_shutdown(cx))
            }
        }
    };
}

delegate!(Plain { Tcp, Unix });
delegate!(Stream { Plain, Tls });

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// A lone piece, which most request heads are, goes by `send`: it costs the kernel less than `writev`.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match pieces {
            [piece] => Pin::new(&mut self.stream).poll_write(cx, piece),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

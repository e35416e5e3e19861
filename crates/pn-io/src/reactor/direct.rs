//! The same connection for protocols whose code brings buffers of its own (TLS, HTTP/2): tokio's reads and writes. What
//! is queued goes first.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::either;
use super::stream::ReactorStream;
use crate::stream::DataStream;

impl ReactorStream {
    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.queue.is_empty() { Poll::Ready(Ok(())) } else { DataStream::poll_flush(self, cx) }
    }
}

impl AsyncRead for ReactorStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.get_mut().socket, socket => Pin::new(socket).poll_read(cx, buf))
    }
}

impl AsyncWrite for ReactorStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_queue(cx))?;
        either!(&mut this.socket, socket => Pin::new(socket).poll_write(cx, bytes))
    }

    /// A lone piece, which most messages are, goes by `send`: it costs the kernel less than `writev`.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_queue(cx))?;
        match slices {
            [one] => either!(&mut this.socket, socket => Pin::new(socket).poll_write(cx, one)),
            _ => either!(&mut this.socket, socket => Pin::new(socket).poll_write_vectored(cx, slices)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_queue(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        DataStream::poll_shutdown(self.get_mut(), cx)
    }
}

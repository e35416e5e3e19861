//! The server's side of a changed protocol (WebSocket and others): bytes both ways.

use super::h2::StreamPlace;
use super::load::InFlight;
use super::room::Place;
use super::stream::Stream;
use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads and writes what follows the answer. Dropped, it closes the connection or resets the stream.
pub(crate) struct UpstreamTunnel {
    ends: Ends,
    _load: Option<InFlight>,
}

pub(super) enum Ends {
    /// The socket, and what had been read of it.
    H1 {
        stream: Stream,
        read: Bytes,
        _place: Rc<Place>,
    },
    H2 {
        stream: TokioIo<Upgraded>,
        _place: StreamPlace,
    },
}

impl UpstreamTunnel {
    pub(super) fn new(ends: Ends, load: Option<InFlight>) -> Self {
        Self { ends, _load: load }
    }
}

impl fmt::Debug for UpstreamTunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamTunnel")
    }
}

impl AsyncRead for UpstreamTunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.ends {
            Ends::H1 { read, .. } if !read.is_empty() => {
                let some = read.len().min(buf.remaining());
                buf.put_slice(read.get(..some).unwrap_or_default());
                read.advance(some);
                if read.is_empty() {
                    // Nothing at all holds the memory that it was read into.
                    *read = Bytes::new();
                }
                Poll::Ready(Ok(()))
            }
            Ends::H1 { stream, .. } => Pin::new(stream).poll_read(cx, buf),
            Ends::H2 { stream, .. } => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UpstreamTunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.ends {
            Ends::H1 { stream, .. } => Pin::new(stream).poll_write(cx, bytes),
            Ends::H2 { stream, .. } => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.ends {
            Ends::H1 { stream, .. } => Pin::new(stream).poll_flush(cx),
            Ends::H2 { stream, .. } => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.ends {
            Ends::H1 { stream, .. } => Pin::new(stream).poll_shutdown(cx),
            Ends::H2 { stream, .. } => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! A stream that became a tunnel (RFC 8441): bytes both ways, unread.

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use pn_io::Chunk;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Dropped before both sides have closed it, it resets the stream. Holds `G` as long as it lasts.
pub(crate) struct Tunnel<G> {
    recv: RecvStream,
    send: SendStream<Chunk>,
    /// What came and was not read.
    read: Bytes,
    _guard: G,
}

impl<G> Tunnel<G> {
    pub(crate) fn new(recv: RecvStream, send: SendStream<Chunk>, guard: G) -> Self {
        Self { recv, send, read: Bytes::new(), _guard: guard }
    }
}

impl<G: Unpin> AsyncRead for Tunnel<G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.read.is_empty() {
            match ready!(self.recv.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(data)) => self.read = data,
                // A peer that leaves so has nothing more to say.
                Some(Err(error)) if matches!(error.reason(), Some(Reason::NO_ERROR | Reason::CANCEL)) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let some = self.read.len().min(buf.remaining());
        buf.put_slice(self.read.get(..some).unwrap_or_default());
        self.read.advance(some);
        drop(self.recv.flow_control().release_capacity(some));
        Poll::Ready(Ok(()))
    }
}

impl<G: Unpin> AsyncWrite for Tunnel<G> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.send.reserve_capacity(bytes.len());
        let mut room = self.send.capacity();
        while room == 0 {
            room = match ready!(self.send.poll_capacity(cx)) {
                Some(room) => room.map_err(broken)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let some = room.min(bytes.len());
        let piece = Bytes::copy_from_slice(bytes.get(..some).unwrap_or_default());
        self.send.send_data(piece.into(), false).map_err(broken)?;
        Poll::Ready(Ok(some))
    }

    /// The connection's task does that.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.send.send_data(Chunk::default(), true).map_err(broken))
    }
}

fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
    }
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

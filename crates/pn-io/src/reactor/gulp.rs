//! Large reads for code that asks for small ones: rustls takes 4 KiB at a time, and of a large body would cost a system call
//! for each.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ReactorStream;
use crate::chunk::Chunk;
use crate::stream::DataStream;

/// As much as is read at once.
const GULP: usize = 64 << 10;
/// Fewer bytes than this are not worth a buffer of our own: who asks has room for them.
const SIP: usize = 4 << 10;

/// What was read of a stream beyond what was asked for. Nothing is, until somebody has been given all that he asked for:
/// who waits for a message, or gets a short one, holds no memory here.
#[derive(Debug, Default)]
pub struct Gulp {
    /// Never empty. In a box, since most connections never have any.
    ahead: Option<Box<Chunk>>,
    /// The last one who asked got as much as he asked for, so that there may be more.
    more: bool,
}

impl Gulp {
    /// Gives bytes back, which belong in front of what comes.
    pub fn put_back(&mut self, bytes: Bytes) {
        let all = match self.ahead.take() {
            None => bytes,
            Some(ahead) => [&bytes[..], &ahead].concat().into(),
        };
        self.keep(all.into());
    }

    pub fn is_empty(&self) -> bool {
        self.ahead.is_none()
    }

    /// The first bytes of what is ahead, at most so many. The last of it lets go of its memory.
    pub fn take(&mut self, most: usize) -> Chunk {
        match &mut self.ahead {
            Some(ahead) if ahead.len() > most => ahead.split_to(most),
            _ => self.ahead.take().map_or_else(Chunk::default, |ahead| *ahead),
        }
    }

    /// Reads as [`AsyncRead`] does.
    pub fn poll_read(
        &mut self,
        stream: &mut ReactorStream,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(ahead) = &mut self.ahead {
            give(ahead, buf);
            if ahead.is_empty() {
                self.ahead = None;
            }
            return Poll::Ready(Ok(()));
        }
        if !self.more {
            let room = buf.remaining();
            ready!(Pin::new(stream).poll_read(cx, buf))?;
            self.more = buf.remaining() == 0 && room > 0;
            return Poll::Ready(Ok(()));
        }
        let Some(read) = ready!(stream.poll_recv(cx, GULP))? else { return Poll::Ready(Ok(())) };
        self.more = read.len() >= SIP;
        let mut read = Chunk::from(read);
        give(&mut read, buf);
        // What is left waits for as long as its reader likes, and lets go of memory that others need.
        self.keep(read.settled(stream.pool()));
        Poll::Ready(Ok(()))
    }

    fn keep(&mut self, ahead: Chunk) {
        self.ahead = (!ahead.is_empty()).then(|| Box::new(ahead));
    }
}

fn give(from: &mut Chunk, buf: &mut ReadBuf<'_>) {
    let count = from.len().min(buf.remaining());
    buf.put_slice(from.get(..count).unwrap_or_default());
    from.advance(count);
}

/// A stream that is read in gulps.
#[derive(Debug)]
pub struct Gulping {
    stream: ReactorStream,
    gulp: Gulp,
}

impl Gulping {
    pub fn new(stream: ReactorStream) -> Self {
        Self { stream, gulp: Gulp::default() }
    }
}

impl AsyncRead for Gulping {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.gulp.poll_read(&mut this.stream, cx, buf)
    }
}

impl AsyncWrite for Gulping {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.stream), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.stream), cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventActions, Pool, PoolConfig, Reactor, Size};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// In whatever pieces it is asked for, and what was given back in front; at the end no buffer is held.
    #[tokio::test]
    async fn bytes_keep_their_order_whatever_is_asked_for() {
        let events = Reactor::new(Pool::new(PoolConfig::default()));
        let (near, mut far) = tokio::net::UnixStream::pair().unwrap();
        let mut near = Gulping::new(events.attach(near.into()).unwrap());
        let sent: Vec<u8> = (0..300_000).map(|at: u32| (at % 251).to_le_bytes()[0]).collect();
        let (written, got) = tokio::join!(
            async {
                far.write_all(&sent).await.unwrap();
                drop(far);
            },
            async {
                let (mut got, mut backs) = (Vec::new(), 0);
                for ask in [1, 4_096, 100, 4_096, 4_096, 70_000, 5].into_iter().cycle() {
                    let mut piece = vec![0; ask];
                    let count = near.read(&mut piece).await.unwrap();
                    if count == 0 {
                        return got;
                    }
                    got.extend_from_slice(&piece[..count]);
                    if got.len().is_multiple_of(7) && backs < 20 {
                        backs += 1;
                        let back = got.split_off(got.len() - count);
                        near.gulp.put_back(back.into());
                    }
                }
                got
            },
        );
        let () = written;
        assert!(got == sent && near.gulp.is_empty());
        assert_eq!(events.pool().in_use(Size::Large), 0);
    }
}

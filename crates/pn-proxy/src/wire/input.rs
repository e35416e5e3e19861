//! What has been read of a connection and is not dealt with: a pool buffer as long as somebody is at work on it, memory
//! of its own size once it has to wait. Nothing at all holds nothing.

use bytes::{Buf, BytesMut};
use pn_io::{Chunk, DataStream, PoolBuf, Size};
use std::io;
use std::ops::{Deref, Range};
use std::task::{Context, Poll};

#[derive(Debug, Default)]
pub(crate) enum Input {
    #[default]
    Empty,
    Pool(PoolBuf),
    Own(BytesMut),
}

impl Input {
    /// Reads once, at most so many bytes. `false` at the end.
    pub(crate) fn poll_fill(
        &mut self,
        stream: &mut impl DataStream,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let Poll::Ready(read) = stream.poll_recv(cx, most) else {
            self.rest();
            return Poll::Pending;
        };
        let Some(more) = read? else { return Poll::Ready(Ok(false)) };
        *self = match std::mem::take(self) {
            Self::Empty => Self::Pool(more),
            Self::Pool(rest) => join(&rest, more).unwrap_or_else(|more| Self::Own(joined(&rest, &more))),
            Self::Own(rest) if rest.len() < more.len() => {
                join(&rest, more).unwrap_or_else(|more| Self::Own(joined(&rest, &more)))
            }
            Self::Own(mut rest) => {
                rest.extend_from_slice(&more);
                Self::Own(rest)
            }
        };
        Poll::Ready(Ok(true))
    }

    /// What is here may have to wait: it must not keep memory that everybody reads into.
    pub(crate) fn rest(&mut self) {
        match self {
            Self::Pool(buf) if !buf.is_empty() => *self = Self::Own(BytesMut::from(&buf[..])),
            Self::Own(bytes) if !bytes.is_empty() => {}
            _ => *self = Self::Empty,
        }
    }

    /// The same where such memory is scarce: who takes what is in front may be slow to come back.
    pub(crate) fn settle(&mut self) {
        if matches!(self, Self::Pool(_)) && super::pool().is_scarce(Size::Large) {
            self.rest();
        }
    }

    /// Drops the first bytes, at most all.
    pub(crate) fn advance(&mut self, count: usize) {
        match self {
            _ if count >= self.len() => *self = Self::Empty,
            Self::Empty => {}
            Self::Pool(buf) => buf.consume(count),
            Self::Own(bytes) => bytes.advance(count),
        }
    }

    /// Takes the first bytes out, and gives those of them that `data` says.
    pub(crate) fn take(&mut self, count: usize, data: Range<usize>) -> Chunk {
        let taken = match self {
            // The buffer itself, with nobody beside it.
            _ if count >= self.len() => std::mem::take(self),
            Self::Empty => Self::Empty,
            Self::Pool(buf) => Self::Pool(buf.split_to(count)),
            Self::Own(bytes) => Self::Own(bytes.split_to(count)),
        };
        match taken {
            Self::Empty => Chunk::default(),
            Self::Pool(mut buf) => {
                buf.truncate(data.end);
                buf.consume(data.start);
                buf.into()
            }
            Self::Own(mut bytes) => {
                bytes.truncate(data.end);
                bytes.advance(data.start.min(bytes.len()));
                bytes.freeze().into()
            }
        }
    }

    /// All of it, for the next protocol.
    pub(crate) fn take_all(&mut self) -> Chunk {
        let all = self.len();
        self.rest();
        self.take(all, 0..all)
    }
}

/// Puts what is left of earlier reads in front of the last one.
fn join(rest: &[u8], mut more: PoolBuf) -> Result<Input, PoolBuf> {
    if more.prepend(rest) { Ok(Input::Pool(more)) } else { Err(more) }
}

fn joined(rest: &[u8], more: &[u8]) -> BytesMut {
    let mut own = BytesMut::with_capacity(rest.len() + more.len());
    own.extend_from_slice(rest);
    own.extend_from_slice(more);
    own
}

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Pool(buf) => buf,
            Self::Own(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pn_io::{EventActions, Pool, PoolConfig, Reactor};
    use std::future::poll_fn;

    /// Whatever is read in whatever pieces is there in one piece, and while it waits no buffer is held.
    #[tokio::test]
    async fn what_waits_holds_no_buffer_and_stays_whole() {
        let config = PoolConfig { small_bytes: 8, large_bytes: 64, ..PoolConfig::default() };
        let events = Reactor::new(Pool::new(config));
        let (near, far) = tokio::net::UnixStream::pair().unwrap();
        let mut near = events.attach(near.into()).unwrap();
        let (mut input, mut expected) = (Input::default(), Vec::new());
        for length in [1, 3, 40, 2, 64, 9, 30] {
            let piece: Vec<u8> = (0..length).collect();
            assert_eq!(far.try_write(&piece).unwrap(), piece.len());
            expected.extend_from_slice(&piece);
            assert!(poll_fn(|cx| input.poll_fill(&mut near, usize::MAX, cx)).await.unwrap());
            assert_eq!(&*input, expected, "after {length}");
            let mut cx = Context::from_waker(std::task::Waker::noop());
            assert!(input.poll_fill(&mut near, usize::MAX, &mut cx).is_pending());
            assert_eq!(events.pool().in_use(Size::Large), 0, "after {length}");
        }
        let mut at = 0;
        for (count, data) in [(5, 1..3), (20, 0..20), (200, 4..90)] {
            let len = input.len();
            assert_eq!(&*input.take(count, data.clone()), &expected[at..][data]);
            at += count.min(len);
        }
        assert!(matches!(input, Input::Empty));
    }
}

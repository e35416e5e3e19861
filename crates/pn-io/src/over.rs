//! A `DataStream` over any stream of tokio's: TLS, whose code brings buffers of its own, and streams of other protocols.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::chunk::Chunk;
use crate::pool::{Pool, PoolBuf, Seat, Size};
use crate::queue::{QUEUE_CHUNKS, SendQueue};
use crate::stream::DataStream;

/// See the module's documentation. What is beneath may be read and written directly as well, which first sends what is
/// queued.
#[derive(Debug)]
pub struct Over<S> {
    stream: S,
    seat: Seat,
    queue: SendQueue,
    /// It holds back what it was given.
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Over<S> {
    /// What is received goes into buffers of this pool.
    pub fn new(stream: S, pool: &Pool) -> Self {
        Self { stream, seat: pool.seat(), queue: SendQueue::default(), unflushed: false }
    }

    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Drops what is queued.
    pub fn into_inner(self) -> S {
        self.stream
    }

    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            // All of it at once: what is beneath may make fewer and larger messages of it.
            let mut slices = [IoSlice::new(&[]); QUEUE_CHUNKS];
            let (count, _) = self.queue.slices(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queue.advance(sent);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> DataStream for Over<S> {
    fn poll_recv(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<PoolBuf>>> {
        let mut buf = ready!(self.seat.poll_take(cx, Size::Large));
        let want = buf.room().min(max.max(1));
        let mut room = ReadBuf::new(buf.spare_mut().get_mut(..want).unwrap_or_default());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        buf.commit(count);
        Poll::Ready(Ok((count > 0).then_some(buf)))
    }

    fn queue_send(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.queue.push(chunk, 0)
    }

    fn queued(&self) -> usize {
        self.queue.bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_queue(cx);
        match &flushed {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => self.queue.fail(),
            Poll::Pending => self.queue.settle(self.seat.pool()),
        }
        flushed
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(DataStream::poll_flush(self, cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Never: what is beneath cannot be asked without reading.
    fn is_reusable(&mut self) -> bool {
        false
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Over<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Over<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.queue.is_empty() {
            ready!(DataStream::poll_flush(&mut *self, cx))?;
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.queue.is_empty() {
            ready!(DataStream::poll_flush(&mut *self, cx))?;
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(DataStream::poll_flush(&mut *self, cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        DataStream::poll_shutdown(&mut *self, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PoolConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Writes down what it is given in one call, of which it takes half.
    #[derive(Debug, Default)]
    struct Calls(Vec<usize>);

    impl AsyncRead for Calls {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Calls {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let given = slices.iter().map(|slice| slice.len()).sum::<usize>();
            self.0.push(given);
            Poll::Ready(Ok(given.div_ceil(2)))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn all_that_is_queued_is_offered_at_once() {
        let mut over = Over::new(Calls::default(), &Pool::new(PoolConfig::default()));
        for chunk in [b"head".as_slice(), b"the body"] {
            over.queue_send(chunk.into()).unwrap();
        }
        DataStream::flush(&mut over).await.unwrap();
        assert_eq!(over.get_ref().0, [12, 6, 3, 1]);
    }

    /// What is queued goes first, whoever writes next, through a pipe that holds next to nothing; waiting holds no
    /// buffer.
    #[tokio::test]
    async fn queued_bytes_go_in_front_of_written_ones() {
        let pool = Pool::new(PoolConfig::default());
        let (near, mut far) = tokio::io::duplex(3);
        let mut near = Over::new(near, &pool);
        near.queue_send(b"queued ".as_slice().into()).unwrap();
        let mut got = [0; 14];
        let (written, read) = tokio::join!(near.write_all(b"written"), far.read_exact(&mut got));
        written.unwrap();
        read.unwrap();
        assert_eq!(&got, b"queued written");
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(near.poll_recv(&mut cx, 100).is_pending());
        assert_eq!(pool.in_use(Size::Large), 0);
        far.write_all(b"abc").await.unwrap();
        assert_eq!(&*near.recv(2).await.unwrap().unwrap(), b"ab");
        drop(far);
        assert_eq!(&*near.recv(2).await.unwrap().unwrap(), b"c");
        assert!(near.recv(2).await.unwrap().is_none());
    }
}

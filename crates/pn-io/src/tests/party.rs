//! One side of a connection that sends and receives at once, in pieces of all kinds, and is interrupted now and then.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::Random;
use crate::chunk::Chunk;
use crate::pool::{Pool, Size};
use crate::stream::DataStream;

pub(super) struct Party<'a, S> {
    stream: &'a mut S,
    pool: &'a Pool,
    random: Random,
    message: &'a [u8],
    queued: usize,
    shut: bool,
    received: Vec<u8>,
    ended: bool,
}

impl<'a, S: DataStream> Party<'a, S> {
    pub(super) fn new(stream: &'a mut S, pool: &'a Pool, message: &'a [u8], random: Random) -> Self {
        Self { stream, pool, random, message, queued: 0, shut: false, received: Vec::new(), ended: false }
    }

    /// Sends its message and its end; gives back what came until the other's end.
    pub(super) async fn run(mut self) -> Vec<u8> {
        poll_fn(|cx| {
            // A task that was polled once and is gone leaves nothing behind.
            let over =
                self.random.below(4) == 0 && self.poll(&mut Context::from_waker(Waker::noop())).is_ready();
            if over { Poll::Ready(()) } else { self.poll(cx) }
        })
        .await;
        self.received
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_send(cx).is_ready() && !self.shut {}
        while !self.ended {
            let max = 1 + self.random.below(3_000);
            match self.stream.poll_recv(cx, max) {
                Poll::Ready(result) => match result.unwrap() {
                    Some(buf) => {
                        assert!(!buf.is_empty() && buf.len() <= max);
                        self.received.extend_from_slice(&buf);
                    }
                    None => self.ended = true,
                },
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.shut { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let rest = self.message.get(self.queued..).unwrap_or_default();
        if rest.is_empty() {
            let shut = self.stream.poll_shutdown(cx);
            return shut.map(|result| {
                result.unwrap();
                self.shut = true;
            });
        }
        let chunk = self.chunk(rest);
        let (length, before) = (chunk.len(), self.stream.queued());
        match self.stream.queue_send(chunk) {
            Ok(()) => {
                self.queued += length;
                assert_eq!(self.stream.queued(), before + length);
                if self.random.below(3) > 0 {
                    return Poll::Ready(());
                }
            }
            Err(back) => assert_eq!((&*back, self.stream.queued()), (&rest[..length], before)),
        }
        self.stream.poll_flush(cx).map(|result| result.unwrap())
    }

    /// From the pool while it has any, of either size; from elsewhere.
    fn chunk(&mut self, rest: &[u8]) -> Chunk {
        let length = (1 + self.random.below(2_000)).min(rest.len());
        let bytes = &rest[..length];
        let size = if self.random.below(4) == 0 { Size::Large } else { Size::Small };
        match self.pool.take(size) {
            Some(mut buf) if self.random.below(3) > 0 => {
                let fits = buf.extend(bytes);
                let front = buf.split_to(fits / 2);
                if front.is_empty() { buf.into() } else { front.into() }
            }
            _ => Bytes::copy_from_slice(bytes).into(),
        }
    }
}

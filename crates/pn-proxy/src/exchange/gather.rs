//! A response body of which the beginning is waited for, so that a middleware can tell a small one. What was taken comes
//! first when the body is read on.

use crate::wire;
use http::HeaderMap;
use http_body::{Body, Frame};
use pn_core::ProxyError;
use pn_io::Chunk;
use pn_model::limits::{GATHERED_BYTES, GATHERED_PIECES};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A body that keeps its reader waiting for so long goes on as it is. Not an idle time: pieces that drip do not add up.
const AT_MOST: Duration = Duration::from_millis(10);

pub(crate) struct Gathered<B> {
    pieces: VecDeque<Chunk>,
    size: usize,
    tail: Tail<B>,
}

/// What follows the pieces.
enum Tail<B> {
    Body(B),
    Trailers(HeaderMap),
    Failed(ProxyError),
    End,
}

impl<B: Body<Data = Chunk, Error = ProxyError> + Unpin> Gathered<B> {
    /// Takes from the body until it has ended, or `wanted` bytes are there, or it has had its time.
    pub(crate) async fn new(body: B, wanted: u64) -> Self {
        let mut own = Self { pieces: VecDeque::new(), size: 0, tail: Tail::Body(body) };
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(GATHERED_BYTES);
        let filled = poll_fn(|cx| own.poll_fill(cx, wanted));
        // Late is as good as filled: there is more to come.
        tokio::time::timeout(AT_MOST, filled).await.unwrap_or_default();
        own
    }

    /// Bytes of the whole body, where it has ended.
    pub(crate) fn whole(&self) -> Option<u64> {
        matches!(self.tail, Tail::End | Tail::Trailers(_)).then_some(self.size as u64)
    }

    /// Bytes that are left, where that is known and nothing else follows.
    pub(crate) fn left(&self) -> Option<u64> {
        let left = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        matches!(self.tail, Tail::End).then_some(left)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<()> {
        while self.size < wanted && self.pieces.len() < GATHERED_PIECES {
            let Tail::Body(body) = &mut self.tail else { break };
            match ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                None => self.tail = Tail::End,
                Some(Err(error)) => self.tail = Tail::Failed(error),
                Some(Ok(Ok(piece))) => {
                    self.size = self.size.saturating_add(piece.len());
                    // They may wait for a slow client, all of them.
                    self.pieces.push_back(piece.settled(&wire::pool()));
                }
                Some(Ok(Err(frame))) => self.tail = frame.into_trailers().map_or(Tail::End, Tail::Trailers),
            }
        }
        // One that has ended with its last piece says so at once.
        if matches!(&self.tail, Tail::Body(body) if body.is_end_stream()) {
            self.tail = Tail::End;
        }
        Poll::Ready(())
    }

    pub(crate) fn is_end(&self) -> bool {
        let nothing_follows = match &self.tail {
            Tail::Body(body) => body.is_end_stream(),
            Tail::End => true,
            Tail::Trailers(_) | Tail::Failed(_) => false,
        };
        self.pieces.is_empty() && nothing_follows
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Tail::Body(body) = &mut self.tail {
            return Pin::new(body).poll_frame(cx);
        }
        Poll::Ready(match std::mem::replace(&mut self.tail, Tail::End) {
            Tail::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            Tail::Failed(error) => Some(Err(error)),
            Tail::Body(_) | Tail::End => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, Stream, StreamExt, stream};
    use http_body_util::StreamBody;
    use pn_core::ErrorKind;

    type Piece = Result<Frame<Chunk>, ProxyError>;

    fn data(text: &'static str) -> Piece {
        Ok(Frame::data(text.as_bytes().into()))
    }

    /// How the body stands after `wanted` bytes were asked for, and all of it as it is read on.
    #[track_caller]
    fn check(pieces: impl Stream<Item = Piece> + Unpin, wanted: u64, whole: Option<u64>, read: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let got = runtime.block_on(async {
            let mut body = Gathered::new(StreamBody::new(pieces), wanted).await;
            assert_eq!(body.whole(), whole, "{read}");
            let mut got = String::new();
            while let Some(frame) = poll_fn(|cx| body.poll(cx)).now_or_never().flatten() {
                match frame.map(Frame::into_data) {
                    Ok(Ok(piece)) => got.push_str(std::str::from_utf8(&piece).unwrap()),
                    Ok(Err(_)) => got.push_str(" trailers"),
                    Err(error) => got.push_str(&format!(" {:?}", error.kind)),
                }
            }
            got
        });
        assert_eq!(got, read);
    }

    #[test]
    fn a_body_is_read_on_as_if_nothing_had_been_taken() {
        check(stream::iter([]), 10, Some(0), "");
        check(stream::iter([data("a"), data("b")]), 10, Some(2), "ab");
        check(stream::iter([data("abcde"), data("fghij"), data("k")]), 10, None, "abcdefghijk");
        check(stream::iter([data("a")]).chain(stream::pending()), 10, None, "a");
        check(stream::pending(), 10, None, "");
        let trailers = || Ok(Frame::trailers(HeaderMap::new()));
        check(stream::iter([data("a"), trailers()]), 10, Some(1), "a trailers");
        let broken = || Err(ProxyError::new(ErrorKind::ResponseTimeout));
        check(stream::iter([data("a"), broken()]), 10, None, "a ResponseTimeout");
        // Bounded, whatever is asked for.
        let pieces = || stream::iter((0..GATHERED_PIECES * 2).map(|_| data("x")));
        check(pieces(), u64::MAX, None, &"x".repeat(GATHERED_PIECES * 2));
    }
}

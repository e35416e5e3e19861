//! Bodies on their way, as fast as the windows of stream and connection let them go.

use crate::wire;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body;
use pn_io::Chunk;
use pn_model::limits::H2_SEND_BUFFER;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body's end that is no longer than this is handed over whole, whether the peer has room for it or not: it costs
/// less, and a peer that takes nothing holds no more than this of a stream that is otherwise over.
const SMALL_END: usize = 16 << 10;

/// A body, and the stream that it goes to.
pub(crate) struct Sending<B> {
    body: B,
    send: SendStream<Chunk>,
    /// What the peer has no room for yet.
    rest: Chunk,
    given: u64,
    /// What the peer is told when the body breaks off.
    fault: Reason,
}

impl<B: Body<Data = Chunk> + Unpin> Sending<B> {
    pub(crate) fn new(body: B, send: SendStream<Chunk>, fault: Reason) -> Self {
        Self { body, send, rest: Chunk::default(), given: 0, fault }
    }

    /// Ready once all of the body has been handed over, or the rest has no place to go.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.rest.is_empty() {
                match ready!(self.poll_give(cx)) {
                    true => return Poll::Ready(()),
                    false => continue,
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                // The peer may lose interest while there is nothing to send.
                return self.send.poll_reset(cx).map(drop);
            };
            match frame {
                None => return self.end(Chunk::default()),
                Some(Err(_)) => {
                    self.reset(self.fault);
                    return Poll::Ready(());
                }
                // What waits for the peer's window must not keep the memory that everybody reads into.
                Some(Ok(frame)) => match frame.into_data().map(|data| data.settled(&wire::pool())) {
                    Ok(data) if data.len() <= SMALL_END && self.body.is_end_stream() => {
                        return self.end(data);
                    }
                    Ok(data) => {
                        self.send.reserve_capacity(data.len().min(H2_SEND_BUFFER));
                        self.rest = data;
                    }
                    Err(frame) => return self.end_with(frame.into_trailers().unwrap_or_default()),
                },
            }
        }
    }

    /// Whether it is the peer that is waited for.
    pub(crate) fn waits(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Bytes that the peer had room for.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    pub(crate) fn reset(&mut self, reason: Reason) {
        self.send.send_reset(reason);
    }

    /// Hands over as much of what waits as there is room for. Ready with `true` when nothing is left to do.
    fn poll_give(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut room = self.send.capacity();
        while room == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(more)) => room = more,
                Some(Err(_)) | None => return Poll::Ready(true),
            }
        }
        let piece = self.rest.split_to(room);
        self.given += piece.len() as u64;
        let last = self.rest.is_empty() && self.body.is_end_stream();
        let given = self.send.send_data(piece, last).is_ok();
        if given && !self.rest.is_empty() {
            self.send.reserve_capacity(self.rest.len().min(H2_SEND_BUFFER));
        }
        Poll::Ready(last || !given)
    }

    /// What it finds no stream for is dropped: nobody is there to miss it.
    fn end(&mut self, data: Chunk) -> Poll<()> {
        drop(self.send.send_data(data, true));
        Poll::Ready(())
    }

    fn end_with(&mut self, trailers: HeaderMap) -> Poll<()> {
        drop(self.send.send_trailers(trailers));
        Poll::Ready(())
    }
}

//! A response body on its way to a client of HTTP/2, as fast as the windows of stream and connection let it go.

use crate::conn::service::Tracked;
use crate::conn::stall::Stall;
use crate::cx::ConnCx;
use crate::wire;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body;
use pn_io::Chunk;
use pn_model::limits::H2_SEND_BUFFER;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body's end that is no longer than this is handed over whole, whether the client has room for it or not: it costs
/// less, and a client that takes nothing holds no more than this of a stream that is otherwise over.
const SMALL_END: usize = 16 << 10;

pub(super) struct Sending {
    body: Tracked,
    send: SendStream<Chunk>,
    /// What the client has no room for yet.
    rest: Chunk,
    stall: Stall,
}

impl Sending {
    pub(super) fn new(body: Tracked, send: SendStream<Chunk>) -> Self {
        Self { body, send, rest: Chunk::default(), stall: Stall::default() }
    }

    /// Ready once all of the body has been handed over, or the rest has no place to go.
    pub(super) fn poll(&mut self, conn: &ConnCx, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.rest.is_empty() {
                match self.poll_give(conn, cx) {
                    Poll::Ready(true) => return Poll::Ready(()),
                    Poll::Ready(false) => continue,
                    Poll::Pending => return Poll::Pending,
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                // The client may lose interest while there is nothing to send.
                return self.send.poll_reset(cx).map(drop);
            };
            match frame {
                None => return self.end(Chunk::default()),
                Some(Err(_)) => {
                    self.send.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                // What waits for the client's window must not keep the memory that everybody reads into.
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

    /// Hands over as much of what waits as there is room for. Ready with `true` when nothing is left to do.
    fn poll_give(&mut self, conn: &ConnCx, cx: &mut Context<'_>) -> Poll<bool> {
        let mut room = self.send.capacity();
        while room == 0 {
            match self.send.poll_capacity(cx) {
                Poll::Ready(Some(Ok(more))) => room = more,
                Poll::Ready(_) => return Poll::Ready(true),
                Poll::Pending => {
                    ready!(self.stall.poll(conn, cx));
                    tracing::debug!("an HTTP/2 stream was reset: its client takes nothing");
                    self.send.send_reset(Reason::CANCEL);
                    return Poll::Ready(true);
                }
            }
        }
        self.stall.end();
        let piece = self.rest.split_to(room.min(self.rest.len()));
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

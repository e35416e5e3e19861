//! Request bodies of HTTP/2. What the server has not taken keeps the client from sending more.

use super::reply::{Heir, Reply};
use super::upgraded::Upgraded;
use crate::conn::Interim;
use crate::conn::h1::Piece;
use h2::RecvStream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT, HeaderValue};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

/// The body of a request, for whoever serves it.
pub(crate) struct ClientBody {
    /// `None` once a tunnel has it.
    recv: Option<RecvStream>,
    reply: Rc<Reply>,
    /// Bytes to come, where that is known.
    length: Option<u64>,
    /// Bytes of the piece before, which the client may send anew once they are taken.
    held: usize,
    data_over: bool,
    ended: bool,
    awaits_continue: bool,
}

impl ClientBody {
    pub(super) fn new(recv: RecvStream, reply: &Rc<Reply>, headers: &HeaderMap) -> Self {
        let ended = recv.is_end_stream();
        Self {
            recv: Some(recv),
            reply: Rc::clone(reply),
            length: if ended { Some(0) } else { length(headers) },
            held: 0,
            data_over: ended,
            ended,
            awaits_continue: !ended && headers.contains_key(EXPECT),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, h2::Error>>> {
        let Some(recv) = self.recv.as_mut().filter(|_| !self.ended) else { return Poll::Ready(None) };
        if std::mem::take(&mut self.awaits_continue) {
            self.reply.ask_for_body();
        }
        release(recv, std::mem::take(&mut self.held));
        if !self.data_over {
            match ready!(recv.poll_data(cx)) {
                Some(Ok(data)) => {
                    self.held = data.len();
                    self.length = self.length.map(|length| length.saturating_sub(data.len() as u64));
                    self.ended = recv.is_end_stream();
                    return Poll::Ready(Some(Ok(Piece::Data(data.into()))));
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.data_over = true,
            }
        }
        let trailers = ready!(recv.poll_trailers(cx)).transpose();
        self.ended = true;
        Poll::Ready(trailers.map(|trailers| trailers.map(Piece::Trailers)))
    }

    /// The client, for what a server says in front of its response.
    pub(crate) fn interim(&self) -> Interim {
        Interim::H2(Rc::clone(&self.reply))
    }

    /// The stream itself, should the protocol be changed.
    pub(crate) fn upgrade(&mut self) -> oneshot::Receiver<Upgraded> {
        let (waiting, upgrade) = oneshot::channel();
        if let Some(recv) = self.recv.take() {
            self.reply.set_heir(Heir { waiting, recv });
        }
        self.ended = true;
        upgrade
    }

    /// Bytes to come, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if let Some(recv) = &mut self.recv {
            release(recv, self.held);
        }
    }
}

/// Lets the client send so much again.
fn release(recv: &mut RecvStream, bytes: usize) {
    if bytes > 0
        && let Err(error) = recv.flow_control().release_capacity(bytes)
    {
        tracing::trace!(%error, "a stream of HTTP/2 ended before its body was taken");
    }
}

/// More than one, or none that is a number, is refused elsewhere.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).map(HeaderValue::to_str)?.ok()?.parse().ok()
}

impl std::fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBody").field("length", &self.length).finish_non_exhaustive()
    }
}

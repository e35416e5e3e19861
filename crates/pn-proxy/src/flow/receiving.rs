//! Bodies as they come. What nobody has taken keeps the peer from sending more.

use h2::{Reason, RecvStream};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body::Frame;
use pn_io::Chunk;
use std::task::{Context, Poll, ready};

/// The body of a message of HTTP/2.
pub(crate) struct Receiving {
    /// `None` once a tunnel has it.
    recv: Option<RecvStream>,
    /// Bytes to come, where that is known.
    length: Option<u64>,
    /// Bytes of the piece before, which the peer may send anew once they are taken.
    held: usize,
    data_over: bool,
    ended: bool,
}

impl Receiving {
    pub(crate) fn new(recv: RecvStream, headers: &HeaderMap) -> Self {
        let ended = recv.is_end_stream();
        let length = if ended { Some(0) } else { length(headers) };
        Self { recv: Some(recv), length, held: 0, data_over: ended, ended }
    }

    /// The next of the body. Whoever asks has taken what came before.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, h2::Error>>> {
        let Some(recv) = self.recv.as_mut().filter(|_| !self.ended) else { return Poll::Ready(None) };
        release(recv, std::mem::take(&mut self.held));
        if !self.data_over {
            match ready!(recv.poll_data(cx)) {
                Some(Ok(data)) => {
                    self.held = data.len();
                    self.length = self.length.map(|length| length.saturating_sub(data.len() as u64));
                    self.ended = recv.is_end_stream();
                    return Poll::Ready(Some(Ok(Frame::data(data.into()))));
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.data_over = true,
            }
        }
        let trailers = ready!(recv.poll_trailers(cx)).and_then(sound).transpose();
        self.ended = true;
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    /// The stream itself, for a tunnel. The body is over then.
    pub(crate) fn take_stream(&mut self) -> Option<RecvStream> {
        (self.ended, self.length) = (true, Some(0));
        self.recv.take()
    }

    /// Bytes to come, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(recv) = &mut self.recv {
            release(recv, self.held);
        }
    }
}

/// Trailers that are malformed are none (RFC 9113 section 8.2.1).
fn sound(trailers: Option<HeaderMap>) -> Result<Option<HeaderMap>, h2::Error> {
    if trailers.as_ref().is_some_and(has_padding) { Err(Reason::PROTOCOL_ERROR.into()) } else { Ok(trailers) }
}

/// Whether a value begins or ends with white space (RFC 9113 section 8.2.1), which h2 lets pass.
pub(crate) fn has_padding(headers: &HeaderMap) -> bool {
    headers.values().any(|value| pn_http1::is_padded(value.as_bytes()))
}

/// Lets the peer send so much again.
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

impl std::fmt::Debug for Receiving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiving").field("length", &self.length).finish_non_exhaustive()
    }
}

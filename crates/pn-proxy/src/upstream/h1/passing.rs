//! What is left of a response's body, from the server's socket to the client's without anybody looking at it.

use super::super::stream::Stream;
use super::{H1, Link};
use crate::conn::Socket;
use crate::wire::{Passing, Stopped};
use pn_core::{ErrorKind, ProxyError};
use pn_http1::BodyError;
use pn_io::Lost;
use std::io;
use std::task::{Context, Poll, ready};

impl H1 {
    /// Bytes of the body that may go from socket to socket, unread: all that is left of it, or none.
    pub(in super::super) fn passable(&self) -> u64 {
        match &self.link {
            Link::Whole(Stream::Plain(_)) if self.input.is_empty() && !self.ended => {
                let unframed = self.length.is_some() || self.decoder.is_until_close();
                if unframed { self.decoder.run() } else { 0 }
            }
            _ => 0,
        }
    }

    /// Lets the rest of the body pass to the client's socket. Ready when it has all of it.
    pub(in super::super) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let Link::Whole(Stream::Plain(from)) = &mut self.link else { return Poll::Ready(Ok(())) };
        let polled = to.poll_pass(passing, from, cx);
        let mut passed = self.decoder.pass_over(passing.fresh());
        if polled.is_ready() && passing.has_ended() {
            self.ended = true;
            passed = passed.and_then(|()| self.decoder.end_of_input());
        }
        self.settle_body();
        let cause = match ready!(polled) {
            Ok(()) if self.decoder.is_done() => return Poll::Ready(Ok(())),
            Err(Lost::To(error)) => {
                tracing::trace!(%error, "a client takes no more of a body");
                return Poll::Ready(Err(Stopped::Reader));
            }
            Ok(()) => {
                io::Error::new(io::ErrorKind::UnexpectedEof, passed.err().unwrap_or(BodyError::Truncated))
            }
            Err(Lost::From(error)) => error,
        };
        self.ended = true;
        let error = ProxyError::new(ErrorKind::ResponseIncomplete).caused_by(cause);
        Poll::Ready(Err(Stopped::Body(error)))
    }
}

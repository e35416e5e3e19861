//! The body of a request, from the client's socket to the server's without anybody looking at it.

use super::wire::{BodyFault, ClientBody, Wire};
use crate::conn::Io;
use crate::wire::{Passing, Stopped};
use pn_io::Lost;
use pn_io::reactor::ReactorStream;
use std::io;
use std::task::{Context, Poll, ready};

impl ClientBody {
    /// Bytes that may go to a server's socket unread: all that is left, or none.
    pub(crate) fn passable(&self) -> u64 {
        match self.length {
            Some(_) if !self.whole => self.wire.borrow().passable(),
            _ => 0,
        }
    }

    /// Lets what is left pass to a server's socket. Ready when it has all of it; not to be asked again once all is read,
    /// for then the wire is not this body's any more.
    pub(crate) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped<BodyFault>>> {
        let mut wire = self.wire.borrow_mut();
        let polled = wire.poll_pass(passing, to, cx);
        self.length = self.length.map(|length| length.saturating_sub(passing.came()));
        if wire.decoder.is_done() || matches!(polled, Poll::Ready(Err(Stopped::Body(_)))) {
            (self.whole, self.ended) = (true, true);
            self.reader.finish();
        } else if polled.is_pending() {
            wire.body = Some(cx.waker().clone());
        }
        polled
    }
}

impl Wire {
    fn passable(&self) -> u64 {
        match &self.io {
            Some(Io::Plain(socket)) if socket.is_at_hand() && self.input.is_empty() && !self.ended => {
                self.decoder.run()
            }
            _ => 0,
        }
    }

    /// What is read counts as it is read, whether or not it arrives: the next request is behind it.
    fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped<BodyFault>>> {
        let Some(Io::Plain(socket)) = &mut self.io else {
            return self.break_off(io::ErrorKind::NotConnected.into());
        };
        let polled = socket.poll_give(passing, to, cx);
        if passing.came() > 0 {
            self.state.body_came();
        } else if polled.is_pending() {
            self.ask_for_body(cx);
        }
        let counted = self.decoder.pass_over(passing.came());
        self.settle_body();
        match ready!(polled) {
            Ok(()) if self.decoder.is_done() => Poll::Ready(Ok(())),
            Ok(()) => self
                .break_off(counted.map_or_else(io::Error::other, |()| io::ErrorKind::UnexpectedEof.into())),
            Err(Lost::From(error)) => self.break_off(error),
            Err(Lost::To(error)) => {
                tracing::trace!(%error, "a server takes no more of a request");
                Poll::Ready(Err(Stopped::Reader))
            }
        }
    }

    fn break_off(&mut self, error: io::Error) -> Poll<Result<(), Stopped<BodyFault>>> {
        self.ended = true;
        Poll::Ready(Err(Stopped::Body(self.spoil(BodyFault::Gone(error)))))
    }
}

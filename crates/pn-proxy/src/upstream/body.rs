//! Response bodies as they come from a server. At its end a body gives its connection back to the pool.

use super::fault;
use super::h1::H1;
use super::h2::StreamPlace;
use super::load::InFlight;
use super::pool::Pool;
use super::timer::Timer;
use crate::conn::Socket;
use crate::flow::Receiving;
use crate::wire::{Passing, Stopped};
use http_body::{Body, Frame, SizeHint};
use pn_core::{ErrorKind, ProxyError};
use pn_io::Chunk;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// The body of an answer. Dropped before its end, it closes the connection (HTTP/1.1) or resets the stream (HTTP/2).
pub(crate) struct UpstreamBody {
    link: Link,
    load: Option<InFlight>,
    /// 0: any.
    idle: Duration,
    /// When the pause at hand becomes too long.
    deadline: Option<Instant>,
}

/// What carries the body.
pub(super) enum Link {
    /// Nothing any more: the body is over, or broke.
    Ended,
    H1(Box<H1>, Rc<Pool>),
    /// Bodies are moved about, so that what is larger than a connection's address is in a box.
    H2(Box<Streamed>),
}

/// The body of a stream of HTTP/2.
pub(super) struct Streamed {
    pub(super) body: Receiving,
    pub(super) timer: Timer,
    /// Kept until it has ended.
    pub(super) _place: StreamPlace,
}

impl UpstreamBody {
    pub(super) fn new(link: Link, load: Option<InFlight>, idle: Duration) -> Self {
        let mut body = Self { link, load, idle, deadline: None };
        body.settle();
        body
    }

    /// Lets go of the connection when the body has ended: it may be the next request's.
    fn settle(&mut self) {
        if !self.is_end_stream() {
            return;
        }
        self.load = None;
        if let Link::H1(connection, pool) = std::mem::replace(&mut self.link, Link::Ended) {
            pool.give_back(connection);
        }
    }

    fn break_off(&mut self, error: ProxyError) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        self.let_go();
        Poll::Ready(Some(Err(error)))
    }

    fn let_go(&mut self) {
        self.link = Link::Ended;
        self.load = None;
    }

    /// Bytes that may go to a client's socket unread: all that is left, or none.
    pub(crate) fn passable(&self) -> u64 {
        match &self.link {
            Link::H1(connection, _) => connection.passable(),
            Link::H2(_) | Link::Ended => 0,
        }
    }

    /// Lets what is left pass to the client's socket. Ready when it has all of it.
    pub(crate) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let Link::H1(connection, _) = &mut self.link else { return Poll::Ready(Ok(())) };
        let polled = connection.poll_pass(passing, to, cx);
        if passing.fresh() > 0 || passing.waits_for_reader() {
            self.deadline = None;
        }
        match polled {
            Poll::Ready(Ok(())) => self.settle(),
            Poll::Ready(Err(_)) => self.let_go(),
            Poll::Pending if passing.waits_for_reader() => {}
            Poll::Pending => {
                ready!(self.poll_pause(cx));
                self.let_go();
                let error = ProxyError::new(ErrorKind::ConnectionReadTimeout);
                return Poll::Ready(Err(Stopped::Body(error)));
            }
        }
        polled
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.idle.is_zero() {
            return Poll::Pending;
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.idle);
        match &mut self.link {
            Link::H1(connection, _) => connection.timer.poll(deadline, cx),
            Link::H2(streamed) => streamed.timer.poll(deadline, cx),
            Link::Ended => Poll::Pending,
        }
    }
}

impl Body for UpstreamBody {
    type Data = Chunk;
    type Error = ProxyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        let this = &mut *self;
        let frame = match &mut this.link {
            Link::H1(connection, _) => connection.poll_body(cx),
            Link::H2(streamed) => {
                streamed.body.poll(cx).map(|frame| frame.map(|frame| frame.map_err(fault::reading_h2_body)))
            }
            Link::Ended => Poll::Ready(None),
        };
        match frame {
            Poll::Ready(Some(Err(error))) => this.break_off(error),
            Poll::Ready(frame) => {
                this.deadline = None;
                this.settle();
                Poll::Ready(frame)
            }
            Poll::Pending => {
                ready!(this.poll_pause(cx));
                this.break_off(ProxyError::new(ErrorKind::ConnectionReadTimeout))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.link {
            Link::Ended => true,
            Link::H1(connection, _) => connection.is_end_of_body(),
            Link::H2(streamed) => streamed.body.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.link {
            Link::Ended => SizeHint::with_exact(0),
            Link::H1(connection, _) => {
                connection.body_length().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            Link::H2(streamed) => streamed.body.length().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}

//! Response bodies as they come from a server. At its end a body gives its connection back to the pool.

use super::fault;
use super::h1::H1;
use super::h2::StreamPlace;
use super::load::InFlight;
use super::pool::Pool;
use super::timer::Timer;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pn_core::{ErrorKind, ProxyError};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// The body of an answer. Dropped before its end, it closes the connection (HTTP/1.1) or resets the stream (HTTP/2).
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    link: Link,
    load: Option<InFlight>,
    /// 0: any.
    idle: Duration,
    /// When the pause at hand becomes too long.
    deadline: Option<Instant>,
    timer: Timer,
}

/// What carries the body.
pub(super) enum Link {
    /// Nothing any more, or a connection that runs by itself.
    None,
    H1(Box<H1>, Rc<Pool>),
    /// Keeps the stream's place until it has ended.
    H2 {
        _place: StreamPlace,
    },
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, link: Link, load: Option<InFlight>, idle: Duration) -> Self {
        Self { incoming, link, load, idle, deadline: None, timer: Timer::default() }
    }

    /// Lets go of the connection when the body has ended.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.release(cx);
        }
    }

    fn release(&mut self, cx: &mut Context<'_>) {
        self.load = None;
        if let Link::H1(connection, pool) = std::mem::replace(&mut self.link, Link::None) {
            pool.give_back(connection, cx);
        }
    }

    fn break_off(&mut self, error: ProxyError) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        self.link = Link::None;
        self.load = None;
        Poll::Ready(Some(Err(error)))
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.idle.is_zero() {
            return Poll::Pending;
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.idle);
        match &mut self.link {
            Link::H1(connection, _) => connection.timer.poll(deadline, cx),
            Link::H2 { .. } | Link::None => self.timer.poll(deadline, cx),
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = ProxyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        let this = &mut *self;
        let incoming = Pin::new(&mut this.incoming);
        let frame = match &mut this.link {
            Link::H1(connection, _) => connection.poll_body(incoming, cx),
            Link::H2 { .. } | Link::None => incoming.poll_frame(cx),
        };
        match frame {
            Poll::Ready(Some(Ok(frame))) => {
                this.deadline = None;
                this.settle(cx);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => this.break_off(fault::reading_body(error)),
            Poll::Ready(None) => {
                this.release(cx);
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(this.poll_pause(cx));
                this.break_off(ProxyError::new(ErrorKind::ConnectionReadTimeout))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("size", &self.incoming.size_hint()).finish_non_exhaustive()
    }
}

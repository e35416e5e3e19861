//! One client connection of HTTP/1.1: a request, its response, the next request. How bytes are read is `wire`'s, what
//! they mean pn-http1's; timeouts are the watch's, and how a connection parts from its client is `serve`'s.

mod exchanger;
mod passing;
mod request;
mod response;
mod upgraded;
mod wire;

pub(crate) use upgraded::Upgraded;
pub(crate) use wire::{BodyFault, ClientBody, Piece, Shared};

use super::service::{Reply, answer_h1, refuse};
use super::{Io, LINGER};
use crate::cx::ConnCx;
use crate::exchange::Request;
use exchanger::Exchange;
use pn_core::ProxyError;
use pn_http1::{Limits, Target, Turn};
use pn_model::limits::TARGET_BYTES;
use pn_model::listener::ListenerLimits;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use wire::Wire;

/// A connection that speaks HTTP/1.1.
pub(super) struct Talk {
    wire: Shared,
    conn: Rc<ConnCx>,
    limits: Limits,
    /// Takes no further requests.
    closing: Cell<bool>,
}

/// How a connection came to its end, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing is left to do: the client is gone, or its connection is a tunnel's.
    Over,
    /// What was said last may still be on its way.
    Parting,
}

/// What may be asked for next.
enum Asked {
    Request(Request, Target),
    Refused(ProxyError),
}

impl Talk {
    pub(super) fn new(io: Io, conn: &Rc<ConnCx>) -> Rc<Self> {
        Rc::new(Self {
            wire: Rc::new(RefCell::new(Wire::new(io))),
            conn: Rc::clone(conn),
            limits: limits(conn.limits()),
            closing: Cell::new(false),
        })
    }

    /// It takes no further requests.
    pub(super) fn close(&self) {
        self.closing.set(true);
    }

    /// The socket, unless a tunnel has it. Nobody reads on.
    pub(super) fn part(&self) -> Option<Io> {
        self.wire.borrow_mut().part()
    }

    /// Whether a request head is what is waited for.
    pub(super) fn awaits_head(&self) -> bool {
        self.wire.borrow().awaits_head()
    }

    /// Serves requests until there are no more.
    pub(super) async fn run(self: Rc<Self>) -> Outcome {
        loop {
            let next = poll_fn(|cx| self.poll_next(cx).map(|asked| self.begin(asked))).await;
            let Some(exchange) = next else { return Outcome::Over };
            match exchange.await {
                Some(Turn::Head | Turn::Exchange | Turn::Drain) => {}
                Some(Turn::Tunnel) => {
                    self.hand_over();
                    return Outcome::Over;
                }
                Some(Turn::Close) => return Outcome::Parting,
                None => return Outcome::Over,
            }
        }
    }

    fn begin(self: &Rc<Self>, asked: Option<Asked>) -> Option<Exchange> {
        Some(Exchange::begin(Rc::clone(self), asked?))
    }

    /// The next request; `None` when there are no more. What was written before is on its way by then.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Asked>> {
        loop {
            let flushed = self.wire.borrow_mut().poll_flush(cx);
            if let Poll::Ready(Err(_)) = flushed {
                return Poll::Ready(None);
            }
            match request::next(&self.wire, &self.limits, &self.conn) {
                Ok(Some((request, target))) => return Poll::Ready(Some(Asked::Request(request, target))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Asked::Refused(error))),
            }
            let mut wire = self.wire.borrow_mut();
            if wire.ended {
                return Poll::Ready(None);
            }
            match wire.poll_fill(usize::MAX, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Pending if self.closing.get() && flushed.is_ready() => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Serves one request, to the moment at which the next may come. `None` when the client has gone meanwhile, or the
    /// response broke.
    async fn exchange(&self, asked: Asked) -> Option<Turn> {
        let mut reply = match asked {
            Asked::Refused(error) => {
                self.wire.borrow_mut().state.refuse();
                refuse(&self.conn, &error)
            }
            Asked::Request(request, target) => self.served(request, &target).await?,
        };
        let written = self.respond(&mut reply).await;
        // With its body the exchange is over.
        drop(reply);
        if !written {
            return None;
        }
        Some(self.settle().await)
    }

    /// `None` when the client has gone meanwhile.
    async fn served(&self, request: Request, target: &Target) -> Option<Reply> {
        let mut answer = pin!(answer_h1(&self.conn, request, target));
        poll_fn(|cx| {
            if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(response));
            }
            self.wire.borrow_mut().poll_gone(cx).map(|()| None)
        })
        .await
    }

    /// Writes a response. `false` when the connection broke, or the response did.
    async fn respond(&self, reply: &mut Reply) -> bool {
        if self.closing.get() || self.conn.closes() {
            self.wire.borrow_mut().state.close_after();
        }
        let headers = std::mem::take(&mut reply.headers);
        let mut body = Pin::new(&mut reply.body);
        let mut writing = response::Writing::begin(&mut self.wire.borrow_mut(), reply.status, headers, &body);
        poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            if let Poll::Ready(done) = writing.poll(&mut wire, body.as_mut(), cx) {
                return Poll::Ready(done);
            }
            wire.poll_gone(cx).map(|()| false)
        })
        .await
    }

    /// After a response: what is left of the request is thrown away, within bounds.
    async fn settle(&self) -> Turn {
        self.wire.borrow_mut().state.response_over();
        if self.wire.borrow().state.turn() != Turn::Drain {
            return self.wire.borrow().state.turn();
        }
        // What comes meanwhile is no head.
        self.conn.pulse.request_began();
        let drained = self.drain().await;
        self.conn.pulse.request_ended();
        drained
    }

    async fn drain(&self) -> Turn {
        let reader = Rc::clone(&self.wire.borrow().reader);
        // Somebody may read it still, and watches its pace.
        poll_fn(|cx| reader.poll_gone(cx)).await;
        let drained = tokio::time::timeout(LINGER, self.throw_away()).await;
        drained.unwrap_or(Turn::Close)
    }

    async fn throw_away(&self) -> Turn {
        poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            while wire.state.turn() == Turn::Drain {
                if wire.poll_drain(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(wire.state.turn())
        })
        .await
    }

    fn hand_over(&self) {
        let mut wire = self.wire.borrow_mut();
        let read = wire.input.take_all();
        if let (Some(heir), Some(io)) = (wire.heir.take(), wire.io.take()) {
            // Nobody is there to take it when the upstream's end is gone already.
            drop(heir.send(Upgraded { io, read }));
        }
    }
}

fn limits(limits: &ListenerLimits) -> Limits {
    Limits {
        head_bytes: limits.header_bytes as usize,
        fields: limits.headers as usize,
        target_bytes: TARGET_BYTES,
        line_bytes: limits.header_bytes as usize,
    }
}

//! One client connection of HTTP/1.1: a request, its response, the next request. How bytes are read is `wire`'s, what
//! they mean pn-http1's; timeouts are the watch's, and how a connection parts from its client is `serve`'s.

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
use pn_core::ProxyError;
use pn_http1::{Limits, Target, Turn};
use pn_model::limits::TARGET_BYTES;
use pn_model::listener::ListenerLimits;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use wire::Wire;

/// A connection that speaks HTTP/1.1.
pub(super) struct Talk {
    wire: Shared,
    conn: Rc<ConnCx>,
    limits: Limits,
    closing: Rc<Cell<bool>>,
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
    Nothing,
}

impl Talk {
    pub(super) fn new(io: Io, conn: &Rc<ConnCx>) -> Self {
        Self {
            wire: Rc::new(RefCell::new(Wire::new(io))),
            conn: Rc::clone(conn),
            limits: limits(&conn.limits),
            closing: Rc::default(),
        }
    }

    /// Set to take no further requests.
    pub(super) fn closing(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.closing)
    }

    /// The socket, unless a tunnel has it.
    pub(super) fn wire(&self) -> Shared {
        Rc::clone(&self.wire)
    }

    /// Serves requests until there are no more.
    pub(super) async fn run(self) -> Outcome {
        loop {
            let response = match self.next().await {
                Asked::Nothing => return Outcome::Over,
                Asked::Refused(error) => {
                    self.wire.borrow_mut().state.refuse();
                    Some(refuse(&self.conn, &error))
                }
                Asked::Request(request, target) => self.served(request, &target).await,
            };
            let Some(response) = response else { return Outcome::Over };
            if !self.respond(response).await {
                return Outcome::Over;
            }
            match self.settle().await {
                Turn::Head | Turn::Exchange | Turn::Drain => {}
                Turn::Tunnel => {
                    self.hand_over();
                    return Outcome::Over;
                }
                Turn::Close => return Outcome::Parting,
            }
        }
    }

    /// The next request. What was written before is on its way by then.
    async fn next(&self) -> Asked {
        poll_fn(|cx| {
            loop {
                let flushed = self.wire.borrow_mut().poll_flush(cx);
                if let Poll::Ready(Err(_)) = flushed {
                    return Poll::Ready(Asked::Nothing);
                }
                match request::next(&self.wire, &self.limits, &self.conn) {
                    Ok(Some((request, target))) => return Poll::Ready(Asked::Request(request, target)),
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Asked::Refused(error)),
                }
                let mut wire = self.wire.borrow_mut();
                if wire.ended {
                    return Poll::Ready(Asked::Nothing);
                }
                match wire.poll_fill(usize::MAX, cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Asked::Nothing),
                    Poll::Pending if self.closing.get() && flushed.is_ready() => {
                        return Poll::Ready(Asked::Nothing);
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
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
    async fn respond(&self, reply: Reply) -> bool {
        let Reply { status, headers, body } = reply;
        if self.closing.get() || self.conn.closes() {
            self.wire.borrow_mut().state.close_after();
        }
        let mut body = pin!(body);
        let mut writing = response::Writing::begin(&mut self.wire.borrow_mut(), status, headers, &body);
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

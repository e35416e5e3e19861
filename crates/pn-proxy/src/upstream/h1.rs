//! One HTTP/1.1 connection to a server. It has no task of its own: whoever uses it polls it, which saves a wake-up a
//! message, and nobody polls it while it is idle.

use super::bell::Bell;
use super::fault;
use super::payload::{BodySlot, Payload};
use super::room::Place;
use super::stream::{HeadBudget, Io, Stream};
use super::timer::Timer;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use pn_core::{ErrorKind, ProxyError};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of a response head. As much as a listener takes of a request by default.
const HEAD_BYTES: usize = 64 << 10;

pub(super) struct H1 {
    send: SendRequest<Payload>,
    connection: Connection<TokioIo<Io>, Payload>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
    /// The connection has ended and must not be polled again.
    done: bool,
    budget: HeadBudget,
    pub(super) timer: Timer,
    /// Whether it has carried a request before.
    pub(super) used: bool,
    /// By the keeper's clock.
    pub(super) idle_since: u32,
    /// `None` for unix sockets.
    pub(super) peer: Option<IpAddr>,
    place: Place,
}

/// An exchange that failed.
pub(super) struct Broken {
    pub(super) error: ProxyError,
    /// The request, when no byte of it was sent.
    pub(super) returned: Option<Box<Request<Payload>>>,
    /// No byte came back.
    pub(super) silent: bool,
}

impl H1 {
    pub(super) async fn open(
        stream: Stream,
        peer: Option<IpAddr>,
        place: Place,
    ) -> Result<Box<Self>, ProxyError> {
        let budget = HeadBudget::default();
        let io = TokioIo::new(Io::new(stream, budget.clone()));
        let opened = Builder::new().max_header_size(HEAD_BYTES).handshake(io).await;
        let (send, connection) = opened.map_err(|error| fault::awaiting_head(error).unsent())?;
        let bell = Arc::<Bell>::default();
        Ok(Box::new(Self {
            send,
            connection,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            done: false,
            budget,
            timer: Timer::default(),
            used: false,
            idle_since: 0,
            peer,
            place,
        }))
    }

    /// Moves bytes in both directions as far as they go.
    fn drive(&mut self, cx: &mut Context<'_>) {
        self.bell.serve(cx.waker());
        self.poll_connection();
    }

    fn poll_connection(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        // An error reaches whoever waits for the response or reads its body.
        self.done = self.done || Pin::new(&mut self.connection).poll(&mut cx).is_ready();
    }

    /// The next of a body that this connection carries.
    pub(super) fn poll_body(
        &mut self,
        body: Pin<&mut Incoming>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        // When it is ready for another request, all of the body has been read already.
        if !self.send.is_ready() {
            self.drive(cx);
        }
        self.bell.unheard(|| body.poll_frame(&mut nobody()))
    }

    /// Whether another request can be sent: the last exchange is over and the connection stays open.
    pub(super) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.done && !self.send.is_ready() {
            self.drive(cx);
        }
        !self.done && self.send.is_ready()
    }

    /// The connection waits for its next request.
    pub(super) fn rest(&self) {
        self.bell.idle();
    }

    /// Whether an idle connection still stands. Costs next to nothing while nothing has arrived.
    pub(super) fn is_alive(&mut self) -> bool {
        if self.bell.rang() {
            self.bell.rest();
            self.poll_connection();
        }
        !self.done && self.send.is_ready()
    }

    /// Sends a request and waits for the head of the response. With `limit`, no longer than that since the last
    /// progress of the request.
    ///
    /// hyper has the request before the future is there, which has no room for it.
    pub(super) fn exchange<'a>(
        &'a mut self,
        request: Request<Payload>,
        slot: Option<&'a BodySlot>,
        limit: Duration,
    ) -> impl Future<Output = Result<Response<Incoming>, Broken>> + use<'a> {
        self.used = true;
        self.budget.begin();
        let sending = self.send.try_send_request(request);
        let mut wait = HeadWait::new(slot, limit);
        async move {
            let mut head = pin!(sending);
            let result = poll_fn(|cx| {
                self.drive(cx);
                if let Poll::Ready(result) = head.as_mut().poll(&mut nobody()) {
                    return Poll::Ready(Some(result));
                }
                // A connection that is done has said why, unless hyper has a fault.
                if self.done || wait.poll(&mut self.timer, cx).is_ready() {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                }
            })
            .await;
            let silent = self.budget.untouched();
            self.budget.end();
            match result {
                Some(Ok(response)) => Ok(response),
                Some(Err(mut failed)) => {
                    let returned = failed.take_message().map(Box::new);
                    let error = fault::awaiting_head(failed.into_error());
                    let error = if returned.is_some() { error.unsent() } else { error };
                    Err(Broken { error, returned, silent })
                }
                None => {
                    let kind =
                        if self.done { ErrorKind::ConnectionTerminated } else { ErrorKind::ResponseTimeout };
                    Err(Broken { error: ProxyError::new(kind), returned: None, silent })
                }
            }
        }
    }

    /// Lets the connection run by itself until its exchange is over, when the server answers before it has read the
    /// whole request: both directions then go on at their own pace. It is not used again.
    pub(super) fn detach(self: Box<Self>) {
        let Self { connection, place, send, done, .. } = *self;
        drop(send);
        if !done {
            tokio::task::spawn_local(async move {
                // Its failure is the body's, which is read elsewhere.
                connection.await.unwrap_or_default();
                drop(place);
            });
        }
    }

    /// After a `101`: the socket, and what has already been read of the new protocol.
    pub(super) fn into_tunnel(self: Box<Self>) -> (Stream, Bytes, Place) {
        let parts = self.connection.into_parts();
        (parts.io.into_inner().into_stream(), parts.read_buf, self.place)
    }
}

/// For what only the connection completes: whoever polls that looks here next, and need not be woken to do so.
fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// How long a response head may take.
pub(super) struct HeadWait<'a> {
    slot: Option<&'a BodySlot>,
    taken: u64,
    limit: Duration,
    deadline: Instant,
}

impl<'a> HeadWait<'a> {
    pub(super) fn new(slot: Option<&'a BodySlot>, limit: Duration) -> Self {
        Self { slot, taken: 0, limit, deadline: Instant::now() + limit }
    }

    pub(super) fn poll(&mut self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
        if self.limit.is_zero() {
            return Poll::Pending;
        }
        let taken = self.slot.map_or(0, BodySlot::taken);
        if taken != self.taken {
            self.taken = taken;
            self.deadline = Instant::now() + self.limit;
        }
        timer.poll(self.deadline, cx)
    }
}

//! One client connection of HTTP/2, on the h2 crate: its streams are served in the connection's own task, and what they
//! write in one go leaves in one go. Timeouts of the connection are the watch's.
//!
//! The bounds on floods other than those set below are the h2 crate's own: continuations by the size of a head, empty
//! frames by a budget, and one answer owed at a time to SETTINGS and PING, with nothing read until the client has taken
//! it.

mod body;
mod reply;
mod seat;
mod stream;

pub(crate) use body::ClientBody;
pub(crate) use reply::Reply;

use super::pulse::Overdue;
use super::service::Tracked;
use super::watch::{self, Ended};
use super::{Io, PanicProbe};
use crate::bell::{Bell, Task};
use crate::cx::ConnCx;
use crate::flow::{Ping, Pinged, Tunnel, Waits};
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::Reason;
use h2::server::{Builder, Connection, Handshake};
use pn_io::Chunk;
use pn_model::limits;
use pn_model::listener::ListenerLimits;
use seat::Stream;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use stream::Request;

/// A stream that became a tunnel, and its request, which lasts as long.
pub(crate) type Upgraded = Tunnel<Tracked>;

/// How often one call of the task goes round before others have their turn.
const ROUNDS: u32 = 8;
/// A client that says nothing for so long, and then answers no ping, is gone.
const PINGS: Waits = Waits { silence: Duration::from_secs(60), answer: Duration::from_secs(20) };

/// Serves a connection to its end.
pub(super) async fn run(io: Io, conn: Rc<ConnCx>) {
    let mut talk = pin!(Talk::new(io, &conn));
    let close = |mut talk: Pin<&mut Talk>| talk.close();
    let mut ended = watch::run(talk.as_mut(), close, &conn.tie, &conn.pulse, conn.timeouts()).await;
    if matches!(ended, Ended::Overdue(Overdue::Request)) && !conn.closes() {
        // GOAWAY first, so that a request which is under way already is not lost unnoticed.
        conn.close();
        ended = watch::run(talk.as_mut(), close, &conn.tie, &conn.pulse, conn.timeouts()).await;
    }
    tracing::debug!(?ended, "connection ended");
}

/// A connection that speaks HTTP/2.
struct Talk {
    http: Http,
    streams: FuturesUnordered<Stream>,
    ping: Option<Ping>,
    conn: Rc<ConnCx>,
    closing: bool,
    task: Arc<Task>,
    bells: Bells,
}

enum Http {
    Greeting(Handshake<Io, Chunk>),
    Open(Connection<Io, Chunk>),
}

/// One for each part of a connection.
struct Bells {
    http: Ringing,
    streams: Ringing,
    ping: Ringing,
}

/// A bell, and the waker that rings it.
struct Ringing {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Bells {
    fn new(task: &Arc<Task>) -> Self {
        let ringing = || {
            let bell = Bell::of(task);
            Ringing { waker: Waker::from(Arc::clone(&bell)), bell }
        };
        Self { http: ringing(), streams: ringing(), ping: ringing() }
    }

    fn any_rang(&self) -> bool {
        self.http.bell.rang() || self.streams.bell.rang() || self.ping.bell.rang()
    }
}

impl Talk {
    fn new(io: Io, conn: &Rc<ConnCx>) -> Self {
        let task = Arc::<Task>::default();
        let bells = Bells::new(&task);
        Self {
            http: Http::Greeting(builder(conn.limits()).handshake(io)),
            streams: FuturesUnordered::new(),
            ping: None,
            conn: Rc::clone(conn),
            closing: false,
            task,
            bells,
        }
    }

    /// Takes no further requests: the client is told so by GOAWAY.
    fn close(&mut self) {
        self.closing = true;
        if let Http::Open(http) = &mut self.http {
            http.graceful_shutdown();
            self.bells.http.bell.note();
        }
    }

    /// Looks after whatever rang. Ready once the connection has ended.
    fn round(&mut self) -> Poll<Result<(), h2::Error>> {
        if self.bells.http.bell.answer()
            && let Poll::Ready(ended) = self.poll_http()
        {
            return Poll::Ready(ended);
        }
        if self.bells.streams.bell.answer() {
            self.poll_streams();
        }
        if self.bells.ping.bell.answer() {
            self.poll_ping();
        }
        Poll::Pending
    }

    /// Reads and writes what there is, and begins to serve new streams.
    fn poll_http(&mut self) -> Poll<Result<(), h2::Error>> {
        let Bells { http, streams, ping } = &self.bells;
        let mut cx = Context::from_waker(&http.waker);
        loop {
            match &mut self.http {
                Http::Greeting(greeting) => {
                    let mut http = ready!(Pin::new(greeting).poll(&mut cx))?;
                    self.ping = http.ping_pong().map(|pings| Ping::new(pings, PINGS));
                    ping.bell.note();
                    if self.closing {
                        http.graceful_shutdown();
                    }
                    self.http = Http::Open(http);
                }
                Http::Open(http) => match ready!(http.poll_accept(&mut cx)) {
                    Some(Ok((request, respond))) => {
                        let conn = Rc::clone(&self.conn);
                        self.streams.push(Stream::new(Request { conn, request, respond }));
                        streams.bell.note();
                    }
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    None => return Poll::Ready(Ok(())),
                },
            }
        }
    }

    /// A stream that panics is lost, and reset; the others go on.
    fn poll_streams(&mut self) {
        let mut cx = Context::from_waker(&self.bells.streams.waker);
        while !self.streams.is_empty() {
            let polled = catch_unwind(AssertUnwindSafe(|| {
                let _probe =
                    PanicProbe { worker: &self.conn.worker, listener: self.conn.listener_name().as_str() };
                self.streams.poll_next_unpin(&mut cx)
            }));
            if matches!(polled, Ok(Poll::Pending)) {
                return;
            }
        }
    }

    fn poll_ping(&mut self) {
        let mut cx = Context::from_waker(&self.bells.ping.waker);
        let (Some(ping), Http::Open(http)) = (&mut self.ping, &mut self.http) else { return };
        if ping.poll(|| self.conn.pulse.take_heard(), &mut cx) == Pinged::Unanswered {
            tracing::debug!("an HTTP/2 client answers no ping");
            http.abrupt_shutdown(Reason::NO_ERROR);
            self.ping = None;
            self.bells.http.bell.note();
        }
    }
}

impl Future for Talk {
    type Output = Result<(), h2::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.conn.pulse.looks() {
            this.bells.http.bell.note();
        }
        for _ in 0..ROUNDS {
            this.task.begin(cx.waker());
            if let Poll::Ready(ended) = this.round() {
                return Poll::Ready(ended);
            }
            this.task.rest();
            if !this.bells.any_rang() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn builder(limits: &ListenerLimits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(limits.header_bytes)
        .initial_window_size(limits::H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW)
        .max_send_buffer_size(limits::H2_SEND_BUFFER)
        .max_pending_accept_reset_streams(limits::H2_PENDING_RESETS)
        .max_local_error_reset_streams(Some(limits::H2_LOCAL_RESETS))
        .enable_connect_protocol();
    builder
}

//! One HTTP/2 connection to a server, shared by the requests of a worker.

use super::fault;
use super::h1::{Broken, HeadWait};
use super::payload::{BodySlot, Payload};
use super::room::{Place, Room};
use super::stream::Stream;
use super::timer::Timer;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use pn_core::{ErrorKind, ProxyError};
use pn_model::limits::{H2_CONNECTION_WINDOW, H2_LOCAL_RESETS, H2_SEND_BUFFER, H2_STREAM_WINDOW};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Streams of one connection, whatever the server allows: beyond this one connection becomes the bottleneck.
const STREAMS_MAX: usize = 250;
/// Bytes of a response's header list. As much as a listener takes of a request by default.
const HEADER_LIST_BYTES: u32 = 64 << 10;
/// A connection with open streams that is silent for so long is asked whether it lives.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a new connection is given to say that it takes extended CONNECT (RFC 8441 section 3).
const SETTINGS_WAIT: Duration = Duration::from_secs(1);

type Running = Connection<TokioIo<Stream>, Payload, Local>;
/// Shared by the task that runs the connection and whoever asks it for its limits. `None` once it has ended: requests
/// that it had not taken come back when it is dropped.
type Shared = Rc<RefCell<Option<Running>>>;

pub(super) struct H2 {
    send: SendRequest<Payload>,
    running: Shared,
    /// It said that it goes, or broke; hyper learns so with the next request.
    leaving: Cell<bool>,
    streams: Cell<usize>,
    /// By the keeper's clock.
    pub(super) idle_since: Cell<u32>,
    /// `None` for unix sockets.
    pub(super) peer: Option<IpAddr>,
    room: Rc<Room>,
}

/// Runs hyper's tasks on the worker.
#[derive(Clone, Copy)]
pub(super) struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}

impl H2 {
    pub(super) async fn open(
        stream: Stream,
        peer: Option<IpAddr>,
        room: &Rc<Room>,
        place: Place,
    ) -> Result<Rc<Self>, ProxyError> {
        let io = TokioIo::new(stream);
        let opened = Builder::new(Local)
            .timer(TokioTimer::new())
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONNECTION_WINDOW)
            .max_send_buf_size(H2_SEND_BUFFER)
            .max_header_list_size(HEADER_LIST_BYTES)
            .max_local_error_reset_streams(H2_LOCAL_RESETS)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(io)
            .await;
        let (send, connection) = opened.map_err(|error| fault::awaiting_head(error).unsent())?;
        let running = Rc::new(RefCell::new(Some(connection)));
        tokio::task::spawn_local(run(Rc::clone(&running), place));
        Ok(Rc::new(Self {
            send,
            running,
            leaving: Cell::new(false),
            streams: Cell::new(0),
            idle_since: Cell::new(0),
            peer,
            room: Rc::clone(room),
        }))
    }

    /// Whether it takes no new requests: closed, or closing (GOAWAY).
    pub(super) fn is_closed(&self) -> bool {
        self.leaving.get() || self.send.is_closed()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    pub(super) fn has_room(&self) -> bool {
        let allowed = self.ask(Running::current_max_send_streams).unwrap_or(1);
        !self.is_closed() && self.streams.get() < allowed.min(STREAMS_MAX)
    }

    /// `None` when it has ended, or is at work this very moment.
    fn ask<T>(&self, question: impl FnOnce(&Running) -> T) -> Option<T> {
        self.running.try_borrow().ok()?.as_ref().map(question)
    }

    pub(super) fn stream(self: &Rc<Self>) -> StreamPlace {
        self.streams.set(self.streams.get() + 1);
        StreamPlace(Rc::clone(self))
    }

    /// Whether the server takes extended CONNECT. A new connection is given time to say so.
    pub(super) async fn takes_upgrades(&self) -> bool {
        let asked = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if self.ask(Running::is_extended_connect_protocol_enabled) == Some(true) {
                return true;
            }
            if self.is_closed() || asked.elapsed() > SETTINGS_WAIT {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Sends a request and waits for the head of the response.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Payload>,
        slot: Option<&BodySlot>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Broken> {
        request.body_mut().settled = true;
        let mut send = self.send.clone();
        let mut head = pin!(send.try_send_request(request));
        let mut wait = HeadWait::new(slot.cloned(), limit);
        let mut timer = Timer::default();
        let result = poll_fn(|cx| match head.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => wait.poll(&mut timer, cx).map(|()| None),
        })
        .await;
        match result {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut failed)) => {
                let returned = failed.take_message().is_some();
                let cause = failed.into_error();
                let untouched = returned || fault::refused_by_h2(&cause);
                self.leaving.set(self.leaving.get() || returned || fault::ends_h2(&cause));
                let error = fault::awaiting_head(cause);
                let error = if untouched { error.unsent() } else { error };
                Err(Broken { error, unsent: returned, silent: true })
            }
            None => {
                let error = ProxyError::new(ErrorKind::ResponseTimeout);
                Err(Broken { error, unsent: false, silent: true })
            }
        }
    }
}

async fn run(connection: Shared, place: Place) {
    let ended = poll_fn(|cx| match &mut *connection.borrow_mut() {
        Some(connection) => Pin::new(connection).poll(cx),
        None => Poll::Ready(Ok(())),
    })
    .await;
    // Dropping it completes requests, whose tasks run later.
    drop(connection.take());
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection to a server ended");
    }
    drop(place);
}

/// One stream's place on its connection.
pub(super) struct StreamPlace(Rc<H2>);

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.room.freed();
    }
}

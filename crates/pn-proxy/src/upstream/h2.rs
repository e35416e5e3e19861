//! One HTTP/2 connection to a server, on the h2 crate, shared by the requests of a worker.

use super::fault::{self, Refusal};
use super::h1::{Broken, Head, HeadWait};
use super::payload::{BodySlot, Payload};
use super::room::{Place, Room};
use super::stream::Stream;
use super::timer::Timer;
use crate::conn::Interim;
use crate::flow::{Heard, Ping, Pinged, Sending, Waits, has_padding};
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use pn_core::context::FieldList;
use pn_core::{ErrorKind, ProxyError};
use pn_http1::Misbehaviour;
use pn_io::Chunk;
use pn_model::limits::{H2_CONNECTION_WINDOW, H2_LOCAL_RESETS, H2_SEND_BUFFER, H2_STREAM_WINDOW};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Streams of one connection, whatever the server allows: beyond this one connection becomes the bottleneck.
const STREAMS_MAX: usize = 250;
/// Bytes of a response's header list. As much as a listener takes of a request by default.
const HEADER_LIST_BYTES: u32 = 64 << 10;
/// Interim responses to one request. More come from no honest server.
const INTERIM_MAX: u32 = 1_024;
/// A connection with open streams that is silent for so long is asked whether it lives.
const PINGS: Waits = Waits { silence: Duration::from_secs(20), answer: Duration::from_secs(10) };
/// What h2 says of a server's limit of streams before its SETTINGS are there. No limit that one can announce.
const UNSETTLED: usize = usize::MAX - 1;
/// How long a new connection is given for its SETTINGS, which come first of all (RFC 9113 section 3.4).
const SETTINGS_WAIT: Duration = Duration::from_secs(1);
/// How long the rest of a request may make no progress, once its server has answered.
const STALLED: Duration = Duration::from_secs(60);

pub(super) struct H2 {
    send: RefCell<SendRequest<Chunk>>,
    /// It said that it goes, or broke.
    leaving: Cell<bool>,
    /// It refused a stream.
    refused: Cell<bool>,
    shared: Rc<Shared>,
    /// By the keeper's clock.
    pub(super) idle_since: Cell<u32>,
    /// `None` for unix sockets.
    pub(super) peer: Option<IpAddr>,
    room: Rc<Room>,
}

/// What a connection and the task that runs it know of each other.
#[derive(Default)]
struct Shared {
    streams: Cell<usize>,
    ended: Cell<bool>,
    /// Bytes have come.
    heard: Rc<Cell<bool>>,
    /// The server's SETTINGS are there, or have been waited for.
    settled: Cell<bool>,
    settles: Notify,
}

impl Shared {
    fn settle(&self) {
        self.settled.set(true);
        self.settles.notify_waiters();
    }
}

/// A server's answer. The stream to it is there after an extended CONNECT alone.
pub(super) struct Answered {
    pub(super) response: Response<RecvStream>,
    pub(super) send: Option<SendStream<Chunk>>,
}

impl H2 {
    pub(super) async fn open(
        stream: Stream,
        peer: Option<IpAddr>,
        room: &Rc<Room>,
        place: Place,
    ) -> Result<Rc<Self>, ProxyError> {
        let shared = Rc::<Shared>::default();
        let opened = builder().handshake(Heard::new(stream, Rc::clone(&shared.heard))).await;
        let (send, mut connection) = opened.map_err(|error| fault::of_h2(error).unsent())?;
        let ping = connection.ping_pong().map(|pings| Ping::new(pings, PINGS));
        let running = Running { connection, ping, shared: Rc::clone(&shared) };
        tokio::task::spawn_local(running.run(place));
        Ok(Rc::new(Self {
            send: RefCell::new(send),
            leaving: Cell::new(false),
            refused: Cell::new(false),
            shared,
            idle_since: Cell::new(0),
            peer,
            room: Rc::clone(room),
        }))
    }

    /// Whether it takes no new requests: closed, or closing (GOAWAY).
    pub(super) fn is_closed(&self) -> bool {
        let errs = || {
            let mut cx = Context::from_waker(Waker::noop());
            matches!(self.send.borrow_mut().poll_ready(&mut cx), Poll::Ready(Err(_)))
        };
        self.leaving.get() || self.shared.ended.get() || errs()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.shared.streams.get() == 0
    }

    /// One stream goes at once. How many more a server takes is not guessed: those that it had to refuse would have to be
    /// sent again.
    pub(super) fn has_room(&self) -> bool {
        let allowed = match self.shared.settled.get() {
            true => self.send.borrow().current_max_send_streams().min(STREAMS_MAX),
            false => 1,
        };
        self.shared.streams.get() < allowed && !self.is_closed()
    }

    pub(super) fn has_refused(&self) -> bool {
        self.refused.get()
    }

    pub(super) fn is_settling(&self) -> bool {
        !self.shared.settled.get() && !self.is_closed()
    }

    /// Waits for the server's SETTINGS. One that sends none is taken to limit nothing.
    pub(super) async fn settle(&self) {
        let settles = self.shared.settles.notified();
        if !self.shared.settled.get() && timeout(SETTINGS_WAIT, settles).await.is_err() {
            self.shared.settle();
        }
    }

    pub(super) fn stream(self: &Rc<Self>) -> StreamPlace {
        self.shared.streams.set(self.shared.streams.get() + 1);
        StreamPlace(Rc::clone(self))
    }

    /// Whether the server takes extended CONNECT (RFC 8441 section 3). A new connection is given time to say so.
    pub(super) async fn takes_upgrades(&self) -> bool {
        self.settle().await;
        self.send.borrow().is_extended_connect_protocol_enabled()
    }

    /// Sends a request and waits for the head of the response; what comes before it goes to `interim`. The rest of the
    /// request is sent on by itself when the server answers early.
    pub(super) async fn exchange(
        &self,
        request: Request<()>,
        payload: Payload,
        slot: Option<&BodySlot>,
        interim: &Interim,
        limit: Duration,
    ) -> Result<Answered, Broken> {
        let upgrades = *request.method() == Method::CONNECT;
        let ends = !upgrades && payload.is_end_stream();
        // Of its own: a request may wait there until the server takes another stream.
        let mut handle = self.send.borrow().clone();
        let sent = handle.send_request(request, ends);
        drop(handle);
        let (response, send) = sent.map_err(|error| self.broken(error, true))?;
        let mut asking = Asking { response, interims: 0, sending: None };
        let mut tunnel = None;
        match upgrades {
            true => tunnel = Some(send),
            false if ends => {}
            false => asking.sending = Some(Box::new(Sending::new(payload, send, Reason::CANCEL))),
        }
        let mut wait = HeadWait::new(slot.cloned(), limit);
        let mut timer = Timer::default();
        let result = poll_fn(|cx| match asking.poll(interim, cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => wait.poll(&mut timer, cx).map(|()| None),
        })
        .await;
        let silent = asking.interims == 0;
        let failed = |error| Broken { error, unsent: false, silent, untouched: false };
        match result {
            Some(Ok(response)) => {
                if let Some(rest) = asking.sending {
                    slot.inspect(|slot| slot.forget());
                    tokio::task::spawn_local(go_on(rest));
                }
                Ok(Answered { response, send: tunnel })
            }
            Some(Err(Refused::H2(error))) => Err(self.broken(error, false)),
            Some(Err(Refused::Malformed)) => Err(failed(fault::padded())),
            Some(Err(Refused::Flood)) => Err(failed(fault::misbehaved(Misbehaviour::InterimFlood))),
            None => Err(failed(ProxyError::new(ErrorKind::ResponseTimeout))),
        }
    }

    /// `unsent` when the connection had not taken the request.
    fn broken(&self, cause: h2::Error, unsent: bool) -> Broken {
        let refusal = fault::refusal_of_h2(&cause);
        self.leaving.set(self.leaving.get() || fault::ends_h2(&cause));
        self.refused.set(self.refused.get() || cause.reason() == Some(Reason::REFUSED_STREAM));
        let error = fault::of_h2(cause);
        let error = if unsent || refusal.is_some() { error.unsent() } else { error };
        let untouched = unsent || refusal == Some(Refusal::AskAgain);
        Broken { error, unsent, silent: refusal.is_none(), untouched }
    }
}

/// A request that is being sent, and whose answer is awaited.
struct Asking {
    response: ResponseFuture,
    interims: u32,
    /// What is left of the request. In a box: most have no body.
    sending: Option<Box<Sending<Payload>>>,
}

enum Refused {
    H2(h2::Error),
    /// Interim responses without end.
    Flood,
    Malformed,
}

impl Asking {
    fn poll(
        &mut self,
        interim: &Interim,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<RecvStream>, Refused>> {
        if let Some(sending) = &mut self.sending
            && sending.poll(cx).is_ready()
        {
            self.sending = None;
        }
        while let Poll::Ready(Some(told)) = self.response.poll_informational(cx) {
            self.interims += 1;
            if self.interims > INTERIM_MAX {
                return Poll::Ready(Err(Refused::Flood));
            }
            let told = sound(told.map_err(Refused::H2)?)?;
            if told.status() != StatusCode::CONTINUE {
                let head = Head { status: told.status(), headers: FieldList::from(told.headers()) };
                interim.tell(&head, cx);
            }
        }
        Pin::new(&mut self.response).poll(cx).map_err(Refused::H2)?.map(sound)
    }
}

/// What h2 lets pass and RFC 9113 section 8.2.1 does not.
fn sound<B>(response: Response<B>) -> Result<Response<B>, Refused> {
    if has_padding(response.headers()) { Err(Refused::Malformed) } else { Ok(response) }
}

/// Sends the rest of a request, whatever the server says meanwhile.
async fn go_on(mut rest: Box<Sending<Payload>>) {
    let (mut timer, mut seen, mut deadline) = (Timer::default(), 0, Instant::now() + STALLED);
    let over = poll_fn(|cx| {
        if rest.poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if !rest.waits() || rest.given() != seen {
            (seen, deadline) = (rest.given(), Instant::now() + STALLED);
        }
        timer.poll(deadline, cx).map(|()| false)
    })
    .await;
    if !over {
        rest.reset(Reason::CANCEL);
    }
}

/// A task that runs a connection.
struct Running {
    connection: Connection<Heard<Stream>, Chunk>,
    ping: Option<Ping>,
    shared: Rc<Shared>,
}

impl Running {
    async fn run(mut self, place: Place) {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        self.shared.ended.set(true);
        self.shared.settle();
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP/2 connection to a server ended");
        }
        drop(self.connection);
        drop(place);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let shared = &self.shared;
        // Of a connection that is not in use nothing is expected.
        let heard = || shared.heard.take() || shared.streams.get() == 0;
        if self.ping.as_mut().is_some_and(|ping| ping.poll(heard, cx) == Pinged::Unanswered) {
            tracing::debug!("an HTTP/2 server answers no ping");
            return Poll::Ready(Ok(()));
        }
        let ended = Pin::new(&mut self.connection).poll(cx);
        if !shared.settled.get() && self.connection.max_concurrent_send_streams() != UNSETTLED {
            shared.settle();
        }
        ended
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buffer_size(H2_SEND_BUFFER)
        .max_header_list_size(HEADER_LIST_BYTES)
        .initial_max_send_streams(UNSETTLED)
        .max_local_error_reset_streams(Some(H2_LOCAL_RESETS))
        .enable_push(false);
    builder
}

/// One stream's place on its connection.
pub(super) struct StreamPlace(Rc<H2>);

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.shared.streams.set(self.0.shared.streams.get() - 1);
        self.0.room.freed();
    }
}

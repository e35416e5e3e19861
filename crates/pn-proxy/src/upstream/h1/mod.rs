//! One HTTP/1.1 connection to a server: its exchanges one after the other, and its rest between them. It has no task of
//! its own: whoever uses it polls it, which saves a wake-up a message, and nobody polls it while it is idle. What the
//! bytes mean is pn-http1's.

mod head;
mod passing;
mod request;
mod wait;

pub(super) use head::Asked;
pub(crate) use head::Head;
pub(super) use wait::HeadWait;

use super::fault;
use super::payload::{BodySlot, Gate, Payload};
use super::room::Place;
use super::stream::Stream;
use super::timer::Timer;
use crate::bell::Bell;
use crate::conn::Interim;
use crate::wire::{Input, trailers};
use http::{Method, StatusCode};
use http_body::Frame;
use pn_core::{ErrorKind, ProxyError};
use pn_http1::{BodyDecoder, ClientState, Framing, HeadProgress, Received, ResponseHead};
use pn_io::Chunk;
use request::Sending;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Bytes that are read while a head is waited for: a body of 64 KiB comes along with its head, and of a large one most
/// is left to pass unread.
const WITH_HEAD: usize = 72 << 10;

pub(super) struct H1 {
    link: Link,
    state: ClientState,
    sending: Sending,
    /// What has come and is not dealt with.
    input: Input,
    progress: HeadProgress,
    decoder: BodyDecoder,
    /// Bytes of the body at hand, where its head says so.
    length: Option<u64>,
    trailers: Option<Box<http::HeaderMap>>,
    /// The server has closed its side, or the connection broke.
    ended: bool,
    /// Nothing had come when it was last looked, and the bell rings when something does.
    quiet: bool,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
    pub(super) timer: Timer,
    /// Whether it has carried a request before.
    pub(super) used: bool,
    /// By the keeper's clock.
    pub(super) idle_since: u32,
    /// `None` for unix sockets.
    pub(super) peer: Option<IpAddr>,
    place: Rc<Place>,
}

enum Link {
    Whole(Stream),
    /// The rest of the request is sent by a task of its own.
    Split(Rc<RefCell<Stream>>),
}

/// An exchange that failed.
pub(super) struct Broken {
    pub(super) error: ProxyError,
    /// The socket took no byte of the request.
    pub(super) unsent: bool,
    /// No byte came back.
    pub(super) silent: bool,
    /// The server says that it has not looked at the request, as HTTP/2 can.
    pub(super) untouched: bool,
}

impl H1 {
    pub(super) fn new(stream: Stream, peer: Option<IpAddr>, place: Place) -> Box<Self> {
        let bell = Bell::alone();
        Box::new(Self {
            link: Link::Whole(stream),
            state: ClientState::new(),
            sending: Sending::default(),
            input: Input::default(),
            progress: HeadProgress::default(),
            decoder: BodyDecoder::new(Framing::None),
            length: Some(0),
            trailers: None,
            ended: false,
            quiet: false,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            timer: Timer::default(),
            used: false,
            idle_since: 0,
            peer,
            place: Rc::new(place),
        })
    }

    /// Sends a request and waits for the head of the response; what comes before it goes to `interim`. With `limit`, no
    /// longer than that since the last progress of the request. The head is laid out before the future is there, which has no room for it.
    pub(super) fn exchange<'a>(
        &'a mut self,
        asked: &Asked<'_>,
        payload: Payload,
        gate: Option<Arc<Gate>>,
        slot: Option<BodySlot>,
        interim: Interim,
        limit: Duration,
    ) -> impl Future<Output = Result<Head, Broken>> + use<'a> {
        self.used = true;
        self.state.begin(asked.method, asked.upgrade.is_some());
        self.sending.begin(asked, payload, gate);
        let method = asked.method.clone();
        let mut wait = HeadWait::new(slot, limit);
        let mut silent = true;
        async move {
            let result = poll_fn(|cx| {
                if let Poll::Ready(result) = self.poll_head(&method, &interim, &mut silent, cx) {
                    return Poll::Ready(result);
                }
                ready!(wait.poll(&mut self.timer, cx));
                Poll::Ready(Err(ProxyError::new(ErrorKind::ResponseTimeout)))
            })
            .await;
            result.map_err(|error| {
                self.state.fail();
                let unsent = !self.sending.began();
                Broken {
                    error: if unsent { error.unsent() } else { error },
                    unsent,
                    silent,
                    untouched: false,
                }
            })
        }
    }

    /// Whether all of the request has been sent.
    pub(super) fn has_sent(&self) -> bool {
        self.sending.is_over()
    }

    /// The server wants none of the body: nothing of it is kept.
    pub(super) fn withhold(&mut self) {
        self.state.fail();
        self.sending = Sending::default();
    }

    /// The next of the response's body.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        loop {
            match self.next_piece() {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(piece)) => {
                    self.input.settle();
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Ok(None) => {}
            }
            if self.decoder.is_done() {
                let trailers = self.trailers.take();
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))));
            }
            self.bell.serve(cx.waker());
            if let Err(error) = ready!(self.poll_fill(usize::MAX)) {
                return Poll::Ready(Some(Err(
                    ProxyError::new(ErrorKind::ResponseIncomplete).caused_by(error)
                )));
            }
        }
    }

    /// Whether the response's body has no more to give.
    pub(super) fn is_end_of_body(&self) -> bool {
        self.decoder.is_done() && self.trailers.is_none()
    }

    /// Bytes that the body has still to give, where that is known.
    pub(super) fn body_length(&self) -> Option<u64> {
        self.length.map(|_| self.decoder.run())
    }

    /// Whether another request can be sent: the last exchange is over and the connection stays open. From then on the
    /// bell rings when anything comes.
    pub(super) fn rest(&mut self) -> bool {
        if !self.state.is_reusable() || self.ended || !self.input.is_empty() {
            return false;
        }
        self.bell.idle();
        self.poll_fill(WITH_HEAD).is_pending()
    }

    /// Whether an idle connection still stands. Costs next to nothing while nothing has arrived.
    pub(super) fn is_alive(&mut self) -> bool {
        if self.bell.rang() {
            self.bell.idle();
            return self.poll_fill(WITH_HEAD).is_pending();
        }
        !self.ended
    }

    /// Lets the rest of the request be sent by itself, when the server answers before it has all of it: both directions
    /// then go on at their own pace. The connection is not used again.
    pub(super) fn detach(mut self: Box<Self>) -> Box<Self> {
        self.state.fail();
        let (link, sending) = (self.link, std::mem::take(&mut self.sending));
        self.link = match link {
            Link::Whole(stream) => {
                let stream = Rc::new(RefCell::new(stream));
                tokio::task::spawn_local(sending.go_on(Rc::clone(&stream), Rc::clone(&self.place)));
                Link::Split(stream)
            }
            split @ Link::Split(_) => split,
        };
        self
    }

    /// After a `101`: the socket, and what has already been read of the new protocol.
    pub(super) fn into_tunnel(mut self: Box<Self>) -> Option<(Stream, Chunk, Rc<Place>)> {
        match self.link {
            Link::Whole(stream) => Some((stream, self.input.take_all(), self.place)),
            Link::Split(_) => None,
        }
    }
}

/// Reading.
impl H1 {
    /// Sends what there is to send and reads until the head of the final response is there.
    fn poll_head(
        &mut self,
        method: &Method,
        interim: &Interim,
        silent: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, ProxyError>> {
        self.quiet &= !self.bell.rang();
        self.bell.serve(cx.waker());
        if let Poll::Ready(Err(error)) = self.poll_send() {
            return Poll::Ready(Err(error));
        }
        loop {
            if let Some(parts) = self.next_head(method, interim, cx)? {
                return Poll::Ready(Ok(parts));
            }
            if self.ended {
                return Poll::Ready(Err(ProxyError::new(ErrorKind::ConnectionTerminated)));
            }
            if self.quiet {
                return Poll::Pending;
            }
            match ready!(self.poll_fill(WITH_HEAD)) {
                Ok(()) => *silent &= self.input.is_empty(),
                Err(error) => return Poll::Ready(Err(fault::io(error))),
            }
        }
    }

    /// A server may answer and close before it has read all of a request: what it says counts, and that it reads no more
    /// does not.
    fn poll_send(&mut self) -> Poll<Result<(), ProxyError>> {
        let Link::Whole(stream) = &mut self.link else { return Poll::Ready(Ok(())) };
        let mut cx = Context::from_waker(&self.waker);
        match ready!(self.sending.poll(stream, &mut cx)) {
            Ok(()) => {
                self.state.request_over();
                Poll::Ready(Ok(()))
            }
            Err(request::Stopped::Body) => {
                self.state.fail();
                Poll::Ready(Err(ProxyError::new(ErrorKind::RequestAborted)))
            }
            Err(request::Stopped::Socket(error)) => {
                self.state.fail();
                tracing::trace!(%error, "a server takes no more of a request");
                Poll::Pending
            }
        }
    }

    fn next_head(
        &mut self,
        method: &Method,
        interim: &Interim,
        cx: &mut Context<'_>,
    ) -> Result<Option<Head>, ProxyError> {
        while self.progress.is_due(&self.input, &head::LIMITS) {
            let read = head::read(&self.input, method).map_err(|refusal| {
                let kind = if refusal.is_limit() {
                    ErrorKind::ResponseHeadTooLarge
                } else {
                    ErrorKind::ResponseMalformed
                };
                ProxyError::new(kind).caused_by(refusal)
            })?;
            let Some((head, parts)) = read else { return Ok(None) };
            self.input.advance(head.len);
            self.progress = HeadProgress::default();
            if self.accept(&head)? {
                return Ok(Some(parts));
            }
            if parts.status != StatusCode::CONTINUE {
                interim.tell(&parts, cx);
            }
        }
        Ok(None)
    }

    /// `false` for an interim head.
    fn accept(&mut self, head: &ResponseHead) -> Result<bool, ProxyError> {
        match self.state.received(head).map_err(fault::misbehaved)? {
            Received::Interim => {
                if head.status == StatusCode::CONTINUE {
                    self.sending.let_go();
                }
                return Ok(false);
            }
            Received::Switched => {}
            Received::Final => {
                self.decoder = BodyDecoder::new(head.framing);
                self.length = match head.framing {
                    Framing::Length(length) => Some(length),
                    Framing::None => Some(0),
                    Framing::Chunked | Framing::UntilClose => None,
                };
                self.settle_body();
            }
        }
        Ok(true)
    }

    /// The next run of data in what has been read. `None` when there is none.
    fn next_piece(&mut self) -> Result<Option<Chunk>, ProxyError> {
        while !self.decoder.is_done() && !self.input.is_empty() {
            let step = self.decoder.decode(&self.input).map_err(malformed)?;
            if !step.trailers.is_empty() {
                let section = self.input.get(step.trailers).unwrap_or_default();
                self.trailers = trailers(section).map(Box::new);
            }
            if step.consumed == 0 {
                break;
            }
            let data = self.input.take(step.consumed, step.data);
            self.settle_body();
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
        if self.ended && !self.decoder.is_done() {
            let ended = self.decoder.end_of_input();
            ended.map_err(|error| ProxyError::new(ErrorKind::ResponseIncomplete).caused_by(error))?;
            self.settle_body();
        }
        Ok(None)
    }

    fn settle_body(&mut self) {
        if self.decoder.is_done() {
            self.state.response_over();
            if !self.input.is_empty() {
                self.state.surplus();
            }
        }
    }

    /// Reads once. An error, or the end, ends the connection.
    fn poll_fill(&mut self, most: usize) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.waker);
        let read = match &mut self.link {
            Link::Whole(stream) => self.input.poll_fill(stream, most, &mut cx),
            Link::Split(stream) => self.input.poll_fill(&mut *stream.borrow_mut(), most, &mut cx),
        };
        self.quiet = read.is_pending();
        let more = ready!(read).inspect_err(|_| self.ended = true)?;
        self.ended |= !more;
        Poll::Ready(Ok(()))
    }
}

fn malformed(error: pn_http1::BodyError) -> ProxyError {
    ProxyError::new(ErrorKind::ResponseMalformed).caused_by(error)
}

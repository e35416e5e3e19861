//! A request on its way to the server: the head, then the body as fast as the socket takes it.

use super::super::payload::{Gate, Payload};
use super::super::room::Place;
use super::super::stream::Stream;
use super::super::timer::Timer;
use super::head::Asked;
use crate::wire::{self, Out, Passing, WORTH_PASSING};
use http_body::Body;
use pn_http1::{BodyEncoder, EncodeError, Framing};
use pn_io::DataStream;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// How long the rest of a request may make no progress, once its server has answered.
const STALLED: Duration = Duration::from_secs(60);

/// Nothing to send, or a request of which the rest is to be sent.
pub(super) struct Sending {
    out: Out,
    encoder: BodyEncoder,
    /// `None` once it has given all.
    payload: Option<Payload>,
    gate: Option<Arc<Gate>>,
    /// No framing lies between its bytes.
    passes: bool,
    passing: Option<Box<Passing>>,
    /// The socket takes nothing more.
    lost: bool,
    over: bool,
}

/// Why the rest is not sent.
pub(super) enum Stopped {
    /// The client failed; why is known elsewhere.
    Body,
    Socket(io::Error),
}

impl Default for Sending {
    fn default() -> Self {
        let encoder = BodyEncoder::new(Framing::None);
        Self {
            out: Out::default(),
            encoder,
            payload: None,
            gate: None,
            passes: false,
            passing: None,
            lost: false,
            over: true,
        }
    }
}

impl Sending {
    pub(super) fn begin(&mut self, asked: &Asked<'_>, payload: Payload, gate: Option<Arc<Gate>>) {
        asked.write(self.out.begin());
        let framing = asked.framing();
        self.encoder = BodyEncoder::new(framing);
        self.passes = matches!(framing, Framing::Length(_));
        (self.passing, self.lost) = (None, false);
        self.payload = asked.has_body.then_some(payload);
        self.gate = gate;
        self.over = false;
    }

    /// Whether the socket has taken anything.
    pub(super) fn began(&self) -> bool {
        self.out.began()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The server wants the body that it was asked about.
    pub(super) fn let_go(&self) {
        if let Some(gate) = &self.gate {
            gate.open();
        }
    }

    /// Bytes that the socket has taken.
    fn sent(&self) -> u64 {
        self.out.total + self.passing.as_ref().map_or(0, |passing| passing.moved())
    }

    /// Ready once all has been sent.
    pub(super) fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        while !self.over {
            if self.passing.is_some() {
                ready!(self.poll_pass(stream, cx))?;
            }
            let more = match self.payload.is_some() && self.out.takes_more() {
                true => self.gather(cx)?,
                false => false,
            };
            if more {
                continue;
            }
            ready!(self.out.poll_write(stream, cx)).map_err(Stopped::Socket)?;
            if self.payload.is_none() {
                self.over = true;
                self.gate = None;
                self.out.release();
            } else if !self.may_pass(stream) && self.out.takes_more() && !self.gather(cx)? {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether all that is left may go from socket to socket. Everything before it has been taken.
    fn may_pass(&mut self, stream: &Stream) -> bool {
        if let (true, Stream::Plain(_), Some(payload)) = (self.passes, stream, &self.payload) {
            let left = payload.passable();
            self.passing = (left >= WORTH_PASSING).then(|| Passing::new(left));
        }
        self.passing.is_some()
    }

    /// Ready once the socket has all of it.
    fn poll_pass(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        let (false, Stream::Plain(to)) = (self.lost, stream) else {
            return Poll::Ready(Err(Stopped::Socket(io::ErrorKind::BrokenPipe.into())));
        };
        let (Some(passing), Some(payload)) = (&mut self.passing, &mut self.payload) else {
            return Poll::Ready(Ok(()));
        };
        let polled = match passing.is_read() {
            true => passing.poll_rest(to, cx).map_err(|_| wire::Stopped::Reader),
            false => payload.poll_pass(passing, to, cx),
        };
        let counted = self.encoder.pass_over(passing.fresh());
        self.lost = matches!(polled, Poll::Ready(Err(wire::Stopped::Reader)));
        match ready!(polled) {
            Ok(()) => {
                (self.passing, self.payload) = (None, None);
                counted.map_err(unequal).into()
            }
            Err(wire::Stopped::Reader) => Poll::Ready(Err(Stopped::Socket(io::ErrorKind::BrokenPipe.into()))),
            Err(wire::Stopped::Body(_)) => Poll::Ready(Err(Stopped::Body)),
        }
    }

    /// Sends the rest, whatever the server says meanwhile, and holds the connection's place as long.
    pub(super) async fn go_on(mut self, stream: Rc<RefCell<Stream>>, place: Rc<Place>) {
        let (mut timer, mut seen, mut deadline) = (Timer::default(), 0, Instant::now() + STALLED);
        let sent = poll_fn(|cx| {
            if let Poll::Ready(sent) = self.poll(&mut stream.borrow_mut(), cx) {
                return Poll::Ready(sent.is_ok());
            }
            if self.sent() != seen {
                (seen, deadline) = (self.sent(), Instant::now() + STALLED);
            }
            timer.poll(deadline, cx).map(|()| false)
        })
        .await;
        // Why it failed is the client's fault, or shows in the response, which is read elsewhere. The server must not
        // wait for the rest.
        if !sent {
            drop(poll_fn(|cx| stream.borrow_mut().poll_shutdown(cx)).await);
        }
        drop(place);
    }

    /// Takes one frame of the body, if there is one now.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<bool, Stopped> {
        let Some(payload) = &mut self.payload else { return Ok(false) };
        let Poll::Ready(frame) = Pin::new(&mut *payload).poll_frame(cx) else { return Ok(false) };
        let last = payload.is_end_stream();
        match frame {
            None => {
                let tail = self.encoder.end().map_err(unequal)?;
                self.out.buffer().extend_from_slice(tail);
                self.payload = None;
            }
            Some(Err(_)) => return Err(Stopped::Body),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    let framing = self.encoder.frame(data.len(), last).map_err(unequal)?;
                    self.out.push(&framing, data);
                    // Behind the last byte of a known length nothing follows, though an HTTP/2 client may say so later.
                    self.payload = self.payload.take().filter(|_| !last && !self.encoder.is_done());
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let fields = trailers.iter().map(|(name, value)| (name.into(), value.into()));
                    self.encoder.end_with_trailers(fields, self.out.buffer()).map_err(unequal)?;
                    self.payload = None;
                }
            },
        }
        Ok(true)
    }
}

/// A body that is not as long as its head said. The client's side sees to that it is, so that this is a fault of a
/// filter; the server must not take what it has for the whole.
fn unequal(error: EncodeError) -> Stopped {
    Stopped::Socket(io::Error::new(io::ErrorKind::InvalidData, error))
}

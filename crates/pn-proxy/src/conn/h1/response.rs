//! Responses as they are written: the head, then the body as fast as the client takes it.

use super::wire::Wire;
use crate::conn::Io;
use crate::conn::date::with_date;
use crate::conn::service::Tracked;
use crate::wire::{Passing, Stopped, WORTH_PASSING, scratch};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use pn_core::context::{FieldList, Known, KnownSet};
use pn_http1::{BodyEncoder, Framing, HeadWriter, Name, Value};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(super) struct Writing {
    encoder: BodyEncoder,
    /// No framing lies between its bytes.
    passes: bool,
    passing: Option<Box<Passing>>,
    over: bool,
    /// The body broke: what was gathered before goes out, and nothing behind it.
    broken: bool,
}

impl Writing {
    pub(super) fn begin(wire: &mut Wire, status: StatusCode, headers: FieldList, body: &Tracked) -> Self {
        let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
        let reply = wire.state.respond(status, length);
        let mut head = HeadWriter::response(wire.out.begin(), status);
        head.lines(&headers, OURS);
        if !headers.contains(Known::Date) {
            with_date(|date| {
                head.field(const { Name::from_static("date") }, date.into());
            });
        }
        if let Some(connection) = reply.connection {
            head.field(const { Name::from_static("connection") }, connection);
        }
        match (reply.framing, headers.known(Known::ContentLength).and_then(Value::new)) {
            // What a GET would have been answered with (RFC 9110 section 8.6).
            (Framing::None, Some(length)) if may_tell_length(status) => {
                head.field(const { Name::from_static("content-length") }, length);
            }
            (framing, _) => {
                head.framing(framing);
            }
        }
        head.finish();
        scratch::give_list(headers);
        let over = !reply.framing.has_body();
        let passes = matches!(reply.framing, Framing::Length(_) | Framing::UntilClose);
        Self { encoder: BodyEncoder::new(reply.framing), passes, passing: None, over, broken: false }
    }

    /// Ready once the socket has all of it, or with `false` when the rest does not come.
    pub(super) fn poll(
        &mut self,
        wire: &mut Wire,
        mut body: Pin<&mut Tracked>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        if self.over {
            // What is not sent, of a response to HEAD, ends the exchange all the same.
            while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(cx) {}
        }
        if self.passing.is_some() {
            return self.poll_pass(wire, body, cx);
        }
        loop {
            while !self.over && !self.broken && wire.out.takes_more() {
                match self.gather(wire, body.as_mut(), cx) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => self.broken = true,
                    Poll::Pending => break,
                }
            }
            if ready!(wire.poll_flush(cx)).is_err() {
                return Poll::Ready(false);
            }
            if self.broken {
                return Poll::Ready(false);
            }
            if self.over {
                wire.out.release();
                return Poll::Ready(true);
            }
            if self.may_pass(wire, &body) {
                return self.poll_pass(wire, body, cx);
            }
            if wire.out.takes_more() {
                self.broken = !ready!(self.gather(wire, body.as_mut(), cx));
            }
        }
    }

    /// Whether all that is left may go from socket to socket. Everything before it has been taken.
    fn may_pass(&mut self, wire: &Wire, body: &Tracked) -> bool {
        if self.passing.is_none() && self.passes && matches!(wire.io, Some(Io::Plain(_))) {
            let left = body.passable();
            self.passing = (left >= WORTH_PASSING).then(|| Passing::new(left));
        }
        self.passing.is_some()
    }

    /// Ready once the socket has all of it, or with `false` when the rest does not come.
    fn poll_pass(
        &mut self,
        wire: &mut Wire,
        mut body: Pin<&mut Tracked>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let (Some(Io::Plain(socket)), Some(passing)) = (&mut wire.io, &mut self.passing) else {
            return Poll::Ready(false);
        };
        let polled = body.poll_pass(passing, socket, cx);
        let counted = self.encoder.pass_over(passing.fresh());
        let passed = ready!(polled);
        if matches!(passed, Err(Stopped::Reader)) {
            (wire.ended, wire.broken) = (true, true);
        }
        (self.over, self.passing) = (true, None);
        wire.out.release();
        Poll::Ready(counted.is_ok() && passed.is_ok())
    }

    /// Takes one frame of the body. `false` when it broke.
    fn gather(&mut self, wire: &mut Wire, mut body: Pin<&mut Tracked>, cx: &mut Context<'_>) -> Poll<bool> {
        let frame = ready!(body.as_mut().poll_frame(cx));
        let last = body.is_end_stream();
        let written = match frame {
            None => self.encoder.end().map(|tail| wire.out.buffer().extend_from_slice(tail)),
            Some(Err(_)) => return Poll::Ready(false),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.over = last;
                    self.encoder.frame(data.len(), last).map(|framing| wire.out.push(&framing, data))
                }
                Err(frame) => {
                    // RFC 9110 section 6.5.1: for those alone who say that they take them.
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let trailers = if wire.takes_trailers { trailers } else { HeaderMap::new() };
                    self.over = true;
                    let fields = trailers.iter().map(|(name, value)| (name.into(), value.into()));
                    self.encoder.end_with_trailers(fields, wire.out.buffer())
                }
            },
        };
        self.over |= last;
        Poll::Ready(written.is_ok())
    }
}

/// Written by rules of their own.
pub(super) const OURS: KnownSet =
    KnownSet::of(&[Known::ContentLength, Known::TransferEncoding, Known::Connection]);

/// RFC 9110 section 8.6: not with 1xx and 204.
fn may_tell_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT
}

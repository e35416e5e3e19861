//! The request body on its way to a service: filters, progress, and what is counted of it. Read only as fast as the
//! service takes it.

use super::pipeline::Pipeline;
use super::trailers;
use crate::conn::{BodyFault, H1Body, H2Body, Interim, Piece};
use crate::wire::{Passing, Stopped};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pn_core::{BodyFilter, ErrorKind, ProxyError};
use pn_io::Chunk;
use pn_io::reactor::ReactorStream;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// A body of the client's, or a short one of a middleware's.
#[derive(Debug)]
pub(crate) struct RequestBody {
    source: Source,
    pipeline: Pipeline,
    trailers: Option<Box<HeaderMap>>,
    progress: Progress,
    /// `None` where nothing comes from a client.
    tally: Option<Rc<Tally>>,
}

/// Nothing at all.
impl Default for RequestBody {
    fn default() -> Self {
        Self::from_memory(Bytes::new())
    }
}

/// A request body as it comes from the client.
#[derive(Debug)]
pub(crate) enum Inbound {
    H1(H1Body),
    H2(H2Body),
}

#[derive(Debug)]
enum Source {
    Incoming(Inbound),
    Memory(Bytes),
    Ended,
}

/// What an exchange wants to know of its request body; outlives the body.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Bytes received from the client.
    pub(crate) received: Cell<u64>,
    /// Why the client's side of the exchange failed, where it did.
    pub(crate) failed: Cell<Option<ErrorKind>>,
}

/// What a client must keep up with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) idle: Duration,
    /// Bytes a second over one `idle`; 0: any.
    pub(crate) min_rate: u32,
}

impl RequestBody {
    pub(crate) fn new(incoming: Inbound, pace: Pace, tally: &Rc<Tally>) -> Self {
        let source = if incoming.is_end_stream() { Source::Ended } else { Source::Incoming(incoming) };
        Self {
            source,
            pipeline: Pipeline::default(),
            trailers: None,
            progress: Progress::new(pace),
            tally: Some(Rc::clone(tally)),
        }
    }

    pub(crate) fn from_memory(bytes: Bytes) -> Self {
        let source = if bytes.is_empty() { Source::Ended } else { Source::Memory(bytes) };
        let pace = Pace { idle: Duration::ZERO, min_rate: 0 };
        Self {
            source,
            pipeline: Pipeline::default(),
            trailers: None,
            progress: Progress::new(pace),
            tally: None,
        }
    }

    pub(crate) fn filter(&mut self, filters: Vec<Box<dyn BodyFilter>>) {
        if !filters.is_empty() && !matches!(self.source, Source::Ended) {
            self.pipeline = Pipeline::new(filters);
        }
    }

    fn failed(&mut self, error: ProxyError) -> ProxyError {
        self.source = Source::Ended;
        if let Some(tally) = &self.tally {
            tally.failed.set(Some(error.kind));
        }
        error
    }

    /// Bytes that may go to a server's socket unread: all that is left, or none.
    pub(crate) fn passable(&self) -> u64 {
        match &self.source {
            Source::Incoming(Inbound::H1(body)) if self.pipeline.is_empty() => body.passable(),
            _ => 0,
        }
    }

    /// Lets what is left pass to a server's socket. Ready when it has all of it.
    pub(crate) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let Source::Incoming(Inbound::H1(body)) = &mut self.source else { return Poll::Ready(Ok(())) };
        let polled = body.poll_pass(passing, to, cx);
        if body.is_ended() {
            self.source = Source::Ended;
        }
        if passing.came() > 0 {
            self.received(passing.came());
        }
        let error = match polled {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(Stopped::Reader)) => return Poll::Ready(Err(Stopped::Reader)),
            Poll::Ready(Err(Stopped::Body(fault))) => spoilt(fault),
            Poll::Pending if passing.waits_for_reader() => return Poll::Pending,
            Poll::Pending => ready!(self.progress.poll_late(cx)),
        };
        Poll::Ready(Err(Stopped::Body(self.failed(error))))
    }

    fn received(&mut self, bytes: u64) {
        self.progress.made(bytes);
        if let Some(tally) = &self.tally {
            tally.received.set(tally.received.get() + bytes);
        }
    }

    /// The next frame from the client; `None` at the end.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        match &mut self.source {
            Source::Ended => Poll::Ready(None),
            Source::Memory(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Ended;
                Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
            }
            Source::Incoming(incoming) => {
                let Poll::Ready(mut frame) = incoming.poll_frame(cx) else {
                    return self.progress.poll_late(cx).map(|error| Some(Err(error)));
                };
                // Of a body of known length the end is known with its last piece. Nobody may ask for more then.
                if frame.is_none() || incoming.is_end_stream() {
                    self.source = Source::Ended;
                }
                if let Some(Ok(frame)) = &mut frame {
                    frame.trailers_mut().map(trailers::sift);
                    let bytes = frame.data_ref().map_or(0, |data| data.len()) as u64;
                    self.received(bytes);
                }
                Poll::Ready(frame)
            }
        }
    }
}

impl Inbound {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        match self {
            Self::H1(body) => body.poll(cx).map(|piece| {
                piece.map(|piece| match piece {
                    Ok(Piece::Data(data)) => Ok(Frame::data(data)),
                    Ok(Piece::Trailers(trailers)) => Ok(Frame::trailers(trailers)),
                    Err(fault) => Err(spoilt(fault)),
                })
            }),
            Self::H2(body) => body.poll(cx).map(|frame| frame.map(|frame| frame.map_err(aborted))),
        }
    }

    /// The client, for what a server says in front of its response.
    pub(crate) fn interim(&self) -> Interim {
        match self {
            Self::H1(body) => body.interim(),
            Self::H2(body) => body.interim(),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::H1(body) => body.is_ended(),
            Self::H2(body) => body.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = match self {
            Self::H1(body) => body.length(),
            Self::H2(body) => body.length(),
        };
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn spoilt(fault: BodyFault) -> ProxyError {
    let kind = match fault {
        BodyFault::Malformed(_) => ErrorKind::RequestMalformed,
        BodyFault::Gone(_) => ErrorKind::RequestAborted,
    };
    ProxyError::new(kind).caused_by(fault)
}

fn aborted(cause: h2::Error) -> ProxyError {
    ProxyError::new(ErrorKind::RequestAborted).caused_by(cause)
}

impl Body for RequestBody {
    type Data = Chunk;
    type Error = ProxyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = this.pipeline.pop() {
                return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
            }
            if matches!(this.source, Source::Ended) {
                return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
            }
            let passed = match ready!(this.poll_source(cx)) {
                None => Ok(()),
                Some(Err(error)) => Err(error),
                Some(Ok(frame)) if this.pipeline.is_empty() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => this.pipeline.push(piece),
                    Err(frame) => {
                        this.trailers = frame.into_trailers().ok().map(Box::new);
                        Ok(())
                    }
                },
            };
            let ended = matches!(this.source, Source::Ended);
            let passed = if ended { passed.and_then(|()| this.pipeline.finish()) } else { passed };
            if let Err(error) = passed {
                return Poll::Ready(Some(Err(this.failed(error))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Ended) && self.trailers.is_none() && self.pipeline.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            _ if self.pipeline.changes_length() => SizeHint::default(),
            Source::Ended if self.pipeline.is_done() => SizeHint::with_exact(0),
            Source::Ended => SizeHint::default(),
            Source::Memory(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Incoming(incoming) => incoming.size_hint(),
        }
    }
}

/// Watches that a body goes on. Costs a timer only for bodies that pause.
#[derive(Debug)]
struct Progress {
    pace: Pace,
    /// Bytes since the timer was set.
    since: u64,
    moved: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Progress {
    fn new(pace: Pace) -> Self {
        Self { pace, since: 0, moved: false, timer: None }
    }

    fn made(&mut self, bytes: u64) {
        self.since += bytes;
        self.moved = true;
    }

    /// Ready with the error once the body has paused, or dripped, for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<ProxyError> {
        if self.pace.idle.is_zero() {
            return Poll::Pending;
        }
        loop {
            let idle = self.pace.idle;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
            ready!(timer.as_mut().poll(cx));
            let least = u64::from(self.pace.min_rate).saturating_mul(idle.as_secs().max(1));
            if !self.moved {
                return Poll::Ready(ProxyError::new(ErrorKind::RequestTimeout));
            }
            if self.since < least {
                return Poll::Ready(ProxyError::new(ErrorKind::RequestTooSlow));
            }
            self.moved = false;
            self.since = 0;
            timer.as_mut().reset(tokio::time::Instant::now() + idle);
        }
    }
}

//! The response body on its way to the client, and the end of the exchange: whatever way it ends, what the exchange
//! held is let go and it is counted and logged once.

use super::finish::Finish;
use super::gather::Gathered;
use super::pipeline::Pipeline;
use super::trailers;
use crate::conn::Socket;
use crate::upstream::UpstreamBody;
use crate::wire::{Passing, Stopped};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pn_core::{BodyFilter, ProxyError};
use pn_io::Chunk;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What hyper sends to the client.
pub(crate) struct ResponseBody {
    source: ResponseSource,
    pipeline: Pipeline,
    trailers: Option<Box<HeaderMap>>,
    /// Why the rest does not come.
    failed: Option<Box<ProxyError>>,
    finish: Option<Finish>,
}

/// Where a response body comes from.
pub(crate) enum ResponseSource {
    Memory(Bytes),
    Upstream(UpstreamBody),
    /// The beginning was waited for.
    Gathered(Box<Gathered<UpstreamBody>>),
}

impl ResponseSource {
    pub(crate) const EMPTY: Self = Self::Memory(Bytes::new());

    /// Bytes, where that is known beforehand.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Memory(bytes) => Some(bytes.len() as u64),
            Self::Upstream(body) => body.size_hint().exact(),
            Self::Gathered(body) => body.left(),
        }
    }

    /// Waits for the beginning of a body whose size is not known. Returns the size if the body has ended by then.
    pub(super) async fn gather(&mut self, wanted: u64) -> Option<u64> {
        if self.size().is_some() {
            return self.size();
        }
        let body = match std::mem::replace(self, Self::EMPTY) {
            Self::Upstream(body) => body,
            // Once is enough: a second middleware finds what the first one did.
            other => {
                *self = other;
                return None;
            }
        };
        let gathered = Gathered::new(body, wanted).await;
        let whole = gathered.whole();
        *self = Self::Gathered(Box::new(gathered));
        whole
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Memory(bytes) => bytes.is_empty(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Gathered(body) => body.is_end(),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        match self {
            Self::Memory(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Memory(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes).into())))),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx).map_ok(sifted),
            Self::Gathered(body) => body.poll(cx).map_ok(sifted),
        }
    }
}

fn sifted(mut frame: Frame<Chunk>) -> Frame<Chunk> {
    frame.trailers_mut().map(trailers::sift);
    frame
}

impl ResponseBody {
    pub(crate) fn new(source: ResponseSource, filters: Vec<Box<dyn BodyFilter>>, finish: Finish) -> Self {
        Self { source, pipeline: Pipeline::new(filters), trailers: None, failed: None, finish: Some(finish) }
    }

    /// The body of a response that changes the protocol: none, and nothing ends with it.
    pub(crate) fn silent() -> Self {
        Self {
            source: ResponseSource::EMPTY,
            pipeline: Pipeline::default(),
            trailers: None,
            failed: None,
            finish: None,
        }
    }

    /// The exchange is over: with an error, or in order.
    fn end(&mut self, error: Option<&ProxyError>) {
        if let Some(mut finish) = self.finish.take() {
            finish.complete(error.map(|error| error.kind));
        }
    }

    /// Bytes that may go to the client's socket unread: all that is left, or none.
    pub(crate) fn passable(&self) -> u64 {
        match &self.source {
            ResponseSource::Upstream(body) if self.pipeline.is_empty() && self.failed.is_none() => {
                body.passable()
            }
            _ => 0,
        }
    }

    /// Lets what is left pass to the client's socket. Ready when it has all of it.
    pub(crate) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let ResponseSource::Upstream(body) = &mut self.source else { return Poll::Ready(Ok(())) };
        let polled = body.poll_pass(passing, to, cx);
        if let Some(finish) = &mut self.finish {
            finish.sent(passing.fresh());
        }
        match &polled {
            Poll::Ready(Ok(())) => self.end(None),
            Poll::Ready(Err(Stopped::Body(error))) => self.end(Some(error)),
            // Who went away is told of where the exchange is dropped.
            Poll::Ready(Err(Stopped::Reader)) | Poll::Pending => {}
        }
        polled
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        loop {
            if let Some(piece) = self.pipeline.pop() {
                return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
            }
            if let Some(trailers) = self.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
            }
            match ready!(self.source.poll(cx)) {
                None => {
                    self.source = ResponseSource::EMPTY;
                    let held = std::mem::take(&mut self.pipeline);
                    return self.drain(held);
                }
                Some(Ok(frame)) if !self.pipeline.is_empty() => match frame.into_data() {
                    Ok(piece) => {
                        if let Err(error) = self.pipeline.push(piece) {
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                    Err(frame) => self.hold_trailers(frame)?,
                },
                other => return Poll::Ready(other),
            }
        }
    }

    /// Trailers go last, after what the filters still hold.
    fn hold_trailers(&mut self, frame: Frame<Chunk>) -> Result<(), ProxyError> {
        let mut held = std::mem::take(&mut self.pipeline);
        held.finish()?;
        self.source = ResponseSource::Memory(collect(&mut held));
        self.trailers = frame.into_trailers().ok().map(Box::new);
        Ok(())
    }

    fn drain(&mut self, mut held: Pipeline) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        if held.is_empty() {
            return Poll::Ready(None);
        }
        if let Err(error) = held.finish() {
            return Poll::Ready(Some(Err(error)));
        }
        let rest = collect(&mut held);
        Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest.into()))))
    }
}

/// What filters give up at the end is small: what a compressor had not filled a block with.
fn collect(pipeline: &mut Pipeline) -> Bytes {
    let Some(first) = pipeline.pop() else { return Bytes::new() };
    let mut rest = Vec::new();
    while let Some(piece) = pipeline.pop() {
        rest.extend_from_slice(&piece);
    }
    if rest.is_empty() { first } else { [&first[..], &rest].concat().into() }
}

impl Body for ResponseBody {
    type Data = Chunk;
    type Error = ProxyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, ProxyError>>> {
        if let Some(error) = self.failed.take() {
            self.end(Some(&error));
            return Poll::Ready(Some(Err(*error)));
        }
        let frame = match ready!(self.poll_next(cx)) {
            Some(Err(error)) => {
                // At an error hyper drops what it holds and has not written, the head among it. Asked again, it has
                // written that, and the client sees a response that was cut off rather than none.
                self.failed = Some(Box::new(error));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Ok(frame)) => Some(frame),
            None => None,
        };
        match &frame {
            Some(frame) => {
                let sent = frame.data_ref().map_or(0, |data| data.len()) as u64;
                if let Some(finish) = &mut self.finish {
                    finish.sent(sent);
                }
                // hyper asks no further once it knows the end.
                if self.is_end_stream() {
                    self.end(None);
                }
            }
            None => self.end(None),
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.pipeline.is_empty() && self.trailers.is_none() && self.failed.is_none() && self.source.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        match self.source.size().filter(|_| !self.pipeline.changes_length()) {
            Some(size) => SizeHint::with_exact(size),
            None => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("size", &self.source.size()).finish_non_exhaustive()
    }
}

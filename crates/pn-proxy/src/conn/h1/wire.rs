//! The bytes of one client connection, shared by whoever serves it and whoever reads the body of its request: at any
//! time one of them reads.

use super::response::OURS;
use super::upgraded::Upgraded;
use crate::conn::Io;
use crate::conn::interim::{Allowance, Interim};
use crate::upstream::Head;
use crate::wire::{Input, Out, trailers};
use http::HeaderMap;
use pn_http1::{BodyDecoder, BodyError, Framing, HeadProgress, HeadWriter, ServerState, Turn};
use pn_io::Chunk;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::sync::oneshot;

/// Bytes of a request body that are read and thrown away to save the connection; more is not worth it.
const DRAIN_BYTES: u64 = 256 << 10;
/// Bytes that are read while nobody asks for them, to see whether the client is still there.
const AHEAD: usize = 4 << 10;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

pub(crate) type Shared = Rc<RefCell<Wire>>;

pub(crate) struct Wire {
    /// `None` once a tunnel has it, or the connection was parted with.
    pub(crate) io: Option<Io>,
    pub(super) input: Input,
    pub(super) out: Out,
    pub(super) state: ServerState,
    pub(super) progress: HeadProgress,
    pub(super) decoder: BodyDecoder,
    trailers: Option<Box<HeaderMap>>,
    allowance: Allowance,
    /// The client takes trailers.
    pub(super) takes_trailers: bool,
    /// The client has closed its side, or the connection broke.
    pub(super) ended: bool,
    /// The connection broke, or its bytes have no meaning any more.
    pub(super) broken: bool,
    /// Of the request at hand.
    pub(super) reader: Rc<Reader>,
    /// Who waits for more of its body.
    pub(super) body: Option<Waker>,
    /// Who waits for the connection itself, should the protocol change.
    pub(super) heir: Option<oneshot::Sender<Upgraded>>,
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    #[error(transparent)]
    Malformed(#[from] BodyError),
    #[error("the client went away: {0}")]
    Gone(io::Error),
}

/// A piece of a body.
pub(crate) enum Piece {
    Data(Chunk),
    Trailers(HeaderMap),
}

impl Wire {
    pub(super) fn new(io: Io) -> Self {
        Self {
            io: Some(io),
            input: Input::default(),
            out: Out::default(),
            state: ServerState::new(DRAIN_BYTES),
            progress: HeadProgress::default(),
            decoder: BodyDecoder::new(Framing::None),
            trailers: None,
            allowance: Allowance::default(),
            takes_trailers: false,
            ended: false,
            broken: false,
            reader: Rc::default(),
            body: None,
            heir: None,
        }
    }

    /// Reads once.
    pub(super) fn poll_fill(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let read = ready!(self.input.poll_fill(io, most, cx));
        let more = read.inspect_err(|_| (self.ended, self.broken) = (true, true))?;
        self.ended |= !more;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let written = ready!(self.out.poll_write(io, cx));
        if written.is_err() {
            (self.ended, self.broken) = (true, true);
        }
        Poll::Ready(written)
    }

    /// Ready once nobody is there to answer: the client has closed its side in the middle of an exchange.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.broken {
            return Poll::Ready(());
        }
        if !self.decoder.is_done() {
            self.input.rest();
            // Whoever reads the body sees it first, and says so at its end.
            self.reader.wait(cx);
            return Poll::Pending;
        }
        while !self.ended && self.input.is_empty() {
            if ready!(self.poll_fill(AHEAD, cx)).is_err() {
                break;
            }
        }
        self.input.rest();
        if self.ended { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The next of the request's body; `None` at its end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyFault>>> {
        loop {
            match self.next_piece() {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(None) if self.decoder.is_done() => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(self.spoil(error.into())))),
            }
            if self.ended {
                let gone = BodyFault::Gone(io::ErrorKind::UnexpectedEof.into());
                return Poll::Ready(Some(Err(self.spoil(gone))));
            }
            self.ask_for_body(cx);
            if let Err(error) = ready!(self.poll_fill(usize::MAX, cx)) {
                return Poll::Ready(Some(Err(self.spoil(BodyFault::Gone(error)))));
            }
        }
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, BodyError> {
        while !self.decoder.is_done() && !self.input.is_empty() {
            self.state.body_came();
            let step = self.decoder.decode(&self.input)?;
            if !step.trailers.is_empty() {
                self.trailers = trailers(self.input.get(step.trailers).unwrap_or_default()).map(Box::new);
            }
            let data = self.input.take(step.consumed, step.data);
            self.settle_body();
            if !data.is_empty() {
                return Ok(Some(Piece::Data(data)));
            }
            if step.consumed == 0 {
                break;
            }
        }
        Ok(self.trailers.take().map(|trailers| Piece::Trailers(*trailers)))
    }

    /// Throws away what has come of a body that nobody wants, or the connection if there is too much of it.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.input.is_empty() && !self.decoder.is_done() {
            let Ok(step) = self.decoder.decode(&self.input) else { return self.give_up() };
            if step.consumed == 0 {
                break;
            }
            self.input.advance(step.consumed);
            self.state.drained(step.consumed as u64);
        }
        self.settle_body();
        if self.state.turn() != Turn::Drain {
            return Poll::Ready(());
        }
        match ready!(self.poll_fill(usize::MAX, cx)) {
            Ok(()) if !self.ended => Poll::Ready(()),
            _ => self.give_up(),
        }
    }

    fn give_up(&mut self) -> Poll<()> {
        self.state.end_of_input();
        Poll::Ready(())
    }

    /// Nothing is left of the request before.
    pub(super) fn forget_request(&mut self) {
        self.trailers = None;
        self.body = None;
        self.allowance = Allowance::default();
    }

    pub(super) fn settle_body(&mut self) {
        if self.decoder.is_done() {
            self.state.request_over();
        }
    }

    pub(super) fn spoil(&mut self, fault: BodyFault) -> BodyFault {
        self.state.close_after();
        self.broken |= matches!(fault, BodyFault::Gone(_));
        fault
    }

    /// The socket, for whoever has the last word. Nobody reads on.
    pub(crate) fn part(&mut self) -> Option<Io> {
        (self.ended, self.broken) = (true, true);
        if let Some(body) = self.body.take() {
            body.wake();
        }
        self.io.take()
    }

    /// Whether a request head is what is waited for.
    pub(crate) fn awaits_head(&self) -> bool {
        self.state.turn() == Turn::Head
    }

    /// What a server says in front of its response. Should it not fit into the socket, the response takes it along.
    pub(crate) fn interim(&mut self, head: &Head, cx: &mut Context<'_>) {
        if !self.allowance.take(&head.headers) || !self.state.interim(head.status) {
            return;
        }
        let mut writer = HeadWriter::response(self.out.begin(), head.status);
        writer.lines(&head.headers, OURS);
        writer.finish();
        // A connection that breaks here is seen when it is read.
        drop(self.poll_flush(cx));
    }

    /// RFC 9110 section 10.1.1: a client may wait to be told that its body is wanted. It is a few bytes into an empty
    /// socket; should they not fit, the response takes them along.
    pub(super) fn ask_for_body(&mut self, cx: &mut Context<'_>) {
        if self.state.interim(http::StatusCode::CONTINUE) {
            self.out.begin().extend_from_slice(CONTINUE);
            // A connection that breaks here is seen when it is read.
            drop(self.poll_flush(cx));
        }
    }
}

/// Whether somebody may still read a request's body. Apart from the wire, which is at work when some bodies are dropped.
#[derive(Default)]
pub(super) struct Reader {
    gone: Cell<bool>,
    /// Who waits for that.
    waiting: Cell<Option<Waker>>,
}

impl Reader {
    /// Ready once nobody reads any more.
    pub(super) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        if self.gone.get() {
            return Poll::Ready(());
        }
        self.wait(cx);
        Poll::Pending
    }

    fn wait(&self, cx: &Context<'_>) {
        self.waiting.set(Some(cx.waker().clone()));
    }

    pub(super) fn finish(&self) {
        self.gone.set(true);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

/// The body of a request, for whoever serves it.
pub(crate) struct ClientBody {
    pub(super) wire: Shared,
    pub(super) reader: Rc<Reader>,
    pub(super) length: Option<u64>,
    trailers: Option<Box<HeaderMap>>,
    /// The wire has given all of it, and may be the next request's by now.
    pub(super) whole: bool,
    pub(super) ended: bool,
}

impl ClientBody {
    /// `length` where the head says it.
    pub(super) fn new(wire: &Shared, length: Option<u64>) -> Self {
        let empty = length == Some(0);
        let reader = {
            let mut wire = wire.borrow_mut();
            // One that is gone is nobody's, and stays so.
            if !empty || !wire.reader.gone.get() {
                wire.reader = Rc::default();
            }
            Rc::clone(&wire.reader)
        };
        if empty {
            reader.finish();
        }
        Self { wire: Rc::clone(wire), reader, length, trailers: None, whole: empty, ended: empty }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyFault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.whole {
            self.ended = true;
            return Poll::Ready(self.trailers.take().map(|trailers| Ok(Piece::Trailers(*trailers))));
        }
        let piece = ready!(self.poll_wire(cx));
        if let (Some(length), Some(Ok(Piece::Data(data)))) = (&mut self.length, &piece) {
            *length = length.saturating_sub(data.len() as u64);
        }
        self.ended = !matches!(piece, Some(Ok(_))) || (self.whole && self.trailers.is_none());
        Poll::Ready(piece)
    }

    /// The next piece, and with the last one the end: from then on the wire is not this body's any more.
    fn poll_wire(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, BodyFault>>> {
        let mut wire = self.wire.borrow_mut();
        let Poll::Ready(piece) = wire.poll_piece(cx) else {
            wire.body = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if wire.decoder.is_done() || !matches!(piece, Some(Ok(_))) {
            self.whole = true;
            self.trailers = wire.trailers.take();
            self.reader.finish();
        }
        Poll::Ready(piece)
    }

    /// For what a server says in front of its response.
    pub(crate) fn interim(&self) -> Interim {
        Interim::H1(Rc::clone(&self.wire))
    }

    /// What follows the request, should the protocol be changed.
    pub(crate) fn upgrade(&mut self) -> oneshot::Receiver<Upgraded> {
        let (heir, upgrade) = oneshot::channel();
        self.wire.borrow_mut().heir = Some(heir);
        upgrade
    }

    /// Bytes to come, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.reader.finish();
    }
}

impl std::fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBody").field("length", &self.length).finish_non_exhaustive()
    }
}

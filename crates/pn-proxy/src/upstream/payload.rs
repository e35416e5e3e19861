//! The request body as an upstream connection takes it. The body itself stays with the exchange, so that another
//! server can be sent it when the first one took none of it.

use super::kept::Kept;
use crate::exchange::RequestBody;
use crate::wire::{Passing, Stopped};
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use pn_core::ProxyError;
use pn_io::Chunk;
use pn_io::reactor::ReactorStream;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::{Context, Poll, ready};

/// A body whose kind is known no longer.
trait AnyBody: Body<Data = Chunk, Error = ProxyError> + Unpin {
    /// The exchange's own kind, which may pass from socket to socket.
    fn request(&mut self) -> Option<&mut RequestBody>;
}

impl<B: Body<Data = Chunk, Error = ProxyError> + Unpin + 'static> AnyBody for B {
    fn request(&mut self) -> Option<&mut RequestBody> {
        (self as &mut dyn Any).downcast_mut()
    }
}

/// Where a request body waits to be taken. One allocation for a request that has a body, none for one that has not.
#[derive(Clone)]
pub(super) struct BodySlot(Rc<Slot<dyn AnyBody>>);

struct Slot<B: ?Sized> {
    /// The attempt that may take from the body; connections of earlier ones get nothing more.
    attempt: Cell<u32>,
    /// How often something was taken.
    taken: Cell<u64>,
    kept: Kept,
    failed: Cell<Option<ProxyError>>,
    body: RefCell<B>,
}

impl BodySlot {
    /// `None` when there is no body.
    pub(super) fn new<B>(body: B) -> Option<Self>
    where
        B: Body<Data = Chunk, Error = ProxyError> + Unpin + 'static,
    {
        if body.is_end_stream() {
            return None;
        }
        Some(Self(Rc::new(Slot {
            attempt: Cell::new(0),
            taken: Cell::new(0),
            kept: Kept::default(),
            failed: Cell::new(None),
            body: RefCell::new(body),
        })))
    }

    /// How often something was taken so far: grows while the request makes progress.
    pub(super) fn taken(&self) -> u64 {
        self.0.taken.get()
    }

    /// Whether nothing was taken, or all of that is kept, so that the body may be sent again.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.kept.is_lost()
    }

    /// Nobody sends the body again.
    pub(super) fn forget(&self) {
        self.0.kept.forget();
    }

    /// Why the client's side failed, if it did.
    pub(super) fn failure(&self) -> Option<ProxyError> {
        self.0.failed.take()
    }

    /// Bytes of all of it, where that is known.
    pub(super) fn size(&self) -> Option<u64> {
        let left = self.0.body.borrow().size_hint().exact()?;
        Some(left + self.0.kept.left(0))
    }
}

/// One attempt's view of the body.
pub(super) struct Payload {
    slot: Option<BodySlot>,
    attempt: u32,
    gate: Option<Arc<Gate>>,
    /// What is taken is kept, so that it can be sent again.
    keeps: bool,
    /// Pieces of what is kept that this attempt has had.
    had: usize,
}

impl Payload {
    pub(super) const EMPTY: Self = Self { slot: None, attempt: 0, gate: None, keeps: false, had: 0 };

    /// A new attempt at sending the body. With a gate, it waits until that opens.
    pub(super) fn new(slot: &BodySlot, gate: Option<Arc<Gate>>) -> Self {
        let attempt = slot.0.attempt.get() + 1;
        slot.0.attempt.set(attempt);
        Self { slot: Some(slot.clone()), attempt, gate, keeps: false, had: 0 }
    }

    /// For a server that may say that it has not touched the request after the body was sent.
    pub(super) fn keeping(self) -> Self {
        Self { keeps: true, ..self }
    }

    /// Bytes that may go to a server's socket unread: all that is left, or none.
    pub(super) fn passable(&self) -> u64 {
        let Some(BodySlot(slot)) = self.slot.as_ref().filter(|slot| slot.0.kept.has_given(self.had)) else {
            return 0;
        };
        slot.body.borrow_mut().request().map_or(0, |body| body.passable())
    }

    /// Lets what is left pass to a server's socket. Ready when it has all of it; not to be asked again once all is read.
    pub(super) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut ReactorStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped<Broken>>> {
        let Some(BodySlot(slot)) = self.slot.as_ref().filter(|slot| slot.0.attempt.get() == self.attempt)
        else {
            return Poll::Ready(Err(Stopped::Body(Broken)));
        };
        if let Some(gate) = &self.gate {
            ready!(gate.poll_open(cx));
        }
        let mut body = slot.body.borrow_mut();
        let Some(request) = body.request() else { return Poll::Ready(Err(Stopped::Body(Broken))) };
        let polled = request.poll_pass(passing, to, cx);
        if passing.came() > 0 {
            slot.taken.set(slot.taken.get() + 1);
        }
        if passing.came() > 0 || body.is_end_stream() {
            slot.kept.forget();
        }
        polled.map_err(|stopped| match stopped {
            Stopped::Reader => Stopped::Reader,
            Stopped::Body(error) => {
                slot.failed.set(Some(error));
                Stopped::Body(Broken)
            }
        })
    }
}

/// What a connection is told when the body fails; the cause waits in the slot.
#[derive(Debug, thiserror::Error)]
#[error("the request body ended early")]
pub(super) struct Broken;

impl Body for Payload {
    type Data = Chunk;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Broken>>> {
        let this = &mut *self;
        let Some(BodySlot(slot)) = &this.slot else { return Poll::Ready(None) };
        if slot.attempt.get() != this.attempt {
            return Poll::Ready(Some(Err(Broken)));
        }
        if let Some(gate) = &this.gate {
            ready!(gate.poll_open(cx));
        }
        if let Some(piece) = slot.kept.piece(this.had) {
            this.had += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let frame = ready!(Pin::new(&mut *slot.body.borrow_mut()).poll_frame(cx));
        if !this.keeps {
            slot.kept.forget();
        }
        Poll::Ready(frame.map(|frame| {
            slot.taken.set(slot.taken.get() + 1);
            match frame {
                Ok(frame) if this.keeps => {
                    let frame = slot.kept.keep(frame);
                    this.had = slot.kept.count();
                    Ok(frame)
                }
                Ok(frame) => Ok(frame),
                Err(error) => {
                    slot.kept.forget();
                    slot.failed.set(Some(error));
                    Err(Broken)
                }
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        let ended =
            |slot: &Slot<dyn AnyBody>| slot.kept.has_given(self.had) && slot.body.borrow().is_end_stream();
        self.slot.as_ref().is_none_or(|slot| ended(&slot.0))
    }

    fn size_hint(&self) -> SizeHint {
        let Some(BodySlot(slot)) = &self.slot else { return SizeHint::with_exact(0) };
        let left = slot.body.borrow().size_hint().exact();
        left.map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + slot.kept.left(self.had)))
    }
}

/// Holds a body back until the server says `100 Continue`, or has been given time to.
#[derive(Default)]
pub(super) struct Gate {
    state: AtomicU8,
    waker: AtomicWaker,
}

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const SHUT: u8 = 2;

impl Gate {
    pub(super) fn open(&self) {
        if self.state.compare_exchange(CLOSED, OPEN, AcqRel, Acquire).is_ok() {
            self.waker.wake();
        }
    }

    /// Keeps the body back for good, unless the gate was opened before. Returns whether it does.
    pub(super) fn shut(&self) -> bool {
        self.state.compare_exchange(CLOSED, SHUT, AcqRel, Acquire).is_ok()
    }

    fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.state.load(Acquire) == OPEN {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        if self.state.load(Acquire) == OPEN { Poll::Ready(()) } else { Poll::Pending }
    }
}

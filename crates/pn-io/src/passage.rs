//! Bytes on their way from one stream to another that nobody looks at: what backends do for it, and the two ways it is
//! used, one direction up to a bound (`forward`) and both to their ends (`relay`).

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use crate::stream::{DataStream, Relayed};

/// Fewer bytes than this go through the process: copying 64 KiB costs less than two more system calls do.
pub const WORTH_A_PIPE: u64 = 256 << 10;

/// One direction, for who has both streams at hand whenever it is polled. Dropping it before it is done loses what is on
/// the way, so that neither stream is of any more use.
pub trait Passage<A, B> {
    /// Ready when `from` has ended or `max` bytes were read in all, and `to` has taken them. Nothing may be queued on
    /// `to` when it begins.
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut A, to: &mut B, max: u64) -> Poll<Result<(), Lost>>;

    /// Ready when `to` has taken what was read so far: for who is done with `from`, and has it no longer.
    fn poll_rest(&mut self, cx: &mut Context<'_>, to: &mut B) -> Poll<Result<(), Lost>>;

    fn progress(&self) -> Progress;
}

/// How far a passage has come. While it is pending with `read` beyond `moved` it waits for `to`, else for `from`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read from the one stream.
    pub read: u64,
    /// Bytes that the other has taken.
    pub moved: u64,
    /// The one stream has ended.
    pub ended: bool,
}

/// The side that failed.
#[derive(Debug)]
pub enum Lost {
    From(io::Error),
    To(io::Error),
}

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::From(error) | Lost::To(error) => error,
        }
    }
}

/// See [`EventActions::forward`](crate::EventActions::forward).
pub(crate) async fn forward<A, B: DataStream>(
    mut passage: impl Passage<A, B>,
    from: &mut A,
    to: &mut B,
    max: u64,
    moved: &Cell<u64>,
) -> io::Result<()> {
    to.flush().await?;
    poll_fn(|cx| {
        let polled = passage.poll(cx, from, to, max);
        moved.set(passage.progress().moved);
        polled
    })
    .await?;
    Ok(())
}

/// See [`EventActions::relay`](crate::EventActions::relay).
pub(crate) async fn relay<A: DataStream, B: DataStream>(
    forth: impl Passage<A, B>,
    back: impl Passage<B, A>,
    a: &mut A,
    b: &mut B,
    moved: &Relayed,
) -> io::Result<()> {
    a.flush().await?;
    b.flush().await?;
    let (mut forth, mut back) = (Whole::new(forth), Whole::new(back));
    poll_fn(|cx| {
        let forth = forth.poll(cx, a, b, &moved.forth)?;
        let back = back.poll(cx, b, a, &moved.back)?;
        if forth.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// A passage to the end of a stream, which is passed on.
struct Whole<P> {
    /// `None` once it is over.
    passage: Option<P>,
}

impl<P> Whole<P> {
    fn new(passage: P) -> Self {
        Self { passage: Some(passage) }
    }

    fn poll<A, B: DataStream>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut A,
        to: &mut B,
        moved: &Cell<u64>,
    ) -> Poll<io::Result<()>>
    where
        P: Passage<A, B>,
    {
        let Some(passage) = &mut self.passage else { return Poll::Ready(Ok(())) };
        let polled = passage.poll(cx, from, to, u64::MAX);
        moved.set(passage.progress().moved);
        ready!(polled)?;
        ready!(to.poll_shutdown(cx))?;
        self.passage = None;
        Poll::Ready(Ok(()))
    }
}

//! Bytes from stream to stream through the process, over any two streams: what a passage is where the kernel cannot do
//! it alone, as with TLS on either side.

use std::io;
use std::task::{Context, Poll, ready};

use crate::passage::{self, Lost, Passage, Progress};
use crate::stream::{DataStream, Relayed};

/// See [`EventActions::relay`](crate::EventActions::relay); for two streams of any kinds.
pub async fn relay(a: &mut impl DataStream, b: &mut impl DataStream, moved: &Relayed) -> io::Result<()> {
    passage::relay(Copying::default(), Copying::default(), a, b, moved).await
}

/// One way. What was read is sent before more is read, so that one read is on the way at most.
#[derive(Debug, Default)]
pub struct Copying(Progress);

impl<A: DataStream, B: DataStream> Passage<A, B> for Copying {
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut A, to: &mut B, max: u64) -> Poll<Result<(), Lost>> {
        loop {
            ready!(Passage::<A, B>::poll_rest(self, cx, to))?;
            if self.0.ended || self.0.read >= max {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_fetch(cx, from, to, max))?;
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>, to: &mut B) -> Poll<Result<(), Lost>> {
        let flushed = to.poll_flush(cx).map_err(Lost::To)?;
        self.0.moved = self.0.read.saturating_sub(to.queued() as u64);
        flushed.map(Ok)
    }

    fn progress(&self) -> Progress {
        self.0
    }
}

impl Copying {
    fn poll_fetch(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl DataStream,
        to: &mut impl DataStream,
        max: u64,
    ) -> Poll<Result<(), Lost>> {
        let room = usize::try_from(max - self.0.read).unwrap_or(usize::MAX);
        match ready!(from.poll_recv(cx, room)).map_err(Lost::From)? {
            None => self.0.ended = true,
            Some(buf) => {
                self.0.read += buf.len() as u64;
                // A queue that was just flushed is empty, and takes anything.
                to.queue_send(buf.into()).map_err(|_| Lost::To(io::ErrorKind::WriteZero.into()))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

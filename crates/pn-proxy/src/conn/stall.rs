//! Streams of HTTP/2 whose client takes nothing: flow control hides that from the socket, so each stream that waits for
//! its client is watched by itself.

use super::pulse::after;
use crate::cx::ConnCx;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// Since when one stream waits for its client. 0: it does not.
#[derive(Default)]
pub(super) struct Stall {
    since: u64,
    /// Made once the stream first waits; it stays until it goes off.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// The client has room again.
    pub(super) fn end(&mut self) {
        self.since = 0;
    }

    /// The stream waits. Ready once it has done so for too long.
    pub(super) fn poll(&mut self, conn: &ConnCx, cx: &mut Context<'_>) -> Poll<()> {
        let clock = conn.pulse.clock();
        if self.since == 0 {
            self.since = clock.now();
        }
        let Some(deadline) = after(self.since, conn.timeouts.body_idle) else { return Poll::Pending };
        let at = clock.instant(deadline);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        while timer.as_mut().poll(cx).is_ready() {
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
        Poll::Pending
    }
}

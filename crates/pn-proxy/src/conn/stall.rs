//! Streams of HTTP/2 whose client takes nothing: flow control hides that from the socket, so each stream that waits for
//! its client is watched by itself.

use super::pulse::after;
use crate::cx::ConnCx;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// How long one stream has waited for its client.
#[derive(Default)]
pub(super) struct Stall {
    /// 0: it does not wait.
    since: u64,
    /// Bytes that the client had taken by then.
    given: u64,
    /// Made once the stream first waits; it stays until it goes off.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// The client is not waited for.
    pub(super) fn end(&mut self) {
        self.since = 0;
    }

    /// The stream waits, with so many bytes taken. Ready once it has done so for too long.
    pub(super) fn poll(&mut self, given: u64, conn: &ConnCx, cx: &mut Context<'_>) -> Poll<()> {
        let clock = conn.pulse.clock();
        if self.since == 0 || self.given != given {
            (self.since, self.given) = (clock.now(), given);
        }
        let body_idle = conn.timeouts().body_idle;
        let Some(mut deadline) = after(self.since, body_idle) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(clock.instant(deadline))));
        while timer.as_mut().poll(cx).is_ready() {
            let now = clock.now();
            if now >= deadline {
                if !conn.pulse.is_stalled() {
                    return Poll::Ready(());
                }
                // No stream goes on, and whether the client is too slow is for the watch over its connection to say.
                self.since = now;
                deadline = after(now, body_idle).unwrap_or(u64::MAX);
            }
            timer.as_mut().reset(clock.instant(deadline));
        }
        Poll::Pending
    }
}

//! A timer that is set lazily. A connection keeps one for its life: it is armed once in a while, and when it rings too
//! early it is set again, so that a request costs a reading of the clock and no entry in the timer wheel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready at the deadline, not before. Each call may name another one.
    pub(super) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if sleep.is_elapsed() || sleep.deadline() > deadline {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn rings_at_the_last_named_deadline_whatever_it_was_set_to() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timer = Timer::default();
        let mut first = true;
        poll_fn(|cx| timer.poll(if std::mem::take(&mut first) { at(100) } else { at(250) }, cx)).await;
        assert_eq!(Instant::now(), at(250), "later than it was set");
        poll_fn(|cx| {
            let set = timer.poll(at(900), cx);
            assert!(set.is_pending());
            timer.poll(at(400), cx)
        })
        .await;
        assert_eq!(Instant::now(), at(400), "earlier than it was set");
    }
}

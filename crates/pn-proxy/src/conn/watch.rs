//! The watch over a connection: runs HTTP until it is done, and sees to it that the connection ends when it is told
//! to or has waited too long. One timer a connection; it is moved only when something is due earlier than it.

use super::LINGER;
use super::pulse::{Due, Overdue, Pulse};
use super::tie::Tie;
use pn_model::listener::ListenerTimeouts;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// How a connection came to its end.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    Http(T),
    Overdue(Overdue),
    /// Told to end at once.
    Cut,
}

enum Sign {
    /// Take no further requests.
    Close,
    Due(Due),
    Cut,
}

/// Runs `http`. `close` tells it to take no further requests.
pub(crate) async fn run<H>(
    mut http: Pin<&mut H>,
    close: impl Fn(Pin<&mut H>),
    tie: &Tie,
    pulse: &Pulse,
    timeouts: &ListenerTimeouts,
) -> Ended<H::Output>
where
    H: Future,
{
    let mut watch = Watch {
        tie,
        pulse,
        timeouts,
        sleep: pin!(sleep_until(tokio::time::Instant::now())),
        armed: u64::MAX,
        watched: false,
        told: false,
    };
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                return Poll::Ready(Ended::Http(result));
            }
            match watch.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Sign::Close) => close(http.as_mut()),
                Poll::Ready(Sign::Cut) => return Poll::Ready(Ended::Cut),
                // Its socket is asked as it finds that it cannot write.
                Poll::Ready(Sign::Due(Due::Look)) => pulse.look(),
                Poll::Ready(Sign::Due(Due::Over(overdue))) => {
                    if overdue == Overdue::Write {
                        pulse.give_up();
                    }
                    return Poll::Ready(Ended::Overdue(overdue));
                }
            }
        }
    })
    .await
}

struct Watch<'a> {
    tie: &'a Tie,
    pulse: &'a Pulse,
    timeouts: &'a ListenerTimeouts,
    sleep: Pin<&'a mut Sleep>,
    /// The moment at which the timer goes off; `u64::MAX` while it is not set.
    armed: u64,
    watched: bool,
    told: bool,
}

impl Watch<'_> {
    fn deadline(&self) -> Option<(u64, Due)> {
        match self.told {
            false => self.pulse.deadline(self.timeouts),
            true => self.pulse.deadline(&ListenerTimeouts { keepalive_idle: LINGER, ..*self.timeouts }),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Sign> {
        if !std::mem::replace(&mut self.watched, true) {
            self.tie.watch(cx.waker());
        }
        if self.tie.is_cut() {
            return Poll::Ready(Sign::Cut);
        }
        if self.tie.is_closing() && !std::mem::replace(&mut self.told, true) {
            // What the client sends before it learns of that is served; then it is expected to go.
            self.pulse.rest();
            return Poll::Ready(Sign::Close);
        }
        let Some((deadline, due)) = self.deadline() else { return Poll::Pending };
        if self.armed != u64::MAX && self.sleep.is_elapsed() {
            self.armed = u64::MAX;
            if self.pulse.clock().now() >= deadline {
                return Poll::Ready(Sign::Due(due));
            }
        }
        // A timer that goes off too early is set anew then; that is cheaper than to move it with every request.
        if self.armed > deadline {
            self.armed = deadline;
            self.sleep.as_mut().reset(self.pulse.clock().instant(deadline));
            if self.sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Sign::Due(due));
            }
        }
        Poll::Pending
    }
}

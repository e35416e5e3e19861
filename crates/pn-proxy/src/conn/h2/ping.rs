//! Whether a silent client is still there: its network may have lost it without a word.

use crate::conn::Pulse;
use h2::PingPong;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A client that answers no ping for so long is gone.
const INTERVAL: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(20);

/// Asks a client that has been silent for a while.
#[derive(Default)]
pub(super) struct Ping(Option<Begun>);

struct Begun {
    pings: PingPong,
    sleep: Pin<Box<Sleep>>,
    /// An answer is waited for.
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinged {
    Well,
    Unanswered,
}

impl Ping {
    pub(super) fn begin(&mut self, pings: Option<PingPong>) {
        self.0 = pings.map(|pings| Begun { pings, sleep: Box::pin(sleep(INTERVAL)), asked: false });
    }

    /// To be called when its waker is.
    pub(super) fn poll(&mut self, pulse: &Pulse, cx: &mut Context<'_>) -> Pinged {
        let Some(own) = &mut self.0 else { return Pinged::Well };
        // Makes ready for another ping. Anything that the client says is an answer.
        drop(own.pings.poll_pong(cx));
        while own.sleep.as_mut().poll(cx).is_ready() {
            let heard = pulse.take_heard();
            if own.asked && !heard {
                self.0 = None;
                return Pinged::Unanswered;
            }
            own.asked = !heard && own.pings.send_ping(h2::Ping::opaque()).is_ok();
            let wait = if own.asked { TIMEOUT } else { INTERVAL };
            own.sleep.as_mut().reset(Instant::now() + wait);
        }
        Pinged::Well
    }
}

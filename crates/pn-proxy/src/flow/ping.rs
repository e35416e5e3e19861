//! Whether the peer of a silent connection is still there: the network may have lost it without a word.

use h2::PingPong;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Asks a peer that has been silent for a while.
pub(crate) struct Ping {
    pings: PingPong,
    waits: Waits,
    sleep: Pin<Box<Sleep>>,
    /// An answer is waited for.
    asked: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// How long a peer may be silent before it is asked.
    pub(crate) silence: Duration,
    /// How long it may take to answer; anything that it says is an answer.
    pub(crate) answer: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pinged {
    Well,
    Unanswered,
}

impl Ping {
    pub(crate) fn new(pings: PingPong, waits: Waits) -> Self {
        Self { pings, waits, sleep: Box::pin(sleep(waits.silence)), asked: false }
    }

    /// To be called when its waker is. `heard` says whether anything has come since it was asked before, or nothing is
    /// to be expected.
    pub(crate) fn poll(&mut self, heard: impl Fn() -> bool, cx: &mut Context<'_>) -> Pinged {
        // Makes ready for another ping.
        drop(self.pings.poll_pong(cx));
        while self.sleep.as_mut().poll(cx).is_ready() {
            let heard = heard();
            if self.asked && !heard {
                return Pinged::Unanswered;
            }
            self.asked = !heard && self.pings.send_ping(h2::Ping::opaque()).is_ok();
            let wait = if self.asked { self.waits.answer } else { self.waits.silence };
            self.sleep.as_mut().reset(Instant::now() + wait);
        }
        Pinged::Well
    }
}

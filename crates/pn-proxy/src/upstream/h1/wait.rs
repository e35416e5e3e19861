//! How long a server may take to answer.

use super::super::payload::BodySlot;
use super::super::timer::Timer;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// How long a response head may take.
pub(in super::super) struct HeadWait {
    slot: Option<BodySlot>,
    taken: u64,
    limit: Duration,
    deadline: Instant,
}

impl HeadWait {
    pub(in super::super) fn new(slot: Option<BodySlot>, limit: Duration) -> Self {
        Self { slot, taken: 0, limit, deadline: Instant::now() + limit }
    }

    pub(in super::super) fn poll(&mut self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
        if self.limit.is_zero() {
            return Poll::Pending;
        }
        let taken = self.slot.as_ref().map_or(0, BodySlot::taken);
        if taken != self.taken {
            self.taken = taken;
            self.deadline = Instant::now() + self.limit;
        }
        timer.poll(self.deadline, cx)
    }
}

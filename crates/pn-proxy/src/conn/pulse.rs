//! The pulse of a connection: how far it has come and since when it waits. Written by its socket and its requests,
//! read by its watch; so a timeout costs no timer operation per request.

use crate::worker::Clock;
use pn_model::listener::ListenerTimeouts;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// One thread writes it. The cells are atomic only because hyper asks that what it hands over at an upgrade be
/// `Send`; relaxed loads and stores cost what plain ones do.
#[derive(Debug)]
pub(crate) struct Pulse {
    clock: Clock,
    /// Requests being served.
    open: AtomicU32,
    /// The moment since which the phase lasts while nothing is served. 0: it has begun since the watch last looked,
    /// which spares a reading of the clock for phases that are over by then.
    since: AtomicU64,
    /// Bytes of a request head have come and it is not complete.
    head: AtomicBool,
    /// Whether heads are timed: those of HTTP/2 come in frames, and only its silence is.
    times_heads: AtomicBool,
    /// The moment since which the client takes nothing of what is written. 0: it does.
    stalled: AtomicU64,
    /// The client has closed its side.
    eof: AtomicBool,
    given_up: AtomicBool,
    /// Bytes have come since somebody asked.
    heard: AtomicBool,
}

/// What a connection waited for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The rest of a request head.
    Head,
    /// The next request.
    Request,
    /// That the client takes what was written.
    Write,
}

impl Pulse {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            open: AtomicU32::new(0),
            since: AtomicU64::new(clock.now()),
            head: AtomicBool::new(false),
            times_heads: AtomicBool::new(false),
            stalled: AtomicU64::new(0),
            eof: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            heard: AtomicBool::new(false),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The handshakes are over, and requests are waited for from now on.
    pub(crate) fn begin_http(&self, times_heads: bool) {
        self.times_heads.store(times_heads, Relaxed);
        self.head.store(false, Relaxed);
        self.since.store(0, Relaxed);
    }

    /// Whether heads are timed, which those of HTTP/1 are.
    pub(crate) fn times_heads(&self) -> bool {
        self.times_heads.load(Relaxed)
    }

    pub(crate) fn request_began(&self) {
        self.open.store(self.open.load(Relaxed).saturating_add(1), Relaxed);
        self.head.store(false, Relaxed);
    }

    pub(crate) fn request_ended(&self) {
        let open = self.open.load(Relaxed).saturating_sub(1);
        self.open.store(open, Relaxed);
        if open == 0 {
            self.since.store(0, Relaxed);
        }
    }

    pub(crate) fn has_read(&self, bytes: usize) {
        if bytes == 0 {
            self.eof.store(true, Relaxed);
            return;
        }
        self.heard.store(true, Relaxed);
        if self.times_heads.load(Relaxed) && self.open.load(Relaxed) == 0 && !self.head.load(Relaxed) {
            self.head.store(true, Relaxed);
            self.since.store(0, Relaxed);
        }
    }

    /// Whether anything has come since this was asked before.
    pub(crate) fn take_heard(&self) -> bool {
        let heard = self.heard.load(Relaxed);
        self.heard.store(false, Relaxed);
        heard
    }

    pub(crate) fn has_written(&self) {
        if self.stalled.load(Relaxed) != 0 {
            self.stalled.store(0, Relaxed);
            // The client still takes the end of a response that is otherwise done.
            self.since.store(0, Relaxed);
        }
    }

    /// The wait for the next request begins anew.
    pub(crate) fn rest(&self) {
        self.since.store(0, Relaxed);
    }

    /// Nothing more is to be sent, not even what the kernel has taken already.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }

    fn waiting_since(&self) -> u64 {
        match self.since.load(Relaxed) {
            0 => {
                let now = self.clock.now();
                self.since.store(now, Relaxed);
                now
            }
            since => since,
        }
    }

    pub(crate) fn write_blocked(&self) {
        if self.stalled.load(Relaxed) == 0 {
            self.stalled.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn at_eof(&self) -> bool {
        self.eof.load(Relaxed)
    }

    /// The moment at which the connection will have waited too long, and for what. `None` while nothing is waited
    /// for, or no timeout is set for it.
    pub(crate) fn deadline(&self, timeouts: &ListenerTimeouts) -> Option<(u64, Overdue)> {
        let stalled = self.stalled.load(Relaxed);
        let write = (stalled != 0).then(|| after(stalled, timeouts.body_idle)).flatten();
        let write = write.map(|at| (at, Overdue::Write));
        if self.open.load(Relaxed) > 0 {
            return write;
        }
        let since = self.waiting_since();
        let wait = if self.head.load(Relaxed) {
            after(since, timeouts.header).map(|at| (at, Overdue::Head))
        } else {
            after(since, timeouts.keepalive_idle).map(|at| (at, Overdue::Request))
        };
        [write, wait].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

/// A duration of zero never passes.
pub(crate) fn after(moment: u64, wait: Duration) -> Option<u64> {
    let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    (wait != 0).then(|| moment.saturating_add(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: ListenerTimeouts = ListenerTimeouts {
        handshake: Duration::from_secs(1),
        header: Duration::from_secs(2),
        body_idle: Duration::from_secs(3),
        keepalive_idle: Duration::from_secs(4),
        drain: Duration::from_secs(5),
    };

    fn waits_for(pulse: &Pulse) -> Option<Overdue> {
        pulse.deadline(&TIMEOUTS).map(|(_, overdue)| overdue)
    }

    #[test]
    fn each_phase_has_its_timeout() {
        let pulse = Pulse::new(Clock::new());
        pulse.begin_http(true);
        assert_eq!(waits_for(&pulse), Some(Overdue::Request));
        pulse.has_read(1);
        assert_eq!(waits_for(&pulse), Some(Overdue::Head));
        let (first, _) = pulse.deadline(&TIMEOUTS).unwrap();
        pulse.has_read(1);
        assert_eq!(pulse.deadline(&TIMEOUTS).unwrap().0, first, "dripping bytes do not buy time");
        pulse.request_began();
        assert_eq!(waits_for(&pulse), None, "the exchange times itself");
        pulse.write_blocked();
        assert_eq!(waits_for(&pulse), Some(Overdue::Write));
        pulse.has_written();
        assert_eq!(waits_for(&pulse), None);
        pulse.request_ended();
        assert_eq!(waits_for(&pulse), Some(Overdue::Request));
    }

    #[test]
    fn http2_is_only_timed_between_requests() {
        let pulse = Pulse::new(Clock::new());
        pulse.begin_http(false);
        pulse.has_read(100);
        assert_eq!(waits_for(&pulse), Some(Overdue::Request), "pings do not keep a connection open");
        pulse.request_began();
        pulse.request_began();
        pulse.request_ended();
        assert_eq!(waits_for(&pulse), None);
        pulse.request_ended();
        assert_eq!(waits_for(&pulse), Some(Overdue::Request));
    }

    #[test]
    fn zero_switches_a_timeout_off() {
        let pulse = Pulse::new(Clock::new());
        let off = ListenerTimeouts { keepalive_idle: Duration::ZERO, ..TIMEOUTS };
        assert_eq!(pulse.deadline(&off), None);
    }
}

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
    /// The moment since which the kernel takes nothing and the client is not known to take anything. 0: it does.
    stalled: AtomicU64,
    /// The moment at which the socket was last asked what the client has left to take.
    looked: AtomicU64,
    /// The socket has not answered yet.
    asked: AtomicBool,
    /// What it answered.
    left: AtomicU64,
    /// The client has closed its side.
    eof: AtomicBool,
    given_up: AtomicBool,
    /// Bytes have come since somebody asked.
    heard: AtomicBool,
}

/// How often the socket is asked, while a wait for its client becomes too long, what the client has left to take: so
/// many times, and so much later than promised at most is a client seen to take nothing.
const LOOKS: u32 = 8;

/// What is to be done when a wait has lasted for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// To see whether the client takes what the kernel has: [`Pulse::look`].
    Look,
    Over(Overdue),
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
            looked: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            left: AtomicU64::new(u64::MAX),
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

    /// The kernel takes nothing more. `unsent` says what it has that the client has not taken; asked only where the wait
    /// is long.
    pub(crate) fn write_blocked(&self, unsent: impl FnOnce() -> Option<u64>) {
        if self.stalled.load(Relaxed) == 0 {
            self.stalled.store(self.clock.now(), Relaxed);
            self.left.store(u64::MAX, Relaxed);
            self.asked.store(false, Relaxed);
        }
        if self.asked.load(Relaxed) {
            self.asked.store(false, Relaxed);
            self.left_to_take(unsent());
        }
    }

    /// The kernel asks for more only when a third of its buffer is free; a slow client takes its bytes all the same. How
    /// much it took before it was first looked at nobody knows, and it has the benefit of that.
    fn left_to_take(&self, unsent: Option<u64>) {
        let Some(unsent) = unsent else { return };
        if unsent < self.left.load(Relaxed) {
            self.stalled.store(self.clock.now(), Relaxed);
        }
        self.left.store(unsent, Relaxed);
    }

    /// Whether the socket takes nothing for anybody.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Relaxed) != 0
    }

    /// The socket is to say what the client has left to take, when it is next found to take nothing.
    pub(crate) fn look(&self) {
        self.looked.store(self.clock.now(), Relaxed);
        self.asked.store(true, Relaxed);
    }

    /// Whether the socket has not answered yet.
    pub(crate) fn looks(&self) -> bool {
        self.asked.load(Relaxed)
    }

    pub(crate) fn at_eof(&self) -> bool {
        self.eof.load(Relaxed)
    }

    /// The moment at which the connection will have waited long enough, and for what. `None` while nothing is waited
    /// for, or no timeout is set for it.
    pub(crate) fn deadline(&self, timeouts: &ListenerTimeouts) -> Option<(u64, Due)> {
        let write = self.write_deadline(timeouts.body_idle);
        if self.open.load(Relaxed) > 0 {
            return write;
        }
        let since = self.waiting_since();
        let (wait, overdue) = if self.head.load(Relaxed) {
            (timeouts.header, Overdue::Head)
        } else {
            (timeouts.keepalive_idle, Overdue::Request)
        };
        let wait = after(since, wait).map(|at| (at, Due::Over(overdue)));
        [write, wait].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The last look is at the end: what the client took until then counts.
    fn write_deadline(&self, body_idle: Duration) -> Option<(u64, Due)> {
        let stalled = self.stalled.load(Relaxed);
        if stalled == 0 {
            return None;
        }
        let (over, looked) = (after(stalled, body_idle)?, self.looked.load(Relaxed));
        if looked >= over {
            return Some((over, Due::Over(Overdue::Write)));
        }
        let look = after(stalled.max(looked), body_idle / LOOKS).unwrap_or(over);
        Some((look.min(over), Due::Look))
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
        pulse.deadline(&TIMEOUTS).map(|(_, due)| match due {
            Due::Over(overdue) => overdue,
            Due::Look => Overdue::Write,
        })
    }

    fn moment(wait: Duration) -> u64 {
        u64::try_from(wait.as_nanos()).unwrap()
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
        pulse.write_blocked(|| unreachable!("nobody looks yet"));
        assert_eq!(waits_for(&pulse), Some(Overdue::Write));
        pulse.has_written();
        assert_eq!(waits_for(&pulse), None);
        pulse.request_ended();
        assert_eq!(waits_for(&pulse), Some(Overdue::Request));
    }

    /// What the socket says at each look, and whether its client is given up then.
    #[test]
    fn a_client_that_takes_anything_is_waited_for() {
        let (idle, eighth) = (moment(TIMEOUTS.body_idle), moment(TIMEOUTS.body_idle) / 8);
        for (answers, given_up) in [
            (&[Some(9), Some(9)][..], true),
            (&[Some(9), Some(8)], false),
            (&[Some(9), Some(8), Some(8)], true),
            (&[None], true),
        ] {
            let pulse = Pulse::new(Clock::new());
            pulse.begin_http(true);
            pulse.request_began();
            pulse.write_blocked(|| None);
            let since = pulse.stalled.load(Relaxed);
            assert_eq!(pulse.deadline(&TIMEOUTS), Some((since + eighth, Due::Look)));
            for answer in answers {
                // As long ago as it may be, so that this look is the last.
                let long_ago = pulse.stalled.load(Relaxed).saturating_sub(idle);
                pulse.stalled.store(long_ago.max(1), Relaxed);
                pulse.look();
                pulse.looked.store(pulse.stalled.load(Relaxed) + idle, Relaxed);
                pulse.write_blocked(|| *answer);
                assert!(!pulse.looks());
            }
            let due = pulse.deadline(&TIMEOUTS).map(|(_, due)| due);
            assert_eq!(due == Some(Due::Over(Overdue::Write)), given_up, "{answers:?}");
        }
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

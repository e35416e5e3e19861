//! When a certificate that is held is to be replaced.

use super::{CertificateId, DAY, HOUR, MINUTE, Time, spread};

/// A certificate that the storage holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The directory of the CA that signed it.
    pub directory: String,
    /// Hexadecimal.
    pub serial: String,
    pub not_before: Time,
    pub not_after: Time,
    pub obtained_at: Time,
    /// Whether key type and profile are those that are asked for now.
    pub fits: bool,
    /// When the CA suggests to renew it (RFC 9773).
    pub window: Option<Window>,
    /// When to ask the CA for that again. `None`: it has nothing to say.
    pub ask_at: Option<Time>,
    /// The CA was told to take it back: it serves only until another is there.
    pub revoked: bool,
}

/// A CA's suggestion, and the moment of it that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: Time,
    pub end: Time,
    pub selected: Time,
}

impl Window {
    /// Draws a moment of the window (RFC 9773 section 4.2), or keeps the one that was drawn from the same window.
    /// `None`: the window is none.
    pub fn draw(start: Time, end: Time, before: Option<Self>, random: u64) -> Option<Self> {
        let length = end.checked_sub(start).filter(|length| *length > 0)?;
        let kept = before.filter(|before| (before.start, before.end) == (start, end));
        Some(kept.unwrap_or(Self { start, end, selected: start + random % length }))
    }
}

/// Between a certificate and the next, whatever the CA suggests and whatever our clock says: a CA that always says
/// "now", or a clock that is years ahead, must not become a loop of orders.
const APART: u64 = 6 * HOUR;
/// The same when other keys or another profile are asked for.
const APART_CHANGED: u64 = 10 * MINUTE;

impl Held {
    pub fn is_valid(&self, now: Time) -> bool {
        now < self.not_after
    }

    /// When to get the next one. `seen` is when this process saw it take the place of another, if it did: that tells by
    /// its own clock how old it is.
    pub(super) fn due(&self, id: &CertificateId, seen: Option<Time>, now: Time) -> Time {
        if self.revoked {
            return 0;
        }
        let life = self.life();
        let (at, apart) = match self.window {
            _ if !self.fits => (0, APART_CHANGED),
            // In the last twentieth the suggestion counts no more.
            Some(window) => (window.selected.min(self.not_after - life / 20), APART),
            None => (self.third(id), APART),
        };
        // A clock that was far ahead has obtained it: that says nothing of when.
        let obtained_at = if self.obtained_at > now.saturating_add(APART) { 0 } else { self.obtained_at };
        let from = obtained_at.max(seen.unwrap_or(0));
        at.max(from.saturating_add(apart.min(life / 6).max(MINUTE)))
    }

    /// When to ask the CA for its suggestion. One that lies months ahead was noted before the clock was set back.
    pub(super) fn ask_due(&self, now: Time) -> Option<Time> {
        self.ask_at.map(|at| if at > now.saturating_add(7 * DAY) { now } else { at })
    }

    /// Whether it is so late that fallback issuers are asked too: half of the time for renewing it has gone by, or it is
    /// revoked.
    pub(super) fn is_pressing(&self, now: Time) -> bool {
        self.revoked || self.left(now) <= self.life() / 6
    }

    /// What is left of it, in its last fiftieth.
    pub(super) fn last_moments(&self, now: Time) -> Option<u64> {
        let left = self.left(now);
        (left > 0 && left <= self.life() / 50).then_some(left)
    }

    /// A third of its life is left, or a little more.
    fn third(&self, id: &CertificateId) -> Time {
        let life = self.life();
        self.not_after - life / 3 - spread(id, self.not_after, life / 60)
    }

    fn left(&self, now: Time) -> u64 {
        self.not_after.saturating_sub(now)
    }

    fn life(&self) -> u64 {
        self.not_after.saturating_sub(self.not_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(days: u64) -> Held {
        Held {
            directory: "https://ca/dir".to_owned(),
            serial: "01".to_owned(),
            not_before: 0,
            not_after: days * DAY,
            obtained_at: HOUR,
            fits: true,
            window: None,
            ask_at: None,
            revoked: false,
        }
    }

    fn window(start: u64, end: u64, selected: u64) -> Option<Window> {
        Some(Window { start: start * HOUR, end: end * HOUR, selected: selected * HOUR })
    }

    #[test]
    fn when_it_is_due() {
        let id = CertificateId::of(&["a.example".to_owned()]);
        let day = 24;
        for (name, held, earliest, latest) in [
            ("a third is left", held(90), 58 * day + 12, 60 * day),
            ("of six days", held(6), 4 * day - 3, 4 * day),
            ("as the CA says", Held { window: window(10, 30, 20), ..held(90) }, 20, 20),
            ("the CA says too late", Held { window: window(9_000, 9_010, 9_001), ..held(90) }, 2_052, 2_052),
            ("the CA says it was yesterday", Held { window: window(0, 1, 0), ..held(90) }, 7, 7),
            ("another key", Held { fits: false, ..held(90) }, 1, 2),
            ("revoked", Held { revoked: true, ..held(90) }, 0, 0),
            (
                "obtained by a clock that was ahead",
                Held { obtained_at: 200 * DAY, ..held(90) },
                58 * day + 12,
                60 * day,
            ),
        ] {
            let due = held.due(&id, None, HOUR);
            assert!((earliest * HOUR..=latest * HOUR).contains(&due), "{name}: hour {}", due / HOUR);
        }
        let hour = Held { not_after: HOUR, obtained_at: 0, ..held(0) };
        assert!(
            (39 * MINUTE..=40 * MINUTE).contains(&hour.due(&id, None, HOUR)),
            "{}",
            hour.due(&id, None, HOUR)
        );
    }

    #[test]
    fn a_moment_is_kept_as_long_as_its_window() {
        let first = Window::draw(100, 200, None, 1_042).unwrap();
        assert_eq!(first, Window { start: 100, end: 200, selected: 142 });
        assert_eq!(Window::draw(100, 200, Some(first), 7), Some(first));
        assert_eq!(Window::draw(100, 150, Some(first), 7).unwrap().selected, 107);
        assert_eq!(Window::draw(200, 200, None, 7), None);
        assert_eq!(Window::draw(201, 200, None, 7), None);
    }
}

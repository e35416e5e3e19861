//! How often the log tells that certificates cannot be looked after. A store that fails does so for each of them, each
//! minute; ten thousand lines would say no more than ten.

use crate::Time;
use std::sync::{Mutex, PoisonError};

/// Lines in a minute. What is beyond is counted, and the count told with the next line.
const LINES: u32 = 10;
const MINUTE: Time = 60;

#[derive(Debug, Default)]
pub(super) struct Loudness(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    since: Time,
    lines: u32,
    unsaid: u64,
}

impl Loudness {
    /// `None`: this is not told now. Otherwise how many were not told since the last that was.
    pub(super) fn may_tell(&self, now: Time) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back begins a minute, too.
        if !(said.since..said.since.saturating_add(MINUTE)).contains(&now) {
            (said.since, said.lines) = (now, 0);
        }
        if said.lines == LINES {
            said.unsaid += 1;
            return None;
        }
        said.lines += 1;
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_minute_and_a_count_of_the_others() {
        let loudness = Loudness::default();
        let told = |at: Time, times: usize| {
            (0..times).filter_map(|_| loudness.may_tell(1_000_000 + at)).collect::<Vec<_>>()
        };
        assert_eq!(told(0, 300), [0; 10]);
        assert_eq!(told(59, 5), [0; 0]);
        assert_eq!(told(60, 2), [295, 0]);
        assert_eq!(told(30, 1), [0], "a clock that was set back");
        assert_eq!(told(10_000, 11).len(), 10);
    }
}

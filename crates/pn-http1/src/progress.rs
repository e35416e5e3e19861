//! When a head that comes in pieces is worth another look.

use crate::limits::Limits;

/// Remembers how much of a head has been parsed in vain, so that a peer which sends byte by byte does not make the whole
/// of it be parsed for each: only when a line has ended, what is there has doubled, or the limit is reached. What is
/// wrong inside a line may then be refused at its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadProgress {
    parsed: usize,
}

impl HeadProgress {
    /// Whether to parse `input`, which is what was asked about the last time with more behind it.
    pub fn is_due(&mut self, input: &[u8], limits: &Limits) -> bool {
        let news = input.get(self.parsed..).unwrap_or_default();
        let due = self.parsed == 0
            || input.len() >= limits.head()
            || input.len() >= 2 * self.parsed
            || memchr::memchr(b'\n', news).is_some();
        if due {
            self.parsed = input.len();
        }
        due && !input.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_drips_is_parsed_a_few_times() {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(10_000)).into_bytes();
        let mut progress = HeadProgress::default();
        let due = (1..=head.len()).filter(|&to| progress.is_due(&head[..to], &Limits::default()));
        let due: Vec<usize> = due.collect();
        assert!(due.len() < 30, "{due:?}");
        assert_eq!(due.last(), Some(&head.len()));
        assert!(!HeadProgress::default().is_due(b"", &Limits::default()));
    }

    #[test]
    fn the_limit_is_noticed() {
        let limits = Limits { head_bytes: 100, ..Limits::default() };
        let mut progress = HeadProgress::default();
        assert!(progress.is_due(&[b'a'; 80], &limits));
        assert!(!progress.is_due(&[b'a'; 99], &limits));
        assert!(progress.is_due(&[b'a'; 100], &limits));
    }
}

//! curl, h2load and wrk, and what they counted.

use std::process::Command;
use std::time::Duration;

use crate::process::{Finished, Peer, find_program};
use crate::wait::PATIENCE;

/// What curl printed and how it ended.
pub type Curl = Finished;

/// Runs curl with these arguments, silent but for errors. It follows no environment, and gives up in time.
#[track_caller]
pub fn curl(arguments: &[&str]) -> Curl {
    let mut command = Command::new(find_program("curl"));
    command.args(["-q", "-sS", "--noproxy", "*", "--max-time", "20"]).args(arguments);
    Peer::run("curl", &command, PATIENCE + Duration::from_secs(5))
}

/// A load generator at work, or what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Whole responses.
    pub done: u64,
    /// Responses of another status than 2xx or 3xx, connections that broke, requests that got no answer.
    pub failed: u64,
    /// All that the tool printed.
    pub text: String,
}

/// Starts h2load (HTTP/2; HTTP/1.1 with `--h1`); [`Load::of_h2load`] waits for its end and reads it.
#[track_caller]
pub fn h2load(arguments: &[&str]) -> Peer {
    Peer::start("h2load", Command::new(find_program("h2load")).args(arguments))
}

/// Starts wrk (HTTP/1.1); [`Load::of_wrk`] waits for its end and reads it.
#[track_caller]
pub fn wrk(arguments: &[&str]) -> Peer {
    Peer::start("wrk", Command::new(find_program("wrk")).args(arguments))
}

impl Load {
    #[track_caller]
    pub fn of_h2load(peer: Peer, limit: Duration) -> Self {
        Self::read_h2load(peer.finish(limit).expect_success())
    }

    #[track_caller]
    pub fn of_wrk(peer: Peer, limit: Duration) -> Self {
        Self::read_wrk(peer.finish(limit).expect_success())
    }

    /// `requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout`, and
    /// `status codes: 9 2xx, 0 3xx, 0 4xx, 0 5xx`.
    fn read_h2load(text: String) -> Self {
        let counts = |line: &str, kind: &str| number_before(line_of(&text, line), kind);
        let unanswered =
            ["failed", "errored", "timeout"].map(|kind| counts("requests:", kind)).iter().sum::<u64>();
        let bad = ["4xx", "5xx"].map(|kind| counts("status codes:", kind)).iter().sum::<u64>();
        // h2load counts a request of bad status as failed too. One that is under way when the time of `-D` is up is
        // neither done nor failed.
        Self { done: counts("requests:", "done"), failed: unanswered.max(bad), text }
    }

    /// `9 requests in 1.0s`, and only when there were some: `Non-2xx or 3xx responses: 9` and
    /// `Socket errors: connect 0, read 9, write 0, timeout 0`.
    fn read_wrk(text: String) -> Self {
        let done = number_before(line_of(&text, "requests in"), "requests");
        let bad =
            line_of(&text, "Non-2xx").rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let errors = line_of(&text, "Socket errors:").replace(',', "");
        let broken: u64 = errors.split(' ').filter_map(|word| word.parse::<u64>().ok()).sum();
        Self { done, failed: bad + broken, text }
    }

    /// Panics unless there were responses and nothing but good ones.
    #[track_caller]
    pub fn expect_clean(&self) {
        assert!(
            self.done > 0 && self.failed == 0,
            "{} done, {} failed:\n{}",
            self.done,
            self.failed,
            self.text
        );
    }
}

fn line_of<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).unwrap_or_default()
}

/// The number that stands before a word.
fn number_before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split([' ', ',']).filter(|each| !each.is_empty()).collect();
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    #[test]
    fn loads_are_counted() {
        let origin = Origin::http1();
        let url = |path: &str| format!("http://{}{path}", origin.addr());
        let rows = [(url("/echo"), true), (url("/status/500"), false)];
        for (url, clean) in rows {
            let wrk = Load::of_wrk(wrk(&["-t1", "-c2", "-d1s", &url]), PATIENCE);
            assert_eq!((wrk.done > 0, wrk.failed == 0), (true, clean), "{}", wrk.text);
            let h2load = Load::of_h2load(h2load(&["--h1", "-n50", "-c2", &url]), PATIENCE);
            assert_eq!((h2load.done, h2load.failed == 0), (50, clean), "{}", h2load.text);
        }
    }

    #[test]
    fn curl_tells_what_it_got() {
        let origin = Origin::setup().name("blue").http1();
        let url = format!("http://{}/a", origin.addr());
        assert!(curl(&[&url]).expect_success().contains(r#""origin":"blue""#));
        drop(origin);
        assert_eq!(curl(&[&url]).code(), 7);
    }
}

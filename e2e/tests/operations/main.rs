//! What an operator relies on: secrets that never show, logs that rotate, metrics that count right, roots that the system
//! trusts, passwords, sockets of systemd, completions.
#![expect(clippy::expect_used, clippy::panic, reason = "a step of a test fails as the test does")]

mod logs;
mod metrics;
mod secrets;
mod system;

const WEB: &str = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n";

//! Runs the tests: with cargo-nextest where it is installed, which gives each test its own process and its own limit,
//! and with `cargo test` where it is not.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{MINUTE, cargo, cargo_has, run};

/// The package of the black-box tests; they need the built binary and come last.
const E2E: &str = "proxy-now-e2e";
/// Builds are part of it, from an empty target folder on two cores.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The tests that need the feature `dns-providers`, and what they are built with. The whole workspace is named, so that
/// its crates' dependencies have the features that they have elsewhere, and are not built again; only what the one
/// target needs is built.
pub(crate) const DNS_PROVIDERS: &[&str] =
    &["--workspace", "--features", "proxy-now/dns-providers", "--test", "dns_providers"];

pub(crate) fn all(with_e2e: bool, filter: &[String]) -> Result<()> {
    rooms(filter)?;
    if filter.is_empty() {
        documentation()?;
    }
    if with_e2e { end_to_end(filter) } else { Ok(()) }
}

/// Unit, property and integration tests of every crate; not the benchmarks, which clippy has built.
pub(crate) fn rooms(filter: &[String]) -> Result<()> {
    let targets = ["--lib", "--bins", "--tests", "--examples"];
    run(runner(filter).args(["--workspace", "--exclude", E2E]).args(targets), LIMIT)
}

pub(crate) fn dns_providers() -> Result<()> {
    run(runner(&[]).args(DNS_PROVIDERS), LIMIT)
}

/// The examples in documentation comments; nextest does not run them.
pub(crate) fn documentation() -> Result<()> {
    run(&mut cargo(&["test", "--doc", "--workspace", "--exclude", E2E]), LIMIT)
}

/// The tests that start the real binary.
pub(crate) fn end_to_end(filter: &[String]) -> Result<()> {
    build_binary()?;
    run(runner(filter).args(["--package", E2E]), LIMIT)
}

/// The binary, as the tests and the soak find it in the target folder.
pub(crate) fn build_binary() -> Result<()> {
    run(&mut cargo(&["build", "--package", "proxy-now"]), 20 * MINUTE)
}

fn runner(filter: &[String]) -> Command {
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    if cargo_has("nextest") {
        // A filter that fits nothing in one half of the tests may fit in the other.
        let mut command = cargo(&["nextest", "run", "--no-tests=pass"]);
        command.args(filter);
        return command;
    }
    let mut command = cargo(&["test", "--no-fail-fast"]);
    command.args(filter.first());
    command
}

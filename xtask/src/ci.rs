//! All that must pass before a change lands, in one command. Every step runs, also after one that failed, so that one
//! run tells everything; nothing that a step started outlives it.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{MINUTE, adopt_orphans, cargo, end_leftovers, run as run_command};
use crate::{arrows, bench, dependencies, setup, soak, suite, tidy};

/// Enough to meet every kind of change a few times; `cargo xtask soak` does 200.
const SOAK_RELOADS: u32 = 20;

type Step = (&'static str, fn() -> Result<()>);

/// The quick ones first.
const STEPS: &[Step] = &[
    ("format", || run_command(&mut cargo(&["fmt", "--all", "--check"]), MINUTE)),
    ("tidy", tidy::run),
    ("arrows", arrows::run),
    ("dependencies", dependencies::run),
    ("clippy", clippy),
    // They compare docs/reference with the code, too.
    ("tests", || suite::rooms(&[])),
    ("DNS providers", dns_providers),
    ("documentation tests", suite::documentation),
    ("end-to-end tests", || suite::end_to_end(&[])),
    ("instructions", bench::gate),
    ("soak", || soak::run(SOAK_RELOADS, 0)),
];

pub(crate) fn run(with_setup: bool) -> Result<()> {
    let began = Instant::now();
    adopt_orphans()?;
    if with_setup {
        setup::tests()?;
    }
    let failed: Vec<&str> = STEPS.iter().filter(|step| !passes(step)).map(|(name, _)| *name).collect();
    let passed = STEPS.len() - failed.len();
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    if failed.is_empty() {
        println!("\nci: all {passed} steps passed in {minutes:.1} minutes");
        return Ok(());
    }
    bail!(
        "ci: {passed} of {} steps passed in {minutes:.1} minutes; failed: {}",
        STEPS.len(),
        failed.join(", ")
    );
}

fn passes((name, step): &Step) -> bool {
    println!("\n=== {name} ===");
    let began = Instant::now();
    let mut result = step();
    let left = end_leftovers();
    if result.is_ok() && !left.is_empty() {
        result = Err(anyhow::anyhow!("left running, and ended now: {}", left.join(", ")));
    }
    let seconds = began.elapsed().as_secs_f64();
    match &result {
        Ok(()) => println!("--- {name}: passed in {seconds:.0} s"),
        Err(error) => println!("--- {name}: FAILED after {seconds:.0} s: {error:#}"),
    }
    result.is_ok()
}

/// What the feature `dns-providers` adds, which no other step builds.
fn dns_providers() -> Result<()> {
    let arguments = [&["clippy", "--quiet"], suite::DNS_PROVIDERS, &["--", "-D", "warnings"]].concat();
    run_command(&mut cargo(&arguments), 15 * MINUTE)?;
    suite::dns_providers()
}

fn clippy() -> Result<()> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run_command(&mut cargo(&arguments), 25 * MINUTE)
}

//! Runs the fuzz targets for a while each. They need a nightly compiler and cargo-fuzz, which CI need not have: cargo-fuzz
//! is installed here and not by `setup`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{MINUTE, capture, cargo, root, run as run_command};

pub(crate) fn run(seconds: u32, targets: &[String]) -> Result<()> {
    capture(nightly().arg("--version"))
        .context("fuzz needs a nightly compiler: rustup toolchain install nightly --profile minimal")?;
    if capture(fuzz().arg("--version")).is_err() {
        println!("fuzz: installing cargo-fuzz");
        run_command(&mut cargo(&["install", "--locked", "cargo-fuzz"]), 30 * MINUTE)?;
    }
    let targets = if targets.is_empty() { all()? } else { targets.to_vec() };
    for target in &targets {
        println!("fuzz: {target} for {seconds} s");
        let limit = 15 * MINUTE + Duration::from_secs(seconds.into());
        run_command(fuzz().args(["run", target, "--", &format!("-max_total_time={seconds}")]), limit)
            .with_context(|| format!("fuzz target {target}; the input is in fuzz/artifacts/{target}"))?;
    }
    println!("fuzz: {} targets found nothing", targets.len());
    Ok(())
}

fn all() -> Result<Vec<String>> {
    Ok(capture(fuzz().arg("list"))?.lines().map(str::to_owned).collect())
}

fn fuzz() -> Command {
    let mut command = nightly();
    command.arg("fuzz");
    command
}

/// Not by the cargo that runs us: that one is of the pinned toolchain.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").current_dir(root()).arg("+nightly");
    command
}

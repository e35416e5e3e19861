//! Starts the soak, a program of the end-to-end package: reloads under load.

use anyhow::Result;

use crate::process::{MINUTE, cargo, run as run_command};
use crate::suite::build_binary;

pub(crate) fn run(reloads: u32, pause: u32) -> Result<()> {
    build_binary()?;
    let (reloads, pause) = (reloads.to_string(), pause.to_string());
    let soak = ["run", "--quiet", "--package", "proxy-now-e2e", "--bin", "soak", "--"];
    let arguments = [&soak[..], &["--reloads", &reloads, "--pause", &pause]].concat();
    run_command(&mut cargo(&arguments), 30 * MINUTE)
}

//! Starts the soak, a program of the end-to-end package: reloads under load.

use anyhow::Result;

use crate::process::{MINUTE, cargo, run as run_command};
use crate::suite::build_binary;

pub(crate) fn run(reloads: u32) -> Result<()> {
    build_binary()?;
    let reloads = reloads.to_string();
    let arguments =
        ["run", "--quiet", "--package", "proxy-now-e2e", "--bin", "soak", "--", "--reloads", &reloads];
    run_command(&mut cargo(&arguments), 30 * MINUTE)
}

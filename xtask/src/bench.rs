//! Measurements: micro-benchmarks, the comparison with other proxies, and the count of instructions that CI runs too.

mod compare;
mod gate;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Subcommand;

use crate::process::{MINUTE, capture, cargo, root, run as run_command};

pub(crate) use gate::check as gate;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// CPU time per request beside nginx, HAProxy, Traefik, Caddy and Envoy; see benches/compare/README.md
    #[command(disable_help_flag = true)]
    Compare {
        /// Passed on: --quick, --only, --peers, --rounds, --docs, ...; --help tells all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Count the instructions of a request and compare them with benches/gate.toml; needs no quiet machine
    Gate(gate::Gate),
}

pub(crate) fn run(bench: Option<Bench>) -> Result<()> {
    match bench {
        None => run_command(&mut cargo(&["bench", "--package", "proxy-now-benches"]), 120 * MINUTE),
        Some(Bench::Compare { options }) => compare::run(&options),
        Some(Bench::Gate(options)) => gate::run(&options),
    }
}

fn target_folder() -> Result<PathBuf> {
    let text = capture(&mut cargo(&["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    Ok(metadata["target_directory"].as_str().unwrap_or("target").into())
}

/// The commit that is checked out, short, with a mark when the files differ from it.
fn commit() -> Result<String> {
    let mut git = Command::new("git");
    let name = ["describe", "--always", "--exclude=*", "--abbrev=9", "--dirty=-changed"];
    Ok(capture(git.current_dir(root()).args(name))?.trim().to_owned())
}

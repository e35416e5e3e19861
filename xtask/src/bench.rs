//! Measurements that are made by hand and never in CI, as they need a quiet machine.

use std::process::Command;

use anyhow::Result;
use clap::Subcommand;

use crate::process::{MINUTE, capture, cargo, root, run as run_command};
use crate::setup;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// CPU time per request beside nginx, HAProxy, Traefik, Caddy and Envoy; see benches/compare/README.md
    #[command(disable_help_flag = true)]
    Compare {
        /// Passed on: --quick, --peers, --workloads, --rounds, --json, ...
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

pub(crate) fn run(bench: Option<Bench>) -> Result<()> {
    match bench {
        None => run_command(&mut cargo(&["bench", "--package", "proxy-now-benches"]), 120 * MINUTE),
        Some(Bench::Compare { options }) => compare(&options),
    }
}

fn compare(options: &[String]) -> Result<()> {
    setup::bench()?;
    run_command(&mut cargo(&["build", "--release", "--package", "proxy-now"]), 40 * MINUTE)?;
    let binary = target_folder()?.join("release/proxy-now");
    let mut command = Command::new(root().join("benches/compare/compare"));
    run_command(command.current_dir(root()).args(options).env("PROXY_NOW_BIN", binary), 120 * MINUTE)
}

fn target_folder() -> Result<std::path::PathBuf> {
    let text = capture(&mut cargo(&["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    Ok(metadata["target_directory"].as_str().unwrap_or("target").into())
}

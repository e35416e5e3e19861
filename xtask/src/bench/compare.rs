//! Runs `benches/compare/compare`: builds what it measures, and tells it what a script cannot know.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{commit, gate, target_folder};
use crate::process::{MINUTE, cargo, root, run as run_command};
use crate::setup;

/// All workloads and peers are about half an hour.
const LIMIT: std::time::Duration = MINUTE.saturating_mul(150);

/// With `PROXY_NOW_BIN` that binary is measured, and nothing is built; `--commit` then says what it was built from.
pub(crate) fn run(options: &[String]) -> Result<()> {
    setup::bench()?;
    let folder = target_folder()?.join("bench");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut compare = Command::new(root().join("benches/compare/compare"));
    compare.current_dir(root());
    let binary = if let Some(binary) = env::var_os("PROXY_NOW_BIN") {
        PathBuf::from(binary)
    } else {
        compare.args(["--commit", &commit()?]);
        build()?
    };
    if is_whole(options) {
        compare.arg("--instructions").arg(gate::counts_in(&binary, &folder)?);
    }
    compare.arg("--json").arg(folder.join("compare.json"));
    // Options that are given again win.
    run_command(compare.args(options).env("PROXY_NOW_BIN", binary), LIMIT)
}

/// Whether the document will be written; only it has use for instructions.
fn is_whole(options: &[String]) -> bool {
    let partial = ["--quick", "--only", "--workloads", "--peers", "--no-docs", "--help", "-h"];
    !options.iter().any(|option| partial.contains(&option.split('=').next().unwrap_or_default()))
        || options.iter().any(|option| option == "--docs")
}

fn build() -> Result<PathBuf> {
    run_command(&mut cargo(&["build", "--release", "--package", "proxy-now"]), 40 * MINUTE)?;
    Ok(target_folder()?.join("release/proxy-now"))
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn instructions_are_counted_for_the_document_only() {
        let rows: [(&[&str], bool); 6] = [
            (&[], true),
            (&["--rounds", "3"], true),
            (&["--quick"], false),
            (&["--only=h1"], false),
            (&["--only", "h1", "--docs"], true),
            (&["--no-docs"], false),
        ];
        for (options, expected) in rows {
            let given: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            assert_eq!(is_whole(&given), expected, "{options:?}");
        }
    }
}

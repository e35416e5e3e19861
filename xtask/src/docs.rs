//! The generated part of the documentation, docs/reference. The crates that own the facts write it: a crate's test
//! `tests/reference.rs` compares what is committed with what the code says, and writes it when asked to.

use std::fs;

use anyhow::{Context, Result};

use crate::process::{MINUTE, cargo, root, run as run_command};

/// What such a test takes as the order to write.
const UPDATE: &str = "UPDATE_REFERENCE";

pub(crate) fn run(check: bool) -> Result<()> {
    for package in owners()? {
        let mut test = cargo(&["test", "--quiet", "--package", &package, "--test", "reference"]);
        if check {
            test.env_remove(UPDATE);
        } else {
            test.env(UPDATE, "1");
        }
        run_command(&mut test, 15 * MINUTE).with_context(|| format!("the reference of {package}"))?;
    }
    Ok(())
}

/// The crates that have something to write.
fn owners() -> Result<Vec<String>> {
    let mut owners = Vec::new();
    for entry in fs::read_dir(root().join("crates"))? {
        let entry = entry?;
        if entry.path().join("tests/reference.rs").exists() {
            owners.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    owners.sort();
    Ok(owners)
}

//! The generated part of the documentation, docs/reference: written by the crates that own the facts, committed, and
//! compared in CI, so that it cannot drift.

use anyhow::Result;

pub(crate) fn run(_check: bool) -> Result<()> {
    Ok(())
}

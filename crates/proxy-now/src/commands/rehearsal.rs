//! `check --acme`: what comes of each ACME issuer when it is tried, for people and for programs. How it is tried is
//! `pn-acme`'s.

use crate::cli::AcmeCheck;
use anyhow::{Context, Result};
use pn_acme::driver::{Rehearsal, Trial, TrialOutcome, rehearse};
use pn_model::Model;
use serde_json::{Value, json};
use std::fmt::Write;
use tokio::sync::watch;

/// `None`: it was not asked for, or the configuration is not sound.
pub(super) type Tried = Option<Vec<Rehearsal>>;

/// Ctrl-C breaks it off, and what was begun is taken back first.
pub(super) fn at_cas(model: Option<&Model>, asked: Option<AcmeCheck>) -> Result<Tried> {
    let (Some(model), Some(asked)) = (model, asked) else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(Some(runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let ends = tokio::spawn(async move {
            // Without signals it ends by itself, within its bounds.
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.send_replace(true);
            }
            std::future::pending::<()>().await;
        });
        let tried = rehearse(model, asked == AcmeCheck::Live, stopped).await;
        ends.abort();
        tried
    })))
}

/// What was not tried fails where warnings do.
pub(super) fn failures(tried: &Tried, strict: bool) -> usize {
    let fails = |trial: &&Trial| match trial.outcome {
        TrialOutcome::Passed => false,
        TrialOutcome::Failed => true,
        TrialOutcome::Skipped => strict,
    };
    tried.iter().flatten().flat_map(|one| &one.trials).filter(fails).count()
}

/// The findings, and what was tried beside them.
pub(super) fn with_json(findings: &str, tried: &Tried) -> Result<String> {
    let Some(tried) = tried else { return Ok(findings.to_owned()) };
    let mut document: Value = serde_json::from_str(findings).context("findings are JSON")?;
    document["acme"] = tried.iter().map(shown).collect();
    Ok(format!("{document:#}\n"))
}

fn shown(one: &Rehearsal) -> Value {
    let trial = |trial: &Trial| {
        json!({
            "what": trial.what, "names": trial.names, "outcome": trial.outcome.name(), "message": trial.message,
        })
    };
    json!({
        "issuer": one.issuer.as_str(), "directory": one.directory, "staging": one.staging,
        "trials": one.trials.iter().map(trial).collect::<Vec<_>>(),
    })
}

pub(super) fn text(tried: &Tried) -> String {
    let Some(tried) = tried else { return String::new() };
    if tried.is_empty() {
        return "no issuer speaks ACME\n".to_owned();
    }
    let mut text = String::new();
    for one in tried {
        let staging = if one.staging { ", staging" } else { "" };
        // Writing to a String cannot fail.
        writeln!(text, "{} ({}{staging})", one.issuer, one.directory).unwrap_or_default();
        for trial in &one.trials {
            let about = if trial.names.is_empty() { trial.what.to_owned() } else { names(&trial.names) };
            writeln!(text, "  {:<8}{about}: {}", trial.outcome.name(), trial.message).unwrap_or_default();
        }
    }
    text + "\n"
}

/// More do not fit a line that is read.
const NAMES: usize = 5;

fn names(all: &[String]) -> String {
    let shown = all.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(NAMES).filter(|more| *more > 0) {
        Some(more) => format!("{shown} and {more} more"),
        None => shown,
    }
}

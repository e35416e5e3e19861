//! What runs, since when, and how the last attempts to change it went.

use super::Views;
use pn_control::{Entry, Finding, Outcome, Reload, Severity, Status};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Debug, Serialize)]
pub(super) struct StatusView {
    version: String,
    generation: u64,
    started: String,
    uptime_seconds: u64,
    draining: bool,
    workers: usize,
    certificate_store: String,
    last_reload: Option<ReloadView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rolled_back_to: Option<u64>,
    pending_restart: Vec<String>,
    warnings: Vec<FindingView>,
}

#[derive(Debug, Serialize)]
struct ReloadView {
    success: bool,
    time: String,
    trigger: String,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    diagnostics: Vec<FindingView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FindingView {
    severity: &'static str,
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "String::is_empty")]
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// With the source line, as `check` shows it.
    rendered: String,
}

#[derive(Debug, Serialize)]
pub(super) struct EntryView {
    generation: u64,
    time: String,
    trigger: String,
    summary: String,
    /// Of which generation this is the configuration: an older one's after a rollback.
    configuration: u64,
    running: bool,
}

/// The answer to `reload` and `rollback`.
#[derive(Debug, Serialize)]
pub(crate) struct OutcomeView {
    /// `committed`, `unchanged` or `refused`.
    pub(crate) result: &'static str,
    /// That runs now.
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    diagnostics: Vec<FindingView>,
}

pub(super) fn status(views: &Views, status: &Status) -> StatusView {
    let started = views.lifecycle.started;
    StatusView {
        version: views.process.version().to_owned(),
        generation: status.generation,
        started: time(started),
        uptime_seconds: started.elapsed().unwrap_or_default().as_secs(),
        draining: views.lifecycle.is_draining(),
        workers: views.process.workers(),
        certificate_store: views.process.certificate_store().display().to_string(),
        last_reload: status.last_reload.as_ref().map(reload),
        rolled_back_to: status.rolled_back_to,
        pending_restart: status.pending_restart.clone(),
        warnings: status.warnings.iter().map(finding).collect(),
    }
}

/// The effective configuration: every value that holds, defaults and inherited ones among them, secrets as `***`.
pub(super) fn config(status: &Status) -> serde_json::Value {
    let running = status.history.last();
    running.and_then(|entry| entry.candidate.texts.effective()).unwrap_or_default()
}

/// Newest first.
pub(super) fn history(status: &Status) -> Vec<EntryView> {
    let entry = |entry: &Arc<Entry>| EntryView {
        generation: entry.generation,
        time: time(entry.time),
        trigger: entry.trigger.to_string(),
        summary: entry.summary.clone(),
        configuration: entry.configuration,
        running: entry.generation == status.generation,
    };
    status.history.iter().rev().map(entry).collect()
}

fn reload(reload: &Reload) -> ReloadView {
    ReloadView {
        success: reload.success,
        time: time(reload.time),
        trigger: reload.trigger.to_string(),
        summary: reload.summary.clone(),
        error: reload.findings.first().map(ToString::to_string),
        diagnostics: reload.findings.iter().map(finding).collect(),
    }
}

fn finding(finding: &Finding) -> FindingView {
    let place = finding.place.as_ref();
    FindingView {
        severity: if finding.severity == Severity::Error { "error" } else { "warning" },
        code: finding.code.clone(),
        message: finding.message.clone(),
        file: place.map(|place| place.file.clone()),
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        node: finding.node.clone(),
        help: finding.help.clone(),
        rendered: finding.rendered.clone(),
    }
}

impl From<&Outcome> for OutcomeView {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Committed { generation, summary } => Self {
                result: "committed",
                generation: *generation,
                summary: Some(summary.clone()),
                diagnostics: Vec::new(),
            },
            Outcome::Unchanged { generation } => {
                Self { result: "unchanged", generation: *generation, summary: None, diagnostics: Vec::new() }
            }
            Outcome::Refused(refusal) => Self {
                result: "refused",
                generation: refusal.generation,
                summary: None,
                diagnostics: refusal.findings.iter().map(finding).collect(),
            },
        }
    }
}

/// RFC 3339, in UTC, to the millisecond.
pub(crate) fn time(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let whole = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_default()
}

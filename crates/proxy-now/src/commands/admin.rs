//! `status`, `reload`, `rollback`: asked of the running process by its admin address.

use crate::cli::{ADMIN, Format, Reload, Rollback, Status};
use crate::client::{self, Answer, NoAnswer};
use crate::output;
use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::Value;
use std::fmt::Write;
use std::process::ExitCode;

pub(super) fn status(options: &Status) -> Result<ExitCode> {
    let Some(answer) = ask(&Method::GET, &options.admin.address, "/api/status")? else {
        return Ok(output::UNREACHABLE.into());
    };
    if answer.status != StatusCode::OK {
        return Ok(refused(&answer));
    }
    match options.format {
        Format::Json => output::print(&answer.body),
        Format::Human => {
            let shown: Value = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
            output::print(&text(&shown));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn reload(options: &Reload) -> Result<ExitCode> {
    change(&options.admin.address, "/api/reload")
}

pub(super) fn roll_back(options: &Rollback) -> Result<ExitCode> {
    let query = options.generation.map(|generation| format!("?generation={generation}")).unwrap_or_default();
    change(&options.admin.address, &format!("/api/rollback{query}"))
}

fn change(address: &str, path: &str) -> Result<ExitCode> {
    let Some(answer) = ask(&Method::POST, address, path)? else { return Ok(output::UNREACHABLE.into()) };
    let Ok(outcome) = serde_json::from_str::<Value>(&answer.body) else { return Ok(refused(&answer)) };
    let generation = &outcome["generation"];
    match outcome["result"].as_str() {
        Some("committed") => {
            let summary = outcome["summary"].as_str().unwrap_or_default();
            output::print(&format!("generation {generation} runs: {summary}\n"));
            Ok(ExitCode::SUCCESS)
        }
        Some("unchanged") => {
            output::print(&format!("unchanged: generation {generation} runs\n"));
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            output::note(&diagnostics(&outcome["diagnostics"]));
            output::error(&format!("refused: generation {generation} stays"));
            Ok(output::FAILED.into())
        }
    }
}

/// `None`: nobody answers, which has been said.
pub(super) fn ask(method: &Method, address: &str, path: &str) -> Result<Option<Answer>> {
    let answer = client::ask(method, address, path)?;
    if let Err(error) = &answer {
        let (told, remedy) = unanswered(error, address);
        output::error(&told);
        output::note(&format!("{remedy}\n"));
    }
    Ok(answer.ok())
}

fn unanswered(error: &NoAnswer, address: &str) -> (String, &'static str) {
    match error {
        NoAnswer::Unreached(why) => {
            let remedy = match address {
                ADMIN => "Is it running? Where `admin.address` is set, name it: --address IP:PORT",
                _ => "Is it running, and is that its `admin.address`?",
            };
            (format!("no proxy-now answers at {address}: {why}"), remedy)
        }
        NoAnswer::Silent(waited) => (
            format!("{address} takes connections, and has not answered within {} s", waited.as_secs()),
            "What was asked for may still be done. The log of the process tells what it is at",
        ),
        NoAnswer::Broken(why) => (
            format!("{address} takes connections, and does not answer as proxy-now does: {why}"),
            "Is that the `admin.address`, and not a listener or another program? Or did the process just end?",
        ),
    }
}

pub(super) fn refused(answer: &Answer) -> ExitCode {
    output::error(&format!("{}: {}", answer.status, answer.body.trim_end()));
    output::FAILED.into()
}

fn text(shown: &Value) -> String {
    let word = |key: &str| shown[key].as_str().unwrap_or_default();
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        writeln!(text, "{key:<12} {value}").unwrap_or_default();
    };
    line("version", word("version"));
    line("running", &format!("generation {}, {} workers", shown["generation"], shown["workers"]));
    line("since", &format!("{} ({} s)", word("started"), shown["uptime_seconds"]));
    if shown["draining"] == true {
        line("draining", "yes: it ends when its connections do");
    }
    let last = &shown["last_reload"];
    let told = |key: &str| last[key].as_str().unwrap_or_default();
    line("last reload", &format!("{} by {}: {}", told("time"), told("trigger"), told("summary")));
    if let Some(generation) = shown["rolled_back_to"].as_u64() {
        line("rolled back", &format!("to generation {generation}, until the files change or are reloaded"));
    }
    for pending in shown["pending_restart"].as_array().into_iter().flatten() {
        line("restart for", pending.as_str().unwrap_or_default());
    }
    if !word_list_is_empty(&last["diagnostics"]) {
        text += &format!("\nThe files are refused:\n\n{}", diagnostics(&last["diagnostics"]));
    }
    if !word_list_is_empty(&shown["warnings"]) {
        text += &format!("\nWarnings:\n\n{}", diagnostics(&shown["warnings"]));
    }
    text
}

fn word_list_is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

fn diagnostics(list: &Value) -> String {
    let rendered = |one: &Value| one["rendered"].as_str().map(|text| format!("{text}\n\n"));
    list.as_array().into_iter().flatten().filter_map(rendered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_silence_has_its_remedy() {
        let refused = NoAnswer::Unreached("connection refused".to_owned());
        let silent = NoAnswer::Silent(Duration::from_secs(60));
        for (error, address, told, remedy, not) in [
            (&refused, ADMIN, "no proxy-now answers at", "--address", "log"),
            (&refused, "127.0.0.1:1", "no proxy-now answers at 127.0.0.1:1", "running", "--address"),
            (&silent, ADMIN, "not answered within 60 s", "may still be done", "running?"),
        ] {
            let shown = unanswered(error, address);
            assert!(shown.0.contains(told) && shown.1.contains(remedy), "{shown:?}");
            assert!(!shown.1.contains(not), "{shown:?}");
        }
    }
}

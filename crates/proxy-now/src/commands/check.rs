//! `check`: reading, compiling and the TLS material, as `run` would do them, with every finding in one run.

use super::rehearsal;
use crate::cli::{Check, Format};
use crate::{inputs, output, serve};
use anyhow::Result;
use pn_acme::driver::Wanted;
use pn_config::{Diagnostic, Disk, Label, LoadOptions, Loaded, Severity, Span};
use pn_core::StateRegistry;
use pn_model::service::Builtin;
use pn_model::{Model, NodePath};
use pn_tls::{CertificateStore, TlsTable};
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn check(options: &Check) -> Result<ExitCode> {
    let inputs = inputs::of(options.config.as_deref())?;
    let load = LoadOptions { offline: options.offline, strict: options.strict, env: &inputs::env, fs: &Disk };
    let mut loaded = pn_config::load(&inputs.inputs, &load);
    let model = loaded.partial.take();
    if let Some(model) = &model {
        later_stages(&mut loaded, model, options.offline);
    }
    // What is wrong already would only be found again, and later.
    let sound = model.filter(|_| !loaded.has_errors());
    let tried = rehearsal::at_cas(sound.as_ref(), options.acme)?;
    match options.format {
        Format::Json => output::print(&rehearsal::with_json(&loaded.json(), &tried)?),
        Format::Human => {
            output::note(&loaded.text(output::coloured()));
            output::print(&rehearsal::text(&tried));
            output::print(&verdict(&loaded, &inputs.named, rehearsal::failures(&tried, options.strict)));
        }
    }
    let stands = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error || options.strict;
    let passes = !loaded.diagnostics.iter().any(stands) && rehearsal::failures(&tried, options.strict) == 0;
    Ok(if passes { ExitCode::SUCCESS } else { output::FAILED.into() })
}

/// What only shows when the graph, its TLS and its issuers are built.
fn later_stages(loaded: &mut Loaded, model: &Model, offline: bool) {
    // The two that show a process are there when there is one.
    let none = || Arc::new(pn_proxy::Ping::default());
    let factories = serve::factories(Arc::default())
        .with_builtin(Builtin::Api, none())
        .with_builtin(Builtin::Metrics, none());
    match pn_core::compile(model, &factories, &StateRegistry::default()) {
        Ok(compiled) => {
            for warning in compiled.warnings {
                report(loaded, Severity::Warning, "route", warning.message, warning.help, &warning.at);
            }
        }
        Err(errors) => {
            for error in errors {
                report(loaded, Severity::Error, "graph", error.message, error.help, &error.at);
            }
        }
    }
    if offline {
        return;
    }
    for fault in Wanted::faults(model) {
        report(loaded, Severity::Error, "acme", fault.message, None, &fault.at);
    }
    match TlsTable::build_model(model, &Arc::new(CertificateStore::new())) {
        Ok(table) => {
            for warning in table.warnings() {
                report(loaded, Severity::Warning, "tls", warning.message.clone(), None, &warning.at);
            }
        }
        Err(errors) => {
            for error in errors {
                let help = Some(error.help());
                report(loaded, Severity::Error, "tls", error.kind.to_string(), help, &error.at);
            }
        }
    }
}

/// Leaves out what an earlier stage has found at the same place already.
fn report(
    loaded: &mut Loaded,
    severity: Severity,
    code: &'static str,
    message: String,
    help: Option<String>,
    at: &NodePath,
) {
    let span = loaded.span(at).filter(|span| loaded.sources.place(*span).is_some());
    // What is wrong with a certificate is found when its files are read, at one of them.
    let files = ["cert", "key"].map(|key| loaded.span(&at.child(key)).filter(|_| code == "tls"));
    let known = |diagnostic: &Diagnostic| {
        let place = diagnostic.labels.first().map(|label| label.span);
        let same = place == span || files.contains(&place) || code == "tls" && is_within(loaded, place, span);
        diagnostic.severity <= severity && place.is_some() && same
    };
    if loaded.diagnostics.iter().any(known) {
        return;
    }
    // Later stages know values, and not which of them are secret.
    let message = loaded.cover(&if span.is_some() { message } else { format!("{at}: {message}") });
    let help = help.map(|help| loaded.cover(&help));
    let labels = span.map(|span| Label { span, text: String::new() }).into_iter().collect();
    loaded.diagnostics.push(Diagnostic { severity, code, message, labels, help });
    loaded.diagnostics.sort_by_key(|diagnostic| diagnostic.severity);
}

fn is_within(loaded: &Loaded, inner: Option<Span>, outer: Option<Span>) -> bool {
    let place = |span: Option<Span>| loaded.sources.place(span?);
    let (Some(inner), Some(outer)) = (place(inner), place(outer)) else { return false };
    inner.file == outer.file
        && (outer.line, outer.column) <= (inner.line, inner.column)
        && (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
}

/// `proxy-now.toml: 2 errors, 1 warning, 1 failure at the CAs`
fn verdict(loaded: &Loaded, named: &str, failures: usize) -> String {
    let count = |severity| loaded.diagnostics.iter().filter(|found| found.severity == severity).count();
    let counted = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        more => Some(format!("{more} {word}s")),
    };
    let at_cas = counted(failures, "failure").map(|counted| format!("{counted} at the CAs"));
    let found =
        [counted(count(Severity::Error), "error"), counted(count(Severity::Warning), "warning"), at_cas];
    let found: Vec<String> = found.into_iter().flatten().collect();
    if found.is_empty() {
        format!("{named}: no errors\n")
    } else {
        format!("{named}: {}\n", found.join(", "))
    }
}

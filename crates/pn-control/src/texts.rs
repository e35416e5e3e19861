//! From a value of the model to its place in the texts: how findings of all stages look.

use crate::candidate::{Finding, Locate, Place, Severity, code};
use crate::kept::Recorder;
use crate::provider::{Environment, FileProvider};
use pn_config::{Diagnostic, Label, Loaded};
use pn_model::NodePath;
use serde_json::Value;
use std::sync::Arc;

/// The findings of a load, errors first.
pub(crate) fn findings(loaded: &Loaded) -> Vec<Finding> {
    loaded.diagnostics.iter().map(|diagnostic| finding(loaded, diagnostic, String::new())).collect()
}

fn finding(loaded: &Loaded, diagnostic: &Diagnostic, node: String) -> Finding {
    let place = diagnostic.labels.first().and_then(|label| loaded.sources.place(label.span));
    Finding {
        severity: match diagnostic.severity {
            pn_config::Severity::Error => Severity::Error,
            pn_config::Severity::Warning => Severity::Warning,
        },
        code: diagnostic.code.to_owned(),
        message: diagnostic.message.clone(),
        place: place.map(|place| Place { file: place.file, line: place.line, column: place.column }),
        node,
        help: diagnostic.help.clone(),
        rendered: pn_config::render::text(std::slice::from_ref(diagnostic), &loaded.sources, false)
            .trim_end()
            .to_owned(),
    }
}

/// The texts of one load, with all that was made of them.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) loaded: Loaded,
    pub(crate) kept: KeptTexts,
}

/// The texts alone. What an answer takes is made of them each time.
#[derive(Debug, Clone)]
pub(crate) struct KeptTexts {
    pub(crate) value: Arc<Value>,
    pub(crate) env: Environment,
}

impl Locate for Texts {
    fn finding(&self, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding {
        located(&self.loaded, severity, at, message, help)
    }

    fn effective(&self) -> Option<Value> {
        Some(self.loaded.effective())
    }

    fn lighten(&self) -> Option<Arc<dyn Locate>> {
        Some(Arc::new(self.kept.clone()))
    }

    fn keep(&self) -> Option<Value> {
        self.kept.keep()
    }
}

impl Locate for KeptTexts {
    fn finding(&self, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding {
        match self.read() {
            Some(loaded) => located(&loaded, severity, at, message, help),
            None => Finding::unplaced(severity, at, message, help),
        }
    }

    fn effective(&self) -> Option<Value> {
        self.read().map(|loaded| loaded.effective())
    }

    fn keep(&self) -> Option<Value> {
        Some(Value::clone(&self.value))
    }
}

impl KeptTexts {
    fn read(&self) -> Option<Loaded> {
        let provider = FileProvider::kept(&self.value, self.env)?;
        Some(provider.read_through(&Recorder::new(&provider.kept)))
    }
}

fn located(loaded: &Loaded, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding {
    let span = loaded.span(at).filter(|span| loaded.sources.place(*span).is_some());
    let node = at.to_string();
    let diagnostic = Diagnostic {
        severity: match severity {
            Severity::Error => pn_config::Severity::Error,
            Severity::Warning => pn_config::Severity::Warning,
        },
        code: code(severity),
        // Where nobody wrote the value, its path has to say what is meant.
        // What refuses a value here was not told that it is secret.
        message: loaded.cover(&if span.is_none() && !node.is_empty() {
            format!("{node}: {message}")
        } else {
            message.to_owned()
        }),
        labels: span.map(|span| Label { span, text: String::new() }).into_iter().collect(),
        help: help.map(|help| loaded.cover(help)),
    };
    finding(loaded, &diagnostic, node)
}

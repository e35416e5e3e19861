//! What a provider hands to the control plane: a model with the texts it came from, or why there is none.

use pn_model::{Model, NodePath, Runtime};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where configurations come from.
pub trait Provider: Send {
    /// Reads the configuration as it is now. Every error at once.
    fn load(&self) -> Loading;
}

/// One attempt of reading.
#[derive(Debug)]
pub struct Loading {
    /// Known even when the attempt failed, so that a file that mends it is seen.
    pub inputs: Inputs,
    /// How the process is to run, as far as that could be read: also of what is refused.
    pub runtime: Runtime,
    pub outcome: Result<Candidate, Vec<Finding>>,
}

/// What the configuration was read from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Files that were read, or should have been: configuration, certificates, users, secrets.
    pub files: Vec<PathBuf>,
    /// Directories whose listing decides on the files.
    pub directories: Vec<PathBuf>,
    /// Whether a change of them is a reason to read again (`providers.file.watch`).
    pub watch: bool,
}

impl Inputs {
    /// These and those. Watched if either is.
    #[must_use]
    pub(crate) fn with(&self, other: &Self) -> Self {
        let joined = |ours: &[PathBuf], theirs: &[PathBuf]| {
            let new = theirs.iter().filter(|path| !ours.contains(path));
            ours.iter().chain(new).cloned().collect()
        };
        Self {
            files: joined(&self.files, &other.files),
            directories: joined(&self.directories, &other.directories),
            watch: self.watch || other.watch,
        }
    }
}

/// A configuration that could become the running one.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub model: Arc<Model>,
    pub warnings: Vec<Finding>,
    /// Stands for the content of all inputs: equal models with equal contents are the same configuration.
    pub content: [u8; 32],
    pub texts: Arc<dyn Locate>,
}

/// Leads from a value of the model to the text that it came from.
pub trait Locate: Send + Sync + fmt::Debug {
    /// A finding about the value at `at`, with its place if anybody wrote it.
    fn finding(&self, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding;

    /// Every value that holds, in the shape of the configuration, secrets as `***`. `None`: it cannot be shown.
    fn effective(&self) -> Option<serde_json::Value> {
        None
    }

    /// The same in less memory and with more work for each answer, for a configuration that does not run any more.
    /// `None`: there is nothing to save.
    fn lighten(&self) -> Option<Arc<dyn Locate>> {
        None
    }

    /// What is to be kept on disk so that this configuration can be read again. `None`: nothing.
    fn keep(&self) -> Option<serde_json::Value> {
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong or doubtful, for people and for machines. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Stable, kebab-case.
    pub code: String,
    pub message: String,
    /// `None` for what nobody wrote.
    pub place: Option<Place>,
    /// The value's path, as in `sites."app.corp".to`. Empty when it is not known.
    pub node: String,
    pub help: Option<String>,
    /// With the source line, for a terminal or a log; several lines.
    pub rendered: String,
}

/// Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl Finding {
    /// A finding about a value whose text is not at hand.
    pub fn unplaced(severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Self {
        let word = if severity == Severity::Error { "error" } else { "warning" };
        let node = at.to_string();
        let place = if node.is_empty() { String::new() } else { format!("{node}: ") };
        let remedy = help.map(|help| format!("\n  help: {help}")).unwrap_or_default();
        Self {
            severity,
            code: code(severity).to_owned(),
            message: message.to_owned(),
            place: None,
            rendered: format!("{word}: {place}{message}{remedy}"),
            node,
            help: help.map(str::to_owned),
        }
    }
}

/// Of what later stages than reading find.
pub(crate) fn code(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "refused",
        Severity::Warning => "doubtful",
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}:{}: ", place.file, place.line, place.column)?;
        } else if !self.node.is_empty() {
            write!(f, "{}: ", self.node)?;
        }
        f.write_str(&self.message)
    }
}

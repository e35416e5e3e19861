//! The way in: what to load and from where, and what came of it.

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::fs::FileSystem;
use crate::resolved::Resolved;
use crate::sources::{Place, Sources};
use crate::value::Span;
use crate::{inherit, lower, read, schema};
use pn_model::{Model, NodePath};
use std::path::PathBuf;

pub struct LoadOptions<'a> {
    /// Skip what only the real host has: environment, secrets, files that keys name.
    pub offline: bool,
    /// Accept nothing that has warnings.
    pub strict: bool,
    /// Environment variables by name.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    pub fs: &'a dyn FileSystem,
}

#[derive(Debug, Clone)]
pub enum Input {
    /// A file, or a directory of `*.toml` and `*.json`.
    Path(PathBuf),
    /// Standard input, say. Relative paths in it start at the working directory.
    Text { name: String, text: String, format: Format },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON when it starts with a brace.
    Auto,
    Toml,
    Json,
}

/// What came of a load.
#[derive(Debug)]
pub struct Loaded {
    /// There when nothing stands against running it.
    pub model: Option<Model>,
    /// As far as it can be built despite errors, so that further checks may find more of them. Never run this one.
    pub partial: Option<Model>,
    /// Errors first, then by place.
    pub diagnostics: Vec<Diagnostic>,
    pub sources: Sources,
    /// Every file that was read or should have been.
    pub files: Vec<PathBuf>,
    /// Directories whose listing decides on the files.
    pub directories: Vec<PathBuf>,
    /// Files that `${file:}` read.
    pub secrets: Vec<PathBuf>,
    resolved: Resolved,
}

/// Reads, merges, checks and lowers. Finds every error it can in one run, and never panics on what it reads.
pub fn load(inputs: &[Input], options: &LoadOptions<'_>) -> Loaded {
    let mut sources = Sources::default();
    let mut out = Diagnostics::default();
    let mut tree = read::read(inputs, options, &mut sources, &mut out);
    let mut checked = schema::check::root(&mut tree.root, &sources, &mut out);
    sources.redact(std::mem::take(&mut checked.redact));
    let resolved = inherit::resolve(std::mem::take(&mut tree.root), &checked, &mut out);
    let partial = if tree.incomplete { None } else { lower::model(&resolved, &sources, options, &mut out) };
    let diagnostics = finish(out, &tree, &sources);
    let stands = |d: &Diagnostic| d.severity == Severity::Error || options.strict;
    let model = if diagnostics.iter().any(stands) { None } else { partial.clone() };
    let read::Tree { files, directories, secrets, .. } = tree;
    Loaded { model, partial, diagnostics, sources, files, directories, secrets, resolved }
}

/// Leaves out what a syntax error led to, and sorts.
fn finish(out: Diagnostics, tree: &read::Tree, sources: &Sources) -> Vec<Diagnostic> {
    let follows = |diagnostic: &Diagnostic| {
        let Some(label) = diagnostic.labels.first() else { return false };
        let syntax = matches!(diagnostic.code, "syntax" | "duplicate-key" | "nesting" | "number" | "date");
        let line = |span: Span| sources.get(span.file).map(|source| source.line(span.start));
        !syntax
            && (tree.broken.contains(&label.span.file)
                || tree
                    .recovered
                    .iter()
                    .any(|&span| span.file == label.span.file && line(span) == line(label.span)))
    };
    let mut list: Vec<_> = out.into_vec().into_iter().filter(|diagnostic| !follows(diagnostic)).collect();
    list.sort_by_key(|diagnostic| (diagnostic.severity, diagnostic.labels.first().map(|label| label.span)));
    list.dedup();
    list
}

impl Loaded {
    /// Where the value at a path was written, or the nearest node or table around it.
    pub fn locate(&self, path: &NodePath) -> Option<Place> {
        self.sources.place(self.span(path)?)
    }

    /// The same as a span, for a label.
    pub fn span(&self, path: &NodePath) -> Option<Span> {
        self.resolved.locate(path)
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Adds what a later stage found at a path.
    pub fn report(&mut self, severity: Severity, code: &'static str, message: String, path: &NodePath) {
        let found = Diagnostic { severity, ..Diagnostic::error(code, message) };
        let span = self.span(path).unwrap_or(Span::NONE);
        self.diagnostics.push(found.at(span, ""));
        if severity == Severity::Error {
            self.model = None;
        }
    }
}

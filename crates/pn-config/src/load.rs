//! The way in: what to load and from where, and what came of it.

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::explain::explain;
use crate::fs::FileSystem;
use crate::resolved::{Resolved, Section};
use crate::sources::{Place, Sources};
use crate::value::Span;
use crate::{effective, inherit, lower, read, render, schema};
use pn_model::{Model, NodePath, Runtime, Secret};
use std::path::PathBuf;

/// How to load.
pub struct LoadOptions<'a> {
    /// Skip what only the real host has: environment, secrets, files that keys name.
    pub offline: bool,
    /// Accept nothing that has warnings.
    pub strict: bool,
    /// Environment variables by name.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    pub fs: &'a dyn FileSystem,
}

impl std::fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { offline, strict, .. } = self;
        f.debug_struct("LoadOptions")
            .field("offline", offline)
            .field("strict", strict)
            .finish_non_exhaustive()
    }
}

/// Where configuration comes from.
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
    /// There when nothing stands against running it. Never after an offline load, in which values are made up.
    pub model: Option<Model>,
    /// As far as it can be built despite errors or offline, so that further checks may find more. Never run this one.
    pub partial: Option<Model>,
    /// How the process is to run, as far as that could be read: also of what is refused.
    pub runtime: Runtime,
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
    /// What `${env:}` and `${file:}` stood for, the longest first.
    fetched: Vec<Secret>,
}

/// Shorter words are in every sentence, and guard nothing.
const COVERED: usize = 4;

/// Reads, merges, checks and lowers. Finds every error it can in one run, and never panics on what it reads.
pub fn load(inputs: &[Input], options: &LoadOptions<'_>) -> Loaded {
    let mut front = Front::new(inputs, options);
    let partial = if front.tree.incomplete {
        None
    } else {
        lower::model(&front.resolved, &front.sources, options, &mut front.out)
    };
    if partial.as_ref().is_some_and(|model| model.sites.is_empty()) && !front.out.has_errors() {
        front.out.push(no_site());
    }
    front.finish(partial, options)
}

/// An editor that empties a file before it writes it, a full disk or a lost mount: none of them is to take down what
/// runs.
fn no_site() -> Diagnostic {
    let found = Diagnostic::error("nothing-served", "there is no site, so nothing would be served");
    found.help("write one, such as `[sites.\"app.localhost\"]` with `to = \"http://127.0.0.1:3000\"`")
}

/// Everything before lowering.
pub(crate) struct Front {
    sources: Sources,
    out: Diagnostics,
    tree: read::Tree,
    resolved: Resolved,
}

impl Front {
    pub(crate) fn new(inputs: &[Input], options: &LoadOptions<'_>) -> Self {
        let mut sources = Sources::default();
        let mut out = Diagnostics::default();
        let mut tree = read::read(inputs, options, &mut sources, &mut out);
        let mut checked = schema::check::root(&mut tree.root, &sources, &mut out);
        sources.redact(std::mem::take(&mut checked.redact));
        let resolved = inherit::resolve(std::mem::take(&mut tree.root), &checked, &mut out);
        Self { sources, out, tree, resolved }
    }

    pub(crate) fn finish(self, partial: Option<Model>, options: &LoadOptions<'_>) -> Loaded {
        let Self { sources, out, tree, resolved } = self;
        let runtime = lower::runtime(&resolved, &sources, options);
        let mut diagnostics = sorted(out, &tree, &sources);
        let stands = |d: &Diagnostic| d.severity == Severity::Error || options.strict;
        let runs = !options.offline && !diagnostics.iter().any(stands);
        let model = if runs { partial.clone() } else { None };
        let read::Tree { files, directories, secrets, mut fetched, .. } = tree;
        fetched.retain(|secret| secret.expose().len() >= COVERED);
        fetched.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        diagnostics.iter_mut().for_each(|found| cover_all(&fetched, found));
        Loaded {
            model,
            partial,
            runtime,
            diagnostics,
            sources,
            files,
            directories,
            secrets,
            resolved,
            fetched,
        }
    }
}

fn cover(fetched: &[Secret], text: &str) -> String {
    let hide = |text: String, secret: &Secret| text.replace(secret.expose(), "***");
    fetched.iter().fold(text.to_owned(), hide)
}

/// Whoever reports a value that is secret does not show it; this is for what was made of one, such as a path.
fn cover_all(fetched: &[Secret], found: &mut Diagnostic) {
    found.message = cover(fetched, &found.message);
    found.help = found.help.as_ref().map(|help| cover(fetched, help));
    found.labels.iter_mut().for_each(|label| label.text = cover(fetched, &label.text));
}

/// Leaves out what a syntax error led to, and sorts.
fn sorted(out: Diagnostics, tree: &read::Tree, sources: &Sources) -> Vec<Diagnostic> {
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
    list.sort_by_key(|diagnostic| {
        let last = diagnostic.code == "too-many-findings";
        (last, diagnostic.severity, diagnostic.labels.first().map(|label| label.span))
    });
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

    /// Every effective value of a node as TOML, each with its file, line and column or `default`; secrets as `***`.
    /// The node is named as in a table header. The error is a sentence for people.
    pub fn explain(&self, node: &str) -> Result<String, String> {
        explain(&self.resolved, &self.sources, node)
    }

    /// The findings for people.
    pub fn text(&self, colour: bool) -> String {
        render::text(&self.diagnostics, &self.sources, colour)
    }

    /// The findings for machines.
    pub fn json(&self) -> String {
        render::json(&self.diagnostics, &self.sources)
    }

    /// Every value that holds after defaults and inheritance, in the shape of the configuration. Secrets are `***`.
    pub fn effective(&self) -> serde_json::Value {
        effective::json(&self.resolved)
    }

    /// Whether a change of the files is a reason to read them again (`providers.file.watch`).
    pub fn watches_files(&self) -> bool {
        let providers = self.resolved.single(Section::Providers);
        providers.and_then(|node| node.table.sub("file").bool("watch")).unwrap_or(true)
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// A text of a later stage, which knows values and not where they came from, without what `${env:}` and `${file:}`
    /// stood for.
    pub fn cover(&self, text: &str) -> String {
        cover(&self.fetched, text)
    }

    /// Adds what a later stage found at a path.
    pub fn report(&mut self, severity: Severity, code: &'static str, message: String, path: &NodePath) {
        let found = Diagnostic { severity, ..Diagnostic::error(code, self.cover(&message)) };
        let span = self.span(path).unwrap_or(Span::NONE);
        self.diagnostics.push(found.at(span, ""));
        if severity == Severity::Error {
            self.model = None;
        }
    }
}

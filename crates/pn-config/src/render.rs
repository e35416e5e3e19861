//! How findings look: text with the source line for people, one JSON document for machines. Secrets that stand in
//! the source are covered.

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::sources::Sources;
use crate::value::FileId;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

/// Lines of source between two labels beyond which only the first is shown with its source.
const WINDOW: usize = 4096;

/// For people: a block for each finding, an empty line after each.
pub fn text(diagnostics: &[Diagnostic], sources: &Sources, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let snippets = snippets(diagnostic, sources);
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
        let mut group = Group::with_title(title);
        for snippet in &snippets {
            group = group.element(snippet.build());
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// For machines: `{"diagnostics": [..], "errors": N, "warnings": N}`.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let list: Vec<Value> = diagnostics.iter().map(|diagnostic| object(diagnostic, sources)).collect();
    let document = json!({
        "diagnostics": list,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
    });
    format!("{document:#}\n")
}

fn object(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let mut labels = diagnostic.labels.iter().map(|label| place(label, sources));
    let mut object = match labels.next() {
        Some(Value::Object(first)) => first,
        _ => serde_json::Map::new(),
    };
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    object.insert("severity".to_owned(), json!(severity));
    object.insert("code".to_owned(), json!(diagnostic.code));
    object.insert("message".to_owned(), json!(diagnostic.message));
    object.insert("help".to_owned(), json!(diagnostic.help));
    object.insert("related".to_owned(), labels.collect());
    Value::Object(object)
}

fn place(label: &Label, sources: &Sources) -> Value {
    let Some(place) = sources.place(label.span) else { return json!({}) };
    json!({
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end": { "line": place.end_line, "column": place.end_column },
        "label": label.text,
    })
}

/// A piece of a file, with its labels at offsets within the piece.
struct Excerpt<'a> {
    name: &'a str,
    text: String,
    first_line: usize,
    labels: Vec<(bool, std::ops::Range<usize>, &'a str)>,
}

impl Excerpt<'_> {
    fn build(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let labels = self.labels.iter().map(|(primary, range, text)| {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let label = (!text.is_empty()).then_some(*text);
            kind.span(range.clone()).label(label)
        });
        Snippet::source(self.text.as_str()).line_start(self.first_line).path(self.name).annotations(labels)
    }
}

/// One excerpt for each file that has labels, the primary's first.
fn snippets<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Excerpt<'a>> {
    let mut out: Vec<(FileId, Excerpt<'a>)> = Vec::new();
    for label in &diagnostic.labels {
        let file = label.span.file;
        if out.iter().any(|(own, _)| *own == file) {
            continue;
        }
        let labels: Vec<_> = diagnostic.labels.iter().filter(|other| other.span.file == file).collect();
        let primary = diagnostic.labels.first().map(|first| first.span);
        if let Some(excerpt) = excerpt(sources, file, &labels, primary == Some(label.span)) {
            out.push((file, excerpt));
        }
    }
    out.into_iter().map(|(_, excerpt)| excerpt).collect()
}

fn excerpt<'a>(
    sources: &'a Sources,
    file: FileId,
    labels: &[&'a Label],
    primary: bool,
) -> Option<Excerpt<'a>> {
    let source = sources.get(file)?;
    let place = |label: &Label| sources.place(label.span).map_or(0, |place| place.line);
    let head = place(labels.first()?);
    let near: Vec<_> = labels.iter().filter(|label| place(label).abs_diff(head) < WINDOW).collect();
    let start = near.iter().map(|label| source.line(label.span.start).start).min()?;
    let end = near.iter().map(|label| source.line(label.span.end).end).max()?;
    let first_line = near.iter().map(|label| place(label)).min()?;
    let labels = near.iter().enumerate().map(|(index, label)| {
        let inside = |offset: u32| (offset as usize).clamp(start, end) - start;
        (primary && index == 0, inside(label.span.start)..inside(label.span.end), label.text.as_str())
    });
    let labels = labels.collect();
    Some(Excerpt { name: &source.name, text: covered(sources, file, start, end), first_line, labels })
}

/// The text with every secret in it covered by stars of the same length.
fn covered(sources: &Sources, file: FileId, start: usize, end: usize) -> String {
    let text = sources.get(file).and_then(|source| source.text.get(start..end)).unwrap_or("");
    let spans = sources.redacted(file).map(|span| span.start as usize..span.end as usize);
    let spans: Vec<_> = spans.filter(|span| span.start < end && start < span.end).collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c != '\n' && spans.iter().any(|span| span.contains(&(start + at))) {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

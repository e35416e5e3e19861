//! TOML to the value tree, spans kept, by the recovering parser of the `toml` crate: what can be read of a broken
//! file is read, so that one run finds as much as possible.

use super::Parsed;
use crate::diagnostic::Diagnostic;
use crate::value::{Entry, FileId, Kind, Span, Table, Value};
use pn_model::limits::NESTING;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Syntax errors of one file that are worth reading.
const ERRORS: usize = 20;

pub(super) fn parse(file: FileId, text: &str) -> Parsed {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { file, problems: Vec::new() };
    let root = reader.table(document.into_inner(), 0);
    let mut parsed = Parsed { root, diagnostics: reader.problems, lines: Vec::new(), broken: false };
    for error in errors.iter().take(ERRORS) {
        let range = error.span().unwrap_or(0..0);
        let (diagnostic, recovered) = explain(file, text, error.message(), range.clone(), &parsed.root);
        parsed.diagnostics.push(diagnostic);
        parsed.lines.push(Span::new(file, range));
        parsed.broken |= !recovered;
    }
    parsed
}

struct Reader {
    file: FileId,
    problems: Vec<Diagnostic>,
}

impl Reader {
    /// Keys in the order written: the parser sorts them by name.
    fn table(&mut self, table: DeTable<'_>, depth: usize) -> Table {
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut out = Table::default();
        for (key, value) in entries {
            let key_span = Span::new(self.file, key.span());
            let span = value.span();
            if let Some(value) = self.value(value.into_inner(), span, depth + 1) {
                out.insert(Arc::from(key.into_inner().as_ref()), Entry { key_span, value });
            }
        }
        out
    }

    fn value(&mut self, value: DeValue<'_>, range: Range<usize>, depth: usize) -> Option<Value> {
        let span = Span::new(self.file, range);
        if depth > NESTING {
            let message = format!("nested deeper than {NESTING} tables");
            self.problems.push(Diagnostic::error("nesting", message).at(span, "here"));
            return None;
        }
        let kind = match value {
            DeValue::String(text) => Kind::String(Arc::from(text.as_ref())),
            DeValue::Boolean(flag) => Kind::Bool(flag),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Kind::Integer(number),
                Err(_) => return self.refuse(span, "number", "the number does not fit 64 bits"),
            },
            DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Datetime(_) => {
                return self.refuse(
                    span,
                    "date",
                    "no key takes a date or a time of day; quote it if it is text",
                );
            }
            DeValue::Table(table) => Kind::Table(self.table(table, depth)),
            DeValue::Array(items) => Kind::Array(
                items
                    .into_iter()
                    .filter_map(|item| {
                        let span = item.span();
                        self.value(item.into_inner(), span, depth + 1)
                    })
                    .collect(),
            ),
        };
        Some(Value::new(kind, span))
    }

    fn refuse(&mut self, span: Span, code: &'static str, message: &str) -> Option<Value> {
        self.problems.push(Diagnostic::error(code, message).at(span, "here"));
        None
    }
}

/// The parser's message in plain words, and whether the rest of the file was read as it was meant.
fn explain(file: FileId, text: &str, message: &str, range: Range<usize>, root: &Table) -> (Diagnostic, bool) {
    let span = Span::new(file, range.clone());
    if message.starts_with("duplicate key") {
        return (duplicate(file, text, range, root), true);
    }
    let found = Diagnostic::error("syntax", format!("invalid TOML: {message}")).at(span, "");
    if message.starts_with("missing escaped value") || message.contains("escape") {
        let help = "in \"double quotes\" a backslash starts an escape; write regexes in 'single quotes', which keep it";
        return (found.help(help), true);
    }
    if message.starts_with("string values must be quoted") {
        let help = match text.get(range).filter(|word| !word.is_empty()) {
            Some(word) => format!("write {word:?}"),
            None => "write the value after `=`".to_owned(),
        };
        return (found.help(help), true);
    }
    (found, false)
}

/// Names the first place too, which the parser does not keep.
fn duplicate(file: FileId, text: &str, range: Range<usize>, root: &Table) -> Diagnostic {
    let name = text.get(range.clone()).unwrap_or("");
    let message = format!("`{name}` is defined twice");
    let found = Diagnostic::error("duplicate-key", message).at(Span::new(file, range.clone()), "again here");
    match first_place(file, text, range, root) {
        Some(first) => found.at(first, "first here"),
        None => found,
    }
    .help("keep one of them")
}

fn first_place(file: FileId, text: &str, range: Range<usize>, root: &Table) -> Option<Span> {
    let start = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next()?;
    if line.trim_start().starts_with('[') {
        return earlier_header(file, text.get(..start)?, line);
    }
    let header = text.get(..start)?.lines().rev().find(|line| line.trim_start().starts_with('['));
    let mut table = root;
    for key in header.and_then(header_path).unwrap_or_default() {
        table = table.table(&key)?;
    }
    let before = text.get(start..range.start)?;
    if before.contains('=') {
        // Within an inline table, whose keys the recovered tree does not lead to by header.
        return None;
    }
    let assignment = format!("{} = 0", text.get(start..range.end)?);
    let (document, _) = DeTable::parse_recoverable(&assignment);
    let name = document.get_ref().keys().next()?.get_ref().to_string();
    let first = table.entry(&name)?.key_span;
    (first.start as usize != range.start).then_some(first)
}

fn earlier_header(file: FileId, before: &str, line: &str) -> Option<Span> {
    let path = header_path(line)?;
    let mut offset = 0;
    for earlier in before.split_inclusive('\n') {
        if earlier.trim_start().starts_with('[') && header_path(earlier).as_ref() == Some(&path) {
            return Some(Span::new(file, offset..offset + earlier.trim_end().len()));
        }
        offset += earlier.len();
    }
    None
}

/// The keys of a header line such as `[sites."a".routes]`.
fn header_path(line: &str) -> Option<Vec<String>> {
    let document = DeTable::parse(line).ok()?;
    let mut path = Vec::new();
    let mut table = document.get_ref();
    while let Some((key, value)) = table.iter().next() {
        path.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    Some(path)
}

//! The texts that a configuration was read from, and the way from a span to file, line and column.

use crate::value::{FileId, Span};
use std::path::PathBuf;

#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    /// Where secrets stand that somebody wrote out.
    redacted: Vec<Span>,
}

#[derive(Debug)]
pub(crate) struct Source {
    pub name: String,
    /// What relative paths in it are relative to.
    pub base: PathBuf,
    pub text: String,
    /// Byte offset of the first character of each line.
    lines: Vec<u32>,
}

/// A place for people: lines and columns count from 1, columns in characters. `end` is the character after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Sources {
    pub(crate) fn add(&mut self, name: String, base: PathBuf, text: String) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        let starts = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        let lines =
            std::iter::once(0).chain(starts).map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect();
        self.files.push(Source { name, base, text, lines });
        id
    }

    /// What must not be shown of the texts.
    pub(crate) fn redact(&mut self, spans: Vec<Span>) {
        self.redacted.extend(spans);
    }

    pub(crate) fn redacted(&self, file: FileId) -> impl Iterator<Item = Span> {
        self.redacted.iter().copied().filter(move |span| span.file == file)
    }

    pub(crate) fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(usize::try_from(file.0).ok()?)
    }

    /// What was written at a span.
    pub(crate) fn text(&self, span: Span) -> &str {
        let text =
            self.get(span.file).and_then(|source| source.text.get(span.start as usize..span.end as usize));
        text.unwrap_or("")
    }

    /// `None` for what nobody wrote.
    pub fn place(&self, span: Span) -> Option<Place> {
        let source = self.get(span.file)?;
        let (line, column) = source.position(span.start);
        let (end_line, end_column) = source.position(span.end.max(span.start));
        Some(Place { file: source.name.clone(), line, column, end_line, end_column })
    }
}

impl Source {
    /// Bytes of the line that holds an offset, without its end.
    pub(crate) fn line(&self, offset: u32) -> std::ops::Range<usize> {
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = line.checked_sub(1).and_then(|i| self.lines.get(i)).copied().unwrap_or(0) as usize;
        let end = self.lines.get(line).map_or(self.text.len(), |&next| (next as usize).saturating_sub(1));
        start..end.max(start)
    }

    fn position(&self, offset: u32) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = line.checked_sub(1).and_then(|i| self.lines.get(i)).copied().unwrap_or(0);
        let head = self.text.get(start as usize..offset as usize).unwrap_or("");
        (line.max(1), head.chars().count() + 1)
    }
}

//! Blocks of lines: a header, and keys whose `=` and comments are aligned.

use super::order::Level;
use super::trivia::{Trivia, same_line};
use super::value;
use toml_edit::{Key, Table, Value};

/// A table with a header of its own, or the top of the file.
pub(super) struct Block {
    pub(super) path: Vec<String>,
    pub(super) position: isize,
    /// Whether it is one of an array of tables.
    pub(super) element: bool,
    pub(super) entries: Vec<Entry>,
    before: Trivia,
    /// `a.b`
    name: String,
    comment: Option<String>,
}

/// One key and its value.
pub(super) struct Entry {
    pub(super) rank: Vec<usize>,
    before: Trivia,
    key: String,
    dotted: bool,
    value: String,
    comment: Option<String>,
}

impl Block {
    pub(super) fn new(table: &Table, path: &[String], header: &[Key]) -> Self {
        let decor = table.decor();
        let name: Vec<_> = header.iter().map(value::key).collect();
        Self {
            path: path.to_vec(),
            position: if path.is_empty() { isize::MIN } else { table.position().unwrap_or(isize::MAX) },
            element: false,
            entries: Vec::new(),
            before: Trivia::of(decor.prefix().and_then(|text| text.as_str())),
            name: name.join("."),
            comment: same_line(decor.suffix().and_then(|text| text.as_str()).unwrap_or_default()).0,
        }
    }
}

impl Entry {
    pub(super) fn new(path: &[Key], written: &Value, level: Level, rank: Vec<usize>) -> Self {
        let leaf = path.last().map(Key::leaf_decor);
        let mut before = Trivia::of(leaf.and_then(|decor| decor.prefix()).and_then(|text| text.as_str()));
        let mut hoisted = Vec::new();
        let value = value::render(written, level, 0, &mut hoisted);
        before.lines.extend(hoisted.into_iter().map(Some));
        let suffix = written.decor().suffix().and_then(|text| text.as_str());
        let key: Vec<_> = path.iter().map(value::key).collect();
        Self {
            rank,
            before,
            key: key.join("."),
            dotted: path.len() > 1,
            value,
            comment: same_line(suffix.unwrap_or_default()).0,
        }
    }

    /// Whether it lines up with the entry before it.
    fn follows(&self, other: &Self) -> bool {
        let alone = self.before.apart || self.before.has_comments();
        !alone
            && self.dotted == other.dotted
            && ![self, other].into_iter().any(|entry| entry.value.contains('\n'))
    }
}

pub(super) fn document(blocks: Vec<Block>, trailing: &Trivia) -> String {
    let mut out = String::new();
    for block in blocks {
        if !block.name.is_empty() {
            if !out.is_empty() {
                out.push('\n');
            }
            comments(&mut out, &block.before, "");
            let header =
                if block.element { format!("[[{}]]", block.name) } else { format!("[{}]", block.name) };
            line(&mut out, &header, block.comment.as_deref());
        }
        entries(&mut out, &block.entries);
    }
    if trailing.has_comments() {
        if !out.is_empty() && trailing.apart {
            out.push('\n');
        }
        comments(&mut out, trailing, "");
        // A blank line at the very end is none.
        let end = out.trim_end().len();
        out.truncate(end);
        out.push('\n');
    }
    out
}

fn entries(out: &mut String, entries: &[Entry]) {
    let mut rest = entries;
    let mut first = true;
    while let Some(head) = rest.first() {
        let count = 1 + rest.windows(2).take_while(|pair| matches!(pair, [a, b] if b.follows(a))).count();
        let (group, tail) = rest.split_at(count);
        if head.before.apart && !first {
            out.push('\n');
        }
        comments(out, &head.before, "");
        aligned(out, group);
        (rest, first) = (tail, false);
    }
}

/// Entries with nothing between them.
fn aligned(out: &mut String, group: &[Entry]) {
    let width = |text: &str| text.chars().count();
    let keys = group.iter().map(|entry| width(&entry.key)).max().unwrap_or(0);
    let commented = group.iter().filter(|entry| entry.comment.is_some());
    let values = commented.map(|entry| entry.value.lines().last().map_or(0, width)).max().unwrap_or(0);
    for entry in group {
        let key = format!("{}{}", entry.key, " ".repeat(keys - width(&entry.key)));
        let last = entry.value.lines().last().map_or(0, width);
        let pad = if entry.comment.is_some() { " ".repeat(values - last) } else { String::new() };
        line(out, &format!("{key} = {}{pad}", entry.value), entry.comment.as_deref());
    }
}

fn comments(out: &mut String, trivia: &Trivia, indent: &str) {
    for comment in &trivia.lines {
        if let Some(comment) = comment {
            out.push_str(indent);
            out.push_str(comment);
        }
        out.push('\n');
    }
}

fn line(out: &mut String, text: &str, comment: Option<&str>) {
    out.push_str(text);
    if let Some(comment) = comment {
        out.push(' ');
        out.push_str(comment);
    }
    out.push('\n');
}

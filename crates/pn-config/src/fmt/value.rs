//! Values as TOML 1.0 writes them: inline tables on one line, escapes that it knows.

use super::order::Level;
use super::trivia::{Trivia, same_line};
use toml_edit::{Array, Formatted, InlineTable, Key, Value};

/// A value's text. Comments for which TOML 1.0 has no place go to `hoisted`, to stand above it.
pub(super) fn render(value: &Value, level: Level, indent: usize, hoisted: &mut Vec<String>) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(array) => array_text(array, level, indent, hoisted),
        Value::InlineTable(table) => inline(table, level, indent, hoisted),
        Value::Integer(number) => number.display_repr().into_owned(),
        Value::Float(number) => number.display_repr().into_owned(),
        Value::Boolean(flag) => flag.display_repr().into_owned(),
        Value::Datetime(time) => time.display_repr().into_owned(),
    }
}

/// A key as it must be quoted.
pub(super) fn key(key: &Key) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = key.get();
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    let literal = name.contains(['\\', '"']) && !name.contains('\'') && !name.chars().any(char::is_control);
    if literal { format!("'{name}'") } else { quoted(name) }
}

/// As written, unless it has an escape of TOML 1.1.
fn string(text: &Formatted<String>) -> String {
    let written = text.display_repr();
    if newer_escape(&written) { quoted(text.value()) } else { written.into_owned() }
}

fn newer_escape(written: &str) -> bool {
    let mut chars = written.chars();
    if !written.starts_with('"') {
        return false;
    }
    while let Some(c) = chars.next() {
        if c == '\\' && matches!(chars.next(), Some('e' | 'x')) {
            return true;
        }
    }
    false
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() && u32::from(c) < 0x1_0000 => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn inline(table: &InlineTable, level: Level, indent: usize, hoisted: &mut Vec<String>) -> String {
    let mut pairs = Vec::new();
    inline_pairs(table, "", level, &mut Vec::new(), indent, hoisted, &mut pairs);
    hoisted.extend(Trivia::comments(table.trailing().as_str()));
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let pairs: Vec<_> = pairs.into_iter().map(|(_, text)| text).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

fn inline_pairs(
    table: &InlineTable,
    prefix: &str,
    level: Level,
    rank: &mut Vec<usize>,
    indent: usize,
    hoisted: &mut Vec<String>,
    pairs: &mut Vec<(Vec<usize>, String)>,
) {
    for (name, value) in table {
        let Some(own) = table.key(name) else { continue };
        for decor in [own.leaf_decor(), own.dotted_decor(), value.decor()] {
            hoisted.extend(Trivia::comments(decor.prefix().and_then(|text| text.as_str())));
            hoisted.extend(Trivia::comments(decor.suffix().and_then(|text| text.as_str())));
        }
        let path = format!("{prefix}{}", key(own));
        rank.push(level.rank(name));
        match value {
            Value::InlineTable(inner) if inner.is_dotted() => {
                inline_pairs(inner, &format!("{path}."), level.below(name), rank, indent, hoisted, pairs);
            }
            value => {
                let text = one_line(value, level.below(name), indent, hoisted);
                pairs.push((rank.clone(), format!("{path} = {text}")));
            }
        }
        rank.pop();
    }
}

/// Inside an inline table an array may have lines in TOML 1.0; strings of several lines are allowed as well.
fn one_line(value: &Value, level: Level, indent: usize, hoisted: &mut Vec<String>) -> String {
    match value {
        Value::Array(array) if !array.is_empty() && !has_comments(array) => {
            let items: Vec<_> = array.iter().map(|item| one_line(item, level, indent, hoisted)).collect();
            format!("[{}]", items.join(", "))
        }
        value => render(value, level, indent, hoisted),
    }
}

/// On one line, or one element a line where it was written so or has comments.
fn array_text(array: &Array, level: Level, indent: usize, hoisted: &mut Vec<String>) -> String {
    let many = has_comments(array) || (breaks(array) && !array.is_empty());
    if !many {
        let items: Vec<_> = array.iter().map(|item| render(item, level, indent, hoisted)).collect();
        return format!("[{}]", items.join(", "));
    }
    let mut lines = Lines { pad: "    ".repeat(indent + 1), lines: Vec::new(), open: false };
    for item in array {
        let decor = item.decor();
        lines.comments(decor.prefix().and_then(|text| text.as_str()));
        let mut above = Vec::new();
        let text = render(item, level, indent + 1, &mut above);
        above.into_iter().for_each(|comment| lines.comment(&comment));
        lines.push(format!("{text},"));
        lines.open = true;
        lines.comments(decor.suffix().and_then(|text| text.as_str()));
    }
    lines.comments(array.trailing().as_str());
    format!("[\n{}\n{}]", lines.lines.join("\n"), "    ".repeat(indent))
}

/// The lines of an array.
struct Lines {
    pad: String,
    lines: Vec<String>,
    /// Whether the last one is an element that may still get a comment.
    open: bool,
}

impl Lines {
    /// Comments of what stands between two elements. One on an element's own line stays there.
    fn comments(&mut self, text: Option<&str>) {
        let (same, rest) = same_line(text.unwrap_or_default());
        match (same, self.lines.last_mut()) {
            (Some(comment), Some(last)) if self.open => {
                last.push_str(&format!(" {comment}"));
                self.open = false;
            }
            (Some(comment), _) => self.comment(&comment),
            (None, _) => {}
        }
        Trivia::comments(Some(rest)).iter().for_each(|comment| self.comment(comment));
    }

    fn comment(&mut self, text: &str) {
        self.push(text.to_owned());
        self.open = false;
    }

    fn push(&mut self, text: String) {
        self.lines.push(format!("{}{text}", self.pad));
    }
}

fn texts(array: &Array) -> impl Iterator<Item = &str> {
    let decors = array.iter().flat_map(|item| [item.decor().prefix(), item.decor().suffix()]).flatten();
    decors.chain([array.trailing()]).filter_map(|text| text.as_str())
}

fn has_comments(array: &Array) -> bool {
    texts(array).any(|text| text.contains('#'))
}

fn breaks(array: &Array) -> bool {
    texts(array).any(|text| text.contains('\n'))
}

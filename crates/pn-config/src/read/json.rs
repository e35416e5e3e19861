//! JSON (RFC 8259) to the value tree, spans kept. Strict: a key twice in an object is an error, as are comments,
//! trailing commas, and numbers that do not fit.

use super::Parsed;
use crate::diagnostic::Diagnostic;
use crate::value::{Entry, FileId, Kind, Span, Table, Value};
use pn_model::limits::NESTING;
use std::sync::Arc;

pub(super) fn parse(file: FileId, text: &str) -> Parsed {
    let mut reader = Reader { file, text, at: 0, depth: 0, problems: Vec::new() };
    let outcome = reader.document();
    let mut parsed =
        Parsed { root: Table::default(), diagnostics: reader.problems, lines: Vec::new(), broken: false };
    match outcome {
        Ok(Value { kind: Kind::Table(root), .. }) => parsed.root = root,
        Ok(other) => {
            let message = format!("a configuration is a JSON object, not {}", other.type_name());
            parsed.diagnostics.push(Diagnostic::error("syntax", message).at(other.span, ""));
            parsed.broken = true;
        }
        Err(error) => {
            parsed.diagnostics.push(error);
            parsed.broken = true;
        }
    }
    parsed
}

struct Reader<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    depth: usize,
    /// Errors after which reading goes on.
    problems: Vec<Diagnostic>,
}

type Step<T> = Result<T, Diagnostic>;

impl Reader<'_> {
    fn document(&mut self) -> Step<Value> {
        let value = self.value()?;
        self.space();
        if self.at < self.text.len() { Err(self.unexpected("the end of the file")) } else { Ok(value) }
    }

    fn value(&mut self) -> Step<Value> {
        self.space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Kind::String(Arc::from(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Value::new(kind, self.span(start)))
    }

    fn nested(&mut self, read: fn(&mut Self) -> Step<Kind>) -> Step<Kind> {
        self.depth += 1;
        if self.depth > NESTING {
            let message = format!("nested deeper than {NESTING} objects");
            return Err(Diagnostic::error("nesting", message).at(self.span(self.at), "here"));
        }
        self.at += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Step<Kind> {
        let mut table = Table::default();
        let mut first = true;
        while self.more(b'}', &mut first)? {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key: Arc<str> = Arc::from(self.string()?);
            let key_span = self.span(start);
            self.space();
            self.expect(b':', "`:`")?;
            let value = self.value()?;
            self.add(&mut table, key, Entry { key_span, value });
        }
        Ok(Kind::Table(table))
    }

    fn add(&mut self, table: &mut Table, key: Arc<str>, entry: Entry) {
        match table.entry(&key) {
            Some(earlier) => self.problems.push(
                Diagnostic::error("duplicate-key", format!("`{key}` is defined twice"))
                    .at(entry.key_span, "again here")
                    .at(earlier.key_span, "first here")
                    .help("keep one of them"),
            ),
            None => drop(table.insert(key, entry)),
        }
    }

    fn array(&mut self) -> Step<Kind> {
        let mut items = Vec::new();
        let mut first = true;
        while self.more(b']', &mut first)? {
            items.push(self.value()?);
        }
        Ok(Kind::Array(items))
    }

    /// Whether another element comes; takes the comma before it, or the closing bracket.
    fn more(&mut self, close: u8, first: &mut bool) -> Step<bool> {
        self.space();
        if self.peek() == Some(close) && *first {
            self.at += 1;
            return Ok(false);
        }
        if std::mem::take(first) {
            return Ok(true);
        }
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                if self.peek() == Some(close) {
                    return Err(
                        self.unexpected("a further element; JSON takes no comma before the closing bracket")
                    );
                }
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.unexpected("`,` or the closing bracket")),
        }
    }

    fn string(&mut self) -> Step<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or("");
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or(""));
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(self.unexpected("a closing double quote")),
            }
        }
    }

    fn escape(&mut self) -> Step<char> {
        self.at += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.unexpected("one of `\" \\ / b f n r t u` after a backslash")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self) -> Step<char> {
        let start = self.at;
        let mut code = self.hex()?;
        if (0xd800..0xdc00).contains(&code) {
            let low = if self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
                self.at += 1;
                self.hex()?
            } else {
                0
            };
            if !(0xdc00..0xe000).contains(&low) {
                self.at = start;
                return Err(self.unexpected("both halves of a surrogate pair"));
            }
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        char::from_u32(code).ok_or_else(|| self.unexpected("a Unicode character"))
    }

    /// At the `u` of an escape.
    fn hex(&mut self) -> Step<u32> {
        let digits =
            self.text.get(self.at + 1..self.at + 5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.unexpected("four hexadecimal digits after `\\u`"));
        };
        self.at += 5;
        Ok(code)
    }

    fn number(&mut self) -> Step<Kind> {
        let rest = self.text.get(self.at..).unwrap_or("");
        let length =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let digits = rest.get(..length).unwrap_or("");
        if !well_formed(digits) {
            return Err(self.unexpected("a number"));
        }
        self.at += length;
        if digits.contains(['.', 'e', 'E']) {
            return Ok(Kind::Float(digits.parse().unwrap_or(f64::NAN)));
        }
        let start = self.at - length;
        digits.parse().map(Kind::Integer).map_err(|_| {
            Diagnostic::error("number", "the number does not fit 64 bits").at(self.span(start), "here")
        })
    }

    fn word(&mut self) -> Step<Kind> {
        let rest = self.text.get(self.at..).unwrap_or("");
        for (word, kind) in [("true", Kind::Bool(true)), ("false", Kind::Bool(false))] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(if rest.starts_with("null") {
            self.unexpected("a value").help("there is no null here: leave the key out")
        } else {
            self.unexpected("a value")
        })
    }

    fn expect(&mut self, byte: u8, name: &str) -> Step<()> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(name));
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start..self.at.max(start))
    }

    fn unexpected(&self, wanted: &str) -> Diagnostic {
        let width = self.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let span = Span::new(self.file, self.at..self.at + width);
        Diagnostic::error("syntax", format!("invalid JSON: expected {wanted}")).at(span, "")
    }
}

/// RFC 8259 section 6: no leading zeros, digits on both sides of a point.
fn well_formed(number: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = number.split_once(['e', 'E']).map_or((number, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

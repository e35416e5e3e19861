//! A field that is made once and added to many lists: what a configuration sets.

use crate::fields::Field;
use crate::known::Known;
use crate::span::Span;
use crate::value::FieldValue;
use http::header::HeaderName;
use std::fmt;

/// A field whose name is recognised, and whose line is written, before any list wants it: adding it is one copy.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldLine {
    known: Known,
    name: Span,
    value: Span,
    sensitive: bool,
    text: Box<[u8]>,
}

impl FieldLine {
    pub fn new<'a>(name: &HeaderName, value: impl Into<FieldValue<'a>>) -> Self {
        let (name, value) = (name.as_str().as_bytes(), value.into());
        let text = [name, b": ", value.as_bytes(), b"\r\n"].concat();
        Self {
            known: Known::of(name),
            name: Span::new(0, name.len()),
            value: Span::new(name.len() + 2, text.len() - 2),
            sensitive: value.is_sensitive(),
            text: text.into(),
        }
    }

    pub(crate) fn known(&self) -> Known {
        self.known
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.name.of(&self.text)
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The field in a text that has so many bytes before the line.
    pub(crate) fn field(&self, by: usize) -> Field {
        let (name, value) = (self.name.moved(by), self.value.moved(by));
        Field { known: self.known, name, value, sensitive: self.sensitive, plain: true }
    }
}

/// The name alone: values may hold credentials.
impl fmt::Debug for FieldLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldLine({})", self.name().escape_ascii())
    }
}

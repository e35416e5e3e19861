//! The value tree: what was written, each value with the place it was written at. What a key means lives in
//! `schema`, what a node means in `lower`.

use crate::units;
use indexmap::IndexMap;
use pn_model::{Secret, Text};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A file of `Sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub u32);

/// Bytes `start..end` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub(crate) file: FileId,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// Of values that nobody wrote: defaults and built-in nodes.
    pub(crate) const NONE: Self = Self { file: FileId(u32::MAX), start: 0, end: 0 };

    /// Offsets beyond 4 GiB cannot occur: `limits::CONFIG_FILE_BYTES` is far below.
    pub(crate) fn new(file: FileId, range: std::ops::Range<usize>) -> Self {
        let cut = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { file, start: cut(range.start), end: cut(range.end) }
    }

    pub(crate) fn is_none(self) -> bool {
        self.file == Self::NONE.file
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    pub kind: Kind,
    pub span: Span,
    /// Came through `${env:}` or `${file:}`, or stands under a key that is secret: must never be shown.
    pub secret: bool,
    /// Stands for what only the real host has, with `--offline`: the schema check puts something plausible in.
    pub absent: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    String(Arc<str>),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Array(Vec<Value>),
    Table(Table),
}

/// Keys in the order they were written.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Table {
    entries: IndexMap<Arc<str>, Entry>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub key_span: Span,
    pub value: Value,
}

// === impl Value ===

impl Value {
    pub(crate) fn new(kind: Kind, span: Span) -> Self {
        Self { kind, span, secret: false, absent: false }
    }

    pub(crate) fn string(text: impl Into<Arc<str>>, span: Span) -> Self {
        Self::new(Kind::String(text.into()), span)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// A string as the model has it: one that came from an interpolation stays covered.
    pub(crate) fn text(&self) -> Option<Text> {
        let text = self.as_str()?;
        Some(if self.secret { Text::Secret(Secret::new(text)) } else { text.into() })
    }

    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self.kind {
            Kind::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// An array's elements, or the value itself where one stands for a list of one.
    pub(crate) fn items(&self) -> &[Self] {
        self.as_array().unwrap_or_else(|| std::slice::from_ref(self))
    }

    /// The text for a message: `***` where the value is secret.
    pub(crate) fn shown(&self) -> String {
        if self.secret {
            return "***".to_owned();
        }
        match &self.kind {
            Kind::String(text) => format!("{text:?}"),
            Kind::Integer(number) => number.to_string(),
            Kind::Float(number) => number.to_string(),
            Kind::Bool(flag) => flag.to_string(),
            Kind::Array(_) | Kind::Table(_) => self.type_name().to_owned(),
        }
    }

    /// With its article: `a string`.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::String(_) => "a string",
            Kind::Integer(_) => "an integer",
            Kind::Float(_) => "a float",
            Kind::Bool(_) => "a boolean",
            Kind::Array(_) => "an array",
            Kind::Table(_) => "a table",
        }
    }
}

// === impl Table ===

impl Table {
    pub(crate) fn empty() -> &'static Self {
        static EMPTY: LazyLock<Table> = LazyLock::new(Table::default);
        &EMPTY
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Entry)> {
        self.entries.iter_mut()
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = (Arc<str>, Entry)> {
        self.entries.into_iter()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    /// Keeps the place of a key that is there already.
    pub(crate) fn insert(&mut self, key: Arc<str>, entry: Entry) -> Option<Entry> {
        self.entries.insert(key, entry)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Arc<str>, &mut Entry) -> bool) {
        self.entries.retain(|key, entry| keep(key, entry));
    }

    pub(crate) fn sort_by_key<K: Ord>(&mut self, mut rank: impl FnMut(&str) -> K) {
        self.entries.sort_by_cached_key(|key, _| rank(key));
    }

    /// Later keys keep their order.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.shift_remove(key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Where the key's value stands, for messages; `Span::NONE` when it is absent.
    pub(crate) fn span(&self, key: &str) -> Span {
        self.get(key).map_or(Span::NONE, |value| value.span)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }
}

/// What lowering reads. The schema check has typed everything, so a miss means only that the key is absent.
impl Table {
    pub(crate) fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The schema's range holds, so a narrower type always fits where the range says so.
    pub(crate) fn int<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        T::try_from(self.get(key)?.as_integer()?).ok()
    }

    pub(crate) fn float(&self, key: &str) -> Option<f64> {
        match self.get(key)?.kind {
            Kind::Float(number) => Some(number),
            #[expect(clippy::cast_precision_loss, reason = "the schema bounds such keys to small numbers")]
            Kind::Integer(number) => Some(number as f64),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        units::duration(self.str(key)?).ok()
    }

    /// Bytes.
    pub(crate) fn size(&self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        value.as_integer().map_or_else(|| units::size(value.as_str()?).ok(), |n| u64::try_from(n).ok())
    }

    /// A table; none when the key is absent.
    pub(crate) fn table(&self, key: &str) -> Option<&Self> {
        self.get(key)?.as_table()
    }

    /// A table; an empty one when the key is absent.
    pub(crate) fn sub(&self, key: &str) -> &Self {
        self.table(key).unwrap_or_else(|| Self::empty())
    }

    /// The elements of a list, or the one value that stands for a list of one; none when the key is absent.
    pub(crate) fn items(&self, key: &str) -> &[Value] {
        self.get(key).map_or(&[], Value::items)
    }

    /// The strings of a list.
    pub(crate) fn strings(&self, key: &str) -> Vec<String> {
        self.items(key).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }
}

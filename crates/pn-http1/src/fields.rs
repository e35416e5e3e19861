//! The fields of a head as ranges, with an index of those that are known.

use crate::known::Known;
use crate::options::{Options, list};
use crate::set::KnownSet;
use crate::span::Span;
use crate::text::{Name, Value};

/// One field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub known: Known,
    pub name: Span,
    /// Without the whitespace around it.
    pub value: Span,
    /// What the value says is shown to nobody.
    pub(crate) sensitive: bool,
    /// The buffer has the line as it would be written: nothing but `: ` before the value and CRLF behind it.
    pub(crate) plain: bool,
}

impl Field {
    /// The name as it was sent, in any case. `head` is the buffer that was parsed.
    pub fn name<'a>(&self, head: &'a [u8]) -> Name<'a> {
        Name::parsed(self.name.of(head))
    }

    pub fn value<'a>(&self, head: &'a [u8]) -> Value<'a> {
        Value::parsed(self.value.of(head))
    }
}

/// The fields of one head, in their order. Made to be used again: it keeps its memory, so that once it is large enough
/// parsing allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    list: Vec<Field>,
    /// Which known fields there are, and which more than once.
    seen: KnownSet,
    repeated: KnownSet,
}

impl Fields {
    /// Without memory until the first head.
    pub const fn new() -> Self {
        Self { list: Vec::new(), seen: KnownSet::NONE, repeated: KnownSet::NONE }
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.list.reserve(more);
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.list.iter()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn contains(&self, known: Known) -> bool {
        self.seen.has(known)
    }

    /// Whether there is any of these.
    pub fn contains_any(&self, set: KnownSet) -> bool {
        self.seen.meets(set)
    }

    pub fn is_repeated(&self, known: Known) -> bool {
        self.repeated.has(known)
    }

    /// The first field of this kind.
    pub fn get(&self, known: Known) -> Option<&Field> {
        self.all(known).next()
    }

    /// All fields of this kind, in their order.
    pub fn all(&self, known: Known) -> impl DoubleEndedIterator<Item = &Field> {
        let list = if self.contains(known) { self.list.as_slice() } else { &[] };
        list.iter().filter(move |field| field.known == known)
    }

    /// The value of the first field of this kind.
    pub fn value<'a>(&self, head: &'a [u8], known: Known) -> Option<&'a [u8]> {
        self.get(known).map(|field| field.value.of(head))
    }

    /// The first field of a name that is not among the known ones. Looks at every field.
    pub fn find(&self, head: &[u8], name: &[u8]) -> Option<&Field> {
        self.list.iter().find(|field| field.name.of(head).eq_ignore_ascii_case(name))
    }

    /// Whether a field goes on beyond this connection (RFC 9110 section 7.6.1): it is no hop-by-hop field, and
    /// `Connection` does not list it. `Connection` cannot take away what makes a message another one, `Host` and the
    /// length among them.
    pub fn is_end_to_end(&self, head: &[u8], field: &Field, options: Options) -> bool {
        if field.known.is_hop_by_hop() {
            return false;
        }
        !options.others || field.known.is_kept() || !self.lists(head, field.name.of(head))
    }

    pub fn clear(&mut self) {
        self.list.clear();
        (self.seen, self.repeated) = (KnownSet::NONE, KnownSet::NONE);
    }

    /// Adds all of another head, which stands behind `by` bytes.
    pub(crate) fn append(&mut self, other: &Self, by: usize) {
        let moved =
            |field: &Field| Field { name: field.name.moved(by), value: field.value.moved(by), ..*field };
        self.list.extend(other.list.iter().map(moved));
        self.repeated = self.repeated.with(other.repeated).with(self.seen.common(other.seen));
        self.seen = self.seen.with(other.seen);
    }

    pub(crate) fn push(&mut self, field: Field) {
        self.count(field.known);
        self.list.push(field);
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Field) -> bool) {
        let before = self.list.len();
        self.list.retain(keep);
        if self.list.len() != before {
            self.count_anew();
        }
    }

    fn count_anew(&mut self) {
        (self.seen, self.repeated) = (KnownSet::NONE, KnownSet::NONE);
        for at in 0..self.list.len() {
            self.list.get(at).map(|field| field.known).into_iter().for_each(|known| self.count(known));
        }
    }

    fn count(&mut self, known: Known) {
        let one = KnownSet::of(&[known]);
        self.repeated = self.repeated.with(self.seen.common(one));
        self.seen = self.seen.with(one);
    }

    fn lists(&self, head: &[u8], name: &[u8]) -> bool {
        let options = self.all(Known::Connection).flat_map(|field| list(field.value.of(head)));
        { options }.any(|option| option.eq_ignore_ascii_case(name))
    }
}

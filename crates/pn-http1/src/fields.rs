//! The fields of a head as ranges, with an index of those that are known.

use crate::known::Known;
use crate::options::{Options, list};
use crate::span::Span;
use crate::text::{Name, Value};

/// One field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub known: Known,
    pub name: Span,
    /// Without the whitespace around it.
    pub value: Span,
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
#[derive(Debug, Clone)]
pub struct Fields {
    list: Vec<Field>,
    /// Which known fields there are, and which more than once.
    seen: u64,
    repeated: u64,
    /// Where the first of each known field is; means something only where `seen` says so.
    first: [u16; Known::COUNT],
}

impl Default for Fields {
    fn default() -> Self {
        Self { list: Vec::new(), seen: 0, repeated: 0, first: [0; Known::COUNT] }
    }
}

impl Fields {
    /// Without memory until the first head.
    pub fn new() -> Self {
        Self::default()
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
        self.seen & known.bit() != 0
    }

    pub fn is_repeated(&self, known: Known) -> bool {
        self.repeated & known.bit() != 0
    }

    /// The first field of this kind.
    pub fn get(&self, known: Known) -> Option<&Field> {
        if !self.contains(known) {
            return None;
        }
        self.list.get(usize::from(*self.first.get(known as usize)?))
    }

    /// All fields of this kind, in their order.
    pub fn all(&self, known: Known) -> impl Iterator<Item = &Field> {
        let from = self
            .get(known)
            .and_then(|_| self.first.get(known as usize))
            .map_or(self.list.len(), |&at| at.into());
        self.list.get(from..).unwrap_or_default().iter().filter(move |field| field.known == known)
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
        self.seen = 0;
        self.repeated = 0;
    }

    pub(crate) fn push(&mut self, field: Field) {
        let bit = field.known.bit();
        self.repeated |= self.seen & bit;
        if self.seen & bit == 0 {
            self.seen |= bit;
            if let Some(first) = self.first.get_mut(field.known as usize) {
                *first = u16::try_from(self.list.len()).unwrap_or(u16::MAX);
            }
        }
        self.list.push(field);
    }

    fn lists(&self, head: &[u8], name: &[u8]) -> bool {
        let options = self.all(Known::Connection).flat_map(|field| list(field.value.of(head)));
        { options }.any(|option| option.eq_ignore_ascii_case(name))
    }
}

//! The fields of a head together with their text: what is kept of it once the connection's buffer moves on, and changed
//! on its way. Names are in lower case. Not here: what fields mean.

use crate::fields::{Field, Fields};
use crate::known::Known;
use crate::limits::Limits;
use crate::line::FieldLine;
use crate::lower::lower;
use crate::options::{Options, list};
use crate::refusal::Refusal;
use crate::request::{RequestHead, parse_request};
use crate::response::{ResponseHead, parse_response};
use crate::set::KnownSet;
use crate::span::Span;
use crate::value::FieldValue;
use http::header::{HeaderMap, HeaderName};
use http::{Method, StatusCode};
use std::fmt;

/// Fields in their order. Made to be used again: cleared, it keeps its memory, and what is added to it is copied there.
/// A pointer wide, as it is handed on with what it belongs to.
#[derive(Clone, Default)]
pub struct FieldList(Option<Box<Parts>>);

#[derive(Clone, Default)]
struct Parts {
    text: Vec<u8>,
    fields: Fields,
}

static NOTHING: Parts = Parts { text: Vec::new(), fields: Fields::new() };

/// From the wire.
impl FieldList {
    /// As [`parse_request`], into this list. The head's spans are of [`FieldList::text`] too.
    pub fn read_request(&mut self, input: &[u8], limits: &Limits) -> Result<Option<RequestHead>, Refusal> {
        let own = self.parts_mut();
        let parsed = parse_request(input, limits, &mut own.fields);
        let len = parsed.as_ref().ok().and_then(Option::as_ref).map(|head| head.len);
        own.keep(input, len);
        parsed
    }

    /// As [`parse_response`], into this list, which is left with what goes on beyond the connection: each length once,
    /// and of a change of protocol its name.
    pub fn read_response(
        &mut self,
        input: &[u8],
        limits: &Limits,
        method: &Method,
    ) -> Result<Option<ResponseHead>, Refusal> {
        let own = self.parts_mut();
        let parsed = parse_response(input, limits, method, &mut own.fields);
        let head = parsed.as_ref().ok().and_then(Option::as_ref);
        own.keep(input, head.map(|head| head.len));
        if let Some(head) = head {
            own.settle_length();
            let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
            let kept = if switches { KnownSet::of(&[Known::Upgrade]) } else { KnownSet::NONE };
            own.strip(head.connection, KnownSet::HOP_BY_HOP.without(kept));
        }
        parsed
    }

    /// The head as it was read, its names in lower case, and behind it what was added.
    pub fn text(&self) -> &[u8] {
        &self.parts().text
    }

    /// Takes the fields away that belong to one connection (RFC 9110 section 7.6.1), by themselves or because
    /// `Connection` lists them, and with them those of `also`.
    pub fn drop_hop_by_hop(&mut self, connection: Options, also: KnownSet) {
        self.parts_mut().strip(connection, KnownSet::HOP_BY_HOP.with(also));
    }

    /// What `Connection` says; an error where it lists too many.
    pub fn options(&self) -> Result<Options, Refusal> {
        let own = self.parts();
        Options::read(&own.text, &own.fields)
    }
}

impl Parts {
    fn keep(&mut self, input: &[u8], len: Option<usize>) {
        self.text.clear();
        let Some(head) = len.and_then(|len| input.get(..len)) else { return self.fields.clear() };
        self.text.extend_from_slice(head);
        for field in self.fields.iter() {
            lower(self.text.get_mut(field.name.range()).unwrap_or_default());
        }
    }

    fn strip(&mut self, options: Options, dropped: KnownSet) {
        if !options.others {
            return self.remove(dropped);
        }
        let listed = self.listed();
        let text = &self.text;
        let is_listed =
            |field: &Field| listed.iter().any(|name| field.name.of(text).eq_ignore_ascii_case(name));
        self.fields.retain(|field| match field.known {
            known if dropped.has(known) => false,
            known => known.is_kept() || known.is_hop_by_hop() || !is_listed(field),
        });
    }

    fn listed(&self) -> Vec<Vec<u8>> {
        let values = self.fields.all(Known::Connection).map(|field| field.value.of(&self.text));
        values.flat_map(list).map(<[u8]>::to_vec).collect()
    }

    /// Equal lengths that are repeated, or stand in a list, become one (RFC 9112 section 6.3).
    fn settle_length(&mut self) {
        let Some(first) = self.fields.value(&self.text, Known::ContentLength) else { return };
        let is_list = first.contains(&b',');
        if !is_list && !self.fields.is_repeated(Known::ContentLength) {
            return;
        }
        let one = first.split(|&byte| byte == b',').next().unwrap_or_default().trim_ascii().to_vec();
        self.remove(KnownSet::of(&[Known::ContentLength]));
        self.push(Known::ContentLength, Known::ContentLength.name().as_bytes(), &one, false);
    }

    fn remove(&mut self, set: KnownSet) {
        if self.fields.contains_any(set) {
            self.fields.retain(|field| !set.has(field.known));
        }
    }

    /// Most are not there, and looking is cheaper than taking away.
    fn remove_named(&mut self, name: &[u8]) {
        if self.fields.iter().any(|field| self.is(field, name)) {
            let text = &self.text;
            self.fields.retain(|field| field.name.of(text) != name);
        }
    }

    fn push(&mut self, known: Known, name: &[u8], value: &[u8], sensitive: bool) {
        let from = self.text.len();
        self.text.reserve(name.len() + value.len() + 4);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        let value_from = self.text.len();
        self.text.extend_from_slice(value);
        let value = Span::new(value_from, self.text.len());
        self.text.extend_from_slice(b"\r\n");
        self.fields.push(Field {
            known,
            name: Span::new(from, from + name.len()),
            value,
            sensitive,
            plain: true,
        });
    }

    fn is(&self, field: &Field, name: &[u8]) -> bool {
        field.name.len() == name.len() && field.name.of(&self.text) == name
    }
}

/// What there is.
impl FieldList {
    /// Without memory until the first field.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Bytes that it has room for.
    pub fn capacity(&self) -> usize {
        self.parts().text.capacity()
    }

    pub fn len(&self) -> usize {
        self.parts().fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parts().fields.is_empty()
    }

    pub fn contains(&self, known: Known) -> bool {
        self.parts().fields.contains(known)
    }

    /// Whether there is any of these.
    pub fn contains_any(&self, set: KnownSet) -> bool {
        self.parts().fields.contains_any(set)
    }

    pub fn is_repeated(&self, known: Known) -> bool {
        self.parts().fields.is_repeated(known)
    }

    /// The value of the first field of this kind.
    pub fn known(&self, known: Known) -> Option<&[u8]> {
        let own = self.parts();
        own.fields.value(&own.text, known)
    }

    /// The values of all fields of this kind, in their order.
    pub fn all_known(&self, known: Known) -> impl DoubleEndedIterator<Item = &[u8]> {
        let own = self.parts();
        own.fields.all(known).map(|field| field.value.of(&own.text))
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: &HeaderName) -> Option<FieldValue<'_>> {
        self.named(name.as_str()).next()
    }

    /// The values of all fields of this name, which is in lower case, in their order.
    pub fn named<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = FieldValue<'a>> + use<'a, 'n> {
        let own = self.parts();
        let found = own.fields.iter().filter(move |field| own.is(field, name.as_bytes()));
        found.map(|field| self.value(field))
    }

    /// All of them: names in lower case, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        let name = |field: &Field| std::str::from_utf8(field.name.of(self.text())).unwrap_or_default();
        self.fields().map(move |field| (name(field), self.value(field)))
    }

    /// Whether a value begins or ends with white space, as none does that was read from HTTP/1.1.
    pub fn has_padding(&self) -> bool {
        self.fields().any(|field| is_padded(field.value.of(self.text())))
    }

    /// As a map, for HTTP/2.
    pub fn to_map(&self) -> HeaderMap {
        // Some are added to it as a rule.
        let mut map = HeaderMap::with_capacity(self.len() + 2);
        for field in self.fields() {
            let name = match field.known.header_name() {
                Some(name) => Ok(name),
                None => HeaderName::from_bytes(field.name.of(self.text())),
            };
            // Each was found to be a name before it came here.
            if let Ok(name) = name {
                map.append(name, self.value(field).to_header());
            }
        }
        map
    }

    pub(crate) fn fields(&self) -> std::slice::Iter<'_, Field> {
        self.parts().fields.iter()
    }

    fn value(&self, field: &Field) -> FieldValue<'_> {
        FieldValue::new(field.value.of(self.text()), field.sensitive)
    }

    fn parts(&self) -> &Parts {
        self.0.as_deref().unwrap_or(&NOTHING)
    }

    fn parts_mut(&mut self) -> &mut Parts {
        self.0.get_or_insert_default()
    }
}

/// Changes.
impl FieldList {
    /// Forgets all of them, and keeps the memory.
    pub fn clear(&mut self) {
        if let Some(own) = &mut self.0 {
            own.text.clear();
            own.fields.clear();
        }
    }

    /// Adds a field behind the others.
    pub fn append<'a>(&mut self, name: &HeaderName, value: impl Into<FieldValue<'a>>) {
        let value = value.into();
        let name = name.as_str().as_bytes();
        self.parts_mut().push(Known::of(name), name, value.as_bytes(), value.is_sensitive());
    }

    /// Puts a field in the place of all of its name.
    pub fn insert<'a>(&mut self, name: &HeaderName, value: impl Into<FieldValue<'a>>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Adds a field that was made before.
    pub fn append_line(&mut self, line: &FieldLine) {
        let own = self.parts_mut();
        own.fields.push(line.field(own.text.len()));
        own.text.extend_from_slice(line.text());
    }

    /// Puts a field that was made before in the place of all of its name.
    pub fn insert_line(&mut self, line: &FieldLine) {
        let own = self.parts_mut();
        if own.fields.contains(line.known()) {
            own.remove_named(line.name());
        }
        self.append_line(line);
    }

    /// Adds all of another list.
    pub fn append_all(&mut self, other: &Self) {
        let (own, other) = (self.parts_mut(), other.parts());
        let by = own.text.len();
        own.text.extend_from_slice(&other.text);
        own.fields.append(&other.fields, by);
    }

    /// Adds all of a map, as HTTP/2 has it.
    pub fn append_map(&mut self, map: &HeaderMap) {
        let bytes: usize = map.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let own = self.parts_mut();
        own.text.reserve(bytes);
        own.fields.reserve(map.len());
        map.iter().for_each(|(name, value)| self.append(name, value));
    }

    /// Takes every field of this name away.
    pub fn remove(&mut self, name: &HeaderName) {
        self.parts_mut().remove_named(name.as_str().as_bytes());
    }

    pub fn remove_known(&mut self, known: Known) {
        self.remove_any(KnownSet::of(&[known]));
    }

    /// Takes every field of these kinds away.
    pub fn remove_any(&mut self, set: KnownSet) {
        if let Some(own) = &mut self.0 {
            own.remove(set);
        }
    }

    /// Takes fields away by their names, which are in lower case.
    pub fn remove_names(&mut self, which: impl Fn(&[u8]) -> bool) {
        let own = self.parts_mut();
        let text = &own.text;
        own.fields.retain(|field| !which(field.name.of(text)));
    }
}

impl From<&HeaderMap> for FieldList {
    fn from(map: &HeaderMap) -> Self {
        let mut list = Self::new();
        list.append_map(map);
        list
    }
}

impl From<HeaderMap> for FieldList {
    fn from(map: HeaderMap) -> Self {
        Self::from(&map)
    }
}

/// Names alone: values may hold credentials.
impl fmt::Debug for FieldList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a field value begins or ends with SP or HTAB, which no value of HTTP/2 may (RFC 9113 section 8.2.1).
pub fn is_padded(value: &[u8]) -> bool {
    matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

#[cfg(test)]
mod tests;

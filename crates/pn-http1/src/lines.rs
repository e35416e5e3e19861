//! What request and response heads have in common: empty lines before them, room for their fields, the walk over them.

use crate::fields::{Field, Fields};
use crate::known::Known;
use crate::limits::{EMPTY_LINES, Limits};
use crate::refusal::Refusal;
use crate::span::Span;
use httparse::Header;
use std::mem::MaybeUninit;

/// Room for the fields of nearly every head: 2 KiB of stack that nobody clears.
const FEW: usize = 64;

pub(crate) type Room<'a, 'b> = &'a mut [MaybeUninit<Header<'b>>];

/// Parses with little room, and again with more when there are more fields and the limit lets them be.
pub(crate) fn with_room<'b, T>(
    limits: &Limits,
    mut parse: impl FnMut(Room<'_, 'b>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut few = [const { MaybeUninit::uninit() }; FEW];
    match parse(few.get_mut(..limits.fields.min(FEW)).unwrap_or_default()) {
        Err(Refusal::TooManyFields) if limits.fields > FEW => with_much_room(limits, parse),
        result => result,
    }
}

#[cold]
#[inline(never)]
fn with_much_room<'b, T>(
    limits: &Limits,
    mut parse: impl FnMut(Room<'_, 'b>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut many = [const { MaybeUninit::uninit() }; Limits::FIELDS_MAX];
    parse(many.get_mut(..limits.fields.min(Limits::FIELDS_MAX)).unwrap_or_default())
}

/// How a head may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnds {
    Crlf,
    /// LF alone ends a line too (RFC 9112 section 2.2 lets a recipient do so).
    LfToo,
}

/// Bytes of the empty lines before a head. `None` when it cannot be told yet.
pub(crate) fn empty_lines(input: &[u8]) -> Result<Option<usize>, Refusal> {
    for number in 0..=EMPTY_LINES {
        let at = 2 * number;
        match input.get(at..) {
            Some([b'\r', b'\n', ..]) => {}
            Some([] | [b'\r']) => return Ok(None),
            Some([b'\r' | b'\n', ..]) => return Err(Refusal::LineEnd),
            _ => return Ok(Some(at)),
        }
    }
    Err(Refusal::EmptyLines)
}

/// Takes over what httparse found, and checks what it lets pass: lines that end with LF alone.
pub(crate) fn gather(
    input: &[u8],
    len: usize,
    headers: &[Header<'_>],
    ends: LineEnds,
    limits: &Limits,
    fields: &mut Fields,
) -> Result<(), Refusal> {
    let crlf_before = |at: usize| at.checked_sub(2).and_then(|at| input.get(at)) == Some(&b'\r');
    if ends == LineEnds::Crlf && !input.get(..len).is_some_and(|head| head.ends_with(b"\r\n\r\n")) {
        return Err(Refusal::LineEnd);
    }
    fields.reserve(headers.len());
    for header in headers {
        let name = Span::locate(header.name.as_bytes(), input);
        let value = Span::locate(header.value, input);
        if ends == LineEnds::Crlf && !crlf_before(name.range().start) {
            return Err(Refusal::LineEnd);
        }
        if value.range().end.saturating_sub(name.range().start) > limits.line_bytes {
            return Err(Refusal::LineTooLong);
        }
        let known = Known::of(header.name.as_bytes());
        let plain = is_plain(input, name, value);
        fields.push(Field { known, name, value, sensitive: false, plain });
    }
    Ok(())
}

/// Whether a line is written as we would write it.
pub(crate) fn is_plain(input: &[u8], name: Span, value: Span) -> bool {
    let (name, value) = (name.range(), value.range());
    value.start == name.end + 2
        && input.get(name.end..value.start) == Some(b": ")
        && input.get(value.end..value.end + 2) == Some(b"\r\n")
}

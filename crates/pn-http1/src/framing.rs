//! Where a body ends (RFC 9112 section 6): one way to tell, or a refusal.

use crate::fields::Fields;
use crate::known::Known;
use crate::limits::LENGTH_MAX;
use crate::options::list;
use crate::refusal::Refusal;
use http::Version;

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body, and no field says so.
    None,
    /// Bytes.
    Length(u64),
    Chunked,
    /// Responses alone: the body ends with the connection.
    UntilClose,
}

impl Framing {
    /// Whether bytes of a body follow.
    pub fn has_body(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }
}

/// A request's: exactly one length or exactly `chunked`, and nothing twice even where it agrees.
pub(crate) fn of_request(head: &[u8], fields: &Fields, version: Version) -> Result<Framing, Refusal> {
    if fields.contains(Known::TransferEncoding) {
        return coding(head, fields, version);
    }
    let Some(length) = fields.value(head, Known::ContentLength) else { return Ok(Framing::None) };
    if fields.is_repeated(Known::ContentLength) {
        return Err(Refusal::LengthRepeated);
    }
    number(length).map(Framing::Length).ok_or(Refusal::Length)
}

/// A final response's, were it to have a body. Equal lengths that are repeated leave no doubt (RFC 9112 section 6.3).
pub(crate) fn of_response(head: &[u8], fields: &Fields, version: Version) -> Result<Framing, Refusal> {
    if fields.contains(Known::TransferEncoding) {
        return coding(head, fields, version);
    }
    let mut lengths = fields.all(Known::ContentLength).flat_map(|field| list(field.value.of(head)));
    let Some(first) = lengths.next() else { return Ok(Framing::UntilClose) };
    let length = number(first).ok_or(Refusal::Length)?;
    if lengths.any(|other| number(other) != Some(length)) {
        return Err(Refusal::LengthRepeated);
    }
    Ok(Framing::Length(length))
}

fn coding(head: &[u8], fields: &Fields, version: Version) -> Result<Framing, Refusal> {
    if fields.contains(Known::ContentLength) {
        return Err(Refusal::LengthAndCoding);
    }
    if version != Version::HTTP_11 {
        return Err(Refusal::CodingInOldVersion);
    }
    let value = fields.value(head, Known::TransferEncoding).unwrap_or_default();
    if fields.is_repeated(Known::TransferEncoding) {
        return Err(Refusal::Coding);
    }
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    Err(if is_unknown(value) { Refusal::CodingUnknown } else { Refusal::Coding })
}

/// Whether the framing is clear (`chunked` last, and once) but another coding lies below it.
fn is_unknown(value: &[u8]) -> bool {
    let chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    list(value).filter(chunked).count() == 1
        && list(value).last().is_some_and(|last| chunked(&last))
        && list(value).all(|coding| !coding.is_empty())
}

/// Digits alone, leading zeros among them.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    });
    number.filter(|&number| number <= LENGTH_MAX)
}

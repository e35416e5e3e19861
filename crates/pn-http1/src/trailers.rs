//! Trailer sections (RFC 9112 section 7.1.2): their bounds, their syntax, and which fields have a place there.

use crate::decode::BodyError;
use crate::fields::{Field, Fields};
use crate::known::Known;
use crate::limits::{TRAILER_BYTES, TRAILERS};
use crate::span::Span;
use httparse::{EMPTY_HEADER, Header, Status};

/// The section when there are no trailers.
pub(crate) const EMPTY: &[u8] = b"\r\n";

/// Gives the fields of a trailer section that the decoder found, without those that have no place there (RFC 9110
/// section 6.5.1): what frames, routes, authenticates or vouches for a message has been decided by then, and whoever
/// merged it into the head would be misled. Positions count from the beginning of `section`.
pub fn parse_trailers(section: &[u8], fields: &mut Fields) -> Result<(), BodyError> {
    fields.clear();
    let mut room = [EMPTY_HEADER; TRAILERS];
    let Some((_, headers)) = parse(section, &mut room)? else { return Err(BodyError::Trailer) };
    for header in headers {
        let known = Known::of(header.name.as_bytes());
        if !known.is_barred_from_trailers() {
            let name = Span::locate(header.name.as_bytes(), section);
            let value = Span::locate(header.value, section);
            fields.push(Field { known, name, value, sensitive: false, plain: false });
        }
    }
    Ok(())
}

/// Bytes of the trailer section at the beginning of `input`. `None` when it is not all there.
pub(crate) fn section(input: &[u8]) -> Result<Option<usize>, BodyError> {
    if input.starts_with(EMPTY) {
        return Ok(Some(EMPTY.len()));
    }
    let mut room = [EMPTY_HEADER; TRAILERS];
    Ok(parse(input, &mut room)?.map(|(length, _)| length))
}

fn parse<'b, 'r>(
    input: &'b [u8],
    room: &'r mut [Header<'b>],
) -> Result<Option<(usize, &'r [Header<'b>])>, BodyError> {
    let input = input.get(..TRAILER_BYTES).unwrap_or(input);
    match httparse::parse_headers(input, room) {
        Ok(Status::Complete((length, headers))) => {
            let section = input.get(..length).unwrap_or_default();
            let sound =
                section.ends_with(b"\r\n") && headers.iter().all(|header| ends_in_crlf(section, header));
            if sound { Ok(Some((length, headers))) } else { Err(BodyError::Trailer) }
        }
        Ok(Status::Partial) if input.len() < TRAILER_BYTES => Ok(None),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => Err(BodyError::TrailersTooLarge),
        Err(_) => Err(BodyError::Trailer),
    }
}

/// Whether the line of a field ends with CRLF; httparse takes LF alone as well.
fn ends_in_crlf(section: &[u8], header: &Header<'_>) -> bool {
    let value = Span::locate(header.value, section).range();
    let from =
        if value.is_empty() { Span::locate(header.name.as_bytes(), section).range().end } else { value.end };
    let rest = section.get(from..).unwrap_or_default();
    let end = memchr::memchr(b'\n', rest).and_then(|end| end.checked_sub(1));
    end.and_then(|before| rest.get(before)) == Some(&b'\r')
}

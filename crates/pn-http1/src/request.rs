//! Request heads: from bytes to ranges and facts, in one walk, or a refusal.

use crate::fields::Fields;
use crate::framing::{self, Framing};
use crate::known::Known;
use crate::limits::Limits;
use crate::lines::{LineEnds, Room, empty_lines, gather, with_room};
use crate::options::{Options, list};
use crate::refusal::Refusal;
use crate::span::Span;
use crate::target::Target;
use http::{Method, Version};
use httparse::Status;

/// What a client expects before it sends its body (RFC 9110 section 10.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Nothing,
    /// `100-continue`. Means nothing in HTTP/1.0, nor without a body.
    Continue,
    /// Something that does not exist; the answer is 417.
    Other,
}

/// A request head that was understood without doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// Bytes of the head. The body, or the next request, begins behind them.
    pub len: usize,
    pub method: Method,
    pub target: Target,
    /// `HTTP_10` or `HTTP_11`.
    pub version: Version,
    pub framing: Framing,
    pub connection: Options,
    /// Whether the client lets the connection go on after this request (RFC 9112 section 9.3).
    pub persistent: bool,
    /// The value of the only Host field, as it was sent. Missing in HTTP/1.0 alone.
    pub host: Option<Span>,
    pub expect: Expect,
    /// The client takes trailers (`TE: trailers`).
    pub te_trailers: bool,
    /// The value of the only Upgrade field, where `Connection` lists it and the version is HTTP/1.1.
    pub upgrade: Option<Span>,
}

/// Parses the request head at the beginning of `input`. `None` when it is not all there: call again with more behind the
/// same bytes. The answer does not depend on how the bytes were cut. On success `fields` holds the fields; memory is
/// allocated only while `fields` grows, and for a method longer than 15 bytes.
pub fn parse_request(
    input: &[u8],
    limits: &Limits,
    fields: &mut Fields,
) -> Result<Option<RequestHead>, Refusal> {
    fields.clear();
    let input = input.get(..limits.head()).unwrap_or(input);
    let Some(from) = empty_lines(input)? else { return Ok(None) };
    with_room(limits, |room| attempt(input, from, limits, room, fields))
}

fn attempt<'b>(
    input: &'b [u8],
    from: usize,
    limits: &Limits,
    room: Room<'_, 'b>,
    fields: &mut Fields,
) -> Result<Option<RequestHead>, Refusal> {
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(input.get(from..).unwrap_or_default(), room);
    let full = input.len() >= limits.head();
    match parsed {
        Ok(Status::Complete(len)) => {
            gather(input, from + len, request.headers, LineEnds::Crlf, limits, fields)?;
            complete(input, from + len, &request, limits, fields).map(Some)
        }
        Ok(Status::Partial) if !full => Ok(None),
        Ok(Status::Partial) => Err(too_large(&request)),
        Err(httparse::Error::Version) => version_fault(input, &request, full),
        Err(httparse::Error::Token) if request.method.is_some() => Err(Refusal::Target),
        Err(error) => Err(Refusal::of_syntax(error)),
    }
}

fn complete(
    input: &[u8],
    len: usize,
    request: &httparse::Request<'_, '_>,
    limits: &Limits,
    fields: &Fields,
) -> Result<RequestHead, Refusal> {
    let head = input.get(..len).unwrap_or_default();
    let method = Method::from_bytes(request.method.unwrap_or_default().as_bytes());
    let method = method.map_err(|_| Refusal::Method)?;
    let target = Span::locate(request.path.unwrap_or_default().as_bytes(), input);
    if target.len() > limits.target_bytes {
        return Err(Refusal::TargetTooLong);
    }
    let version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let connection = Options::read(head, fields)?;
    Ok(RequestHead {
        len,
        target: Target::parse(head, target, &method)?,
        method,
        version,
        framing: framing::of_request(head, fields, version)?,
        connection,
        persistent: connection.is_persistent(version),
        host: host(fields, version)?,
        expect: expect(head, fields),
        te_trailers: fields.all(Known::Te).any(|field| takes_trailers(field.value.of(head))),
        upgrade: upgrade(fields, version, connection),
    })
}

/// RFC 9112 section 3.2.
fn host(fields: &Fields, version: Version) -> Result<Option<Span>, Refusal> {
    match fields.get(Known::Host) {
        Some(_) if fields.is_repeated(Known::Host) => Err(Refusal::ManyHosts),
        Some(host) => Ok(Some(host.value)),
        None if version == Version::HTTP_10 => Ok(None),
        None => Err(Refusal::NoHost),
    }
}

fn expect(head: &[u8], fields: &Fields) -> Expect {
    let mut expectations = fields.all(Known::Expect).map(|field| field.value.of(head)).peekable();
    if expectations.peek().is_none() {
        return Expect::Nothing;
    }
    let known = expectations.all(|value| value.eq_ignore_ascii_case(b"100-continue"));
    if known { Expect::Continue } else { Expect::Other }
}

fn takes_trailers(te: &[u8]) -> bool {
    list(te).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// RFC 9110 section 7.8: HTTP/1.0 has no upgrades, and what `Connection` does not list is not meant for this hop.
fn upgrade(fields: &Fields, version: Version, connection: Options) -> Option<Span> {
    let asked = connection.upgrade && version == Version::HTTP_11 && !fields.is_repeated(Known::Upgrade);
    fields.get(Known::Upgrade).filter(|_| asked).map(|field| field.value)
}

/// The limit is full, and the head has not ended.
fn too_large(request: &httparse::Request<'_, '_>) -> Refusal {
    match (request.method, request.path) {
        (Some(_), None) => Refusal::TargetTooLong,
        _ => Refusal::HeadTooLarge,
    }
}

/// Tells another version from what is none, as soon as that can be told.
fn version_fault(
    input: &[u8],
    request: &httparse::Request<'_, '_>,
    full: bool,
) -> Result<Option<RequestHead>, Refusal> {
    const SHAPE: &[u8] = b"HTTP/0.0\r";
    let target = Span::locate(request.path.unwrap_or_default().as_bytes(), input);
    let rest = input.get(target.range().end + 1..).unwrap_or_default();
    let fits = |(byte, shape): (&u8, &u8)| byte == shape || (*shape == b'0' && byte.is_ascii_digit());
    if !rest.iter().zip(SHAPE).all(fits) {
        return Err(Refusal::FirstLine);
    }
    if rest.len() >= SHAPE.len() || full { Err(Refusal::Version) } else { Ok(None) }
}

#[cfg(test)]
mod tests;

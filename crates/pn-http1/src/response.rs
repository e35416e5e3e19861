//! Response heads of upstreams: the same walk, and framing that depends on the request.

use crate::fields::Fields;
use crate::framing::{self, Framing};
use crate::known::Known;
use crate::limits::Limits;
use crate::lines::{LineEnds, Room, empty_lines, gather, with_room};
use crate::options::Options;
use crate::refusal::Refusal;
use crate::span::Span;
use http::{Method, StatusCode, Version};
use httparse::Status;

/// A response head that was understood without doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// Bytes of the head. The body, the final response after an interim one, or the tunnel's bytes begin behind them.
    pub len: usize,
    /// `HTTP_10` or `HTTP_11`.
    pub version: Version,
    pub status: StatusCode,
    /// Empty when there is none, or when it is not ASCII.
    pub reason: Span,
    /// `None` for interim responses, for what has no body (HEAD, 204, 304) and for a change of protocol.
    pub framing: Framing,
    pub connection: Options,
    /// Whether the connection can carry another request after this response is over (RFC 9112 section 9.3).
    pub persistent: bool,
    /// The value of the only Upgrade field.
    pub upgrade: Option<Span>,
}

impl ResponseHead {
    /// 1xx but for 101: another head follows.
    pub fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }
}

/// Parses the response head at the beginning of `input`, the answer to a request of `method`. `None` when it is not all
/// there: call again with more behind the same bytes. A refusal means a bad gateway, whatever its reason.
pub fn parse_response(
    input: &[u8],
    limits: &Limits,
    method: &Method,
    fields: &mut Fields,
) -> Result<Option<ResponseHead>, Refusal> {
    fields.clear();
    let input = input.get(..limits.head()).unwrap_or(input);
    let Some(from) = empty_lines(input)? else { return Ok(None) };
    with_room(limits, |room| attempt(input, from, limits, method, room, fields))
}

fn attempt<'b>(
    input: &'b [u8],
    from: usize,
    limits: &Limits,
    method: &Method,
    room: Room<'_, 'b>,
    fields: &mut Fields,
) -> Result<Option<ResponseHead>, Refusal> {
    let mut response = httparse::Response::new(&mut []);
    let lines = input.get(from..).unwrap_or_default();
    let parser = httparse::ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut response, lines, room) {
        Ok(Status::Complete(len)) => {
            gather(input, from + len, response.headers, LineEnds::LfToo, limits, fields)?;
            complete(input, from + len, &response, method, fields).map(Some)
        }
        Ok(Status::Partial) if input.len() < limits.head() => Ok(None),
        Ok(Status::Partial) => Err(Refusal::HeadTooLarge),
        Err(error) => Err(Refusal::of_syntax(error)),
    }
}

fn complete(
    input: &[u8],
    len: usize,
    response: &httparse::Response<'_, '_>,
    method: &Method,
    fields: &Fields,
) -> Result<ResponseHead, Refusal> {
    let head = input.get(..len).unwrap_or_default();
    let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let status = StatusCode::from_u16(response.code.unwrap_or_default()).map_err(|_| Refusal::Status)?;
    let connection = Options::read(head, fields)?;
    let framing = framing(head, status, version, method, fields)?;
    let upgrade = fields.get(Known::Upgrade).filter(|_| !fields.is_repeated(Known::Upgrade));
    Ok(ResponseHead {
        len,
        version,
        status,
        reason: Span::locate(response.reason.unwrap_or_default().as_bytes(), input),
        framing,
        connection,
        persistent: connection.is_persistent(version) && framing != Framing::UntilClose,
        upgrade: upgrade.map(|field| field.value),
    })
}

/// RFC 9112 section 6.3. A final response whose framing is ambiguous is refused even where it has no body: somebody who
/// does not know the request would find one. Interim responses have none, whatever they say.
fn framing(
    head: &[u8],
    status: StatusCode,
    version: Version,
    method: &Method,
    fields: &Fields,
) -> Result<Framing, Refusal> {
    if status.is_informational() {
        return Ok(Framing::None);
    }
    let framing = framing::of_response(head, fields, version)?;
    let bare = *method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || (*method == Method::CONNECT && status.is_success());
    Ok(if bare { Framing::None } else { framing })
}

#[cfg(test)]
mod tests;

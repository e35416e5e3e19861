//! Request heads as they are written, response heads as the exchange takes them.

use crate::wire::scratch;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE, EXPECT, HOST,
    HeaderMap, HeaderName, HeaderValue, SERVER, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{Method, Response, StatusCode, response};
use pn_http1::{
    Fields, Framing, HeadWriter, Known, Limits, Name, Refusal, ResponseHead, Value, parse_response,
};

/// As much as a listener takes of a request by default.
pub(super) const LIMITS: Limits =
    Limits { head_bytes: 64 << 10, fields: 128, target_bytes: 0, line_bytes: 64 << 10 };

/// A request but for its body.
pub(in super::super) struct Asked<'a> {
    pub(in super::super) method: &'a Method,
    pub(in super::super) target: &'a PathAndQuery,
    pub(in super::super) host: &'a HeaderValue,
    pub(in super::super) headers: &'a HeaderMap,
    /// Bytes of the body; `None` for one of unknown length.
    pub(in super::super) length: Option<u64>,
    pub(in super::super) has_body: bool,
    pub(in super::super) te_trailers: bool,
    pub(in super::super) expect: bool,
    pub(in super::super) upgrade: Option<&'a HeaderValue>,
    /// No other request is going to follow.
    pub(in super::super) close: bool,
}

impl<'a> Asked<'a> {
    /// Without a body, or anything else.
    pub(in super::super) fn new(
        method: &'a Method,
        target: &'a PathAndQuery,
        host: &'a HeaderValue,
        headers: &'a HeaderMap,
    ) -> Self {
        Self {
            method,
            target,
            host,
            headers,
            length: None,
            has_body: false,
            te_trailers: false,
            expect: false,
            upgrade: None,
            close: false,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        match self.length {
            Some(length) if self.has_body => Framing::Length(length),
            _ if self.has_body => Framing::Chunked,
            // RFC 9110 section 8.6: a method that may have a body says that it has none.
            _ if matches!(*self.method, Method::POST | Method::PUT | Method::PATCH) => Framing::Length(0),
            _ => Framing::None,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut head = HeadWriter::request(out, self.method, self.target.into());
        head.field(const { Name::from_static("host") }, self.host.into());
        for (name, value) in self.headers {
            if !is_ours(name) {
                head.field(name.into(), value.into());
            }
        }
        // HTTP/2 clients may send cookies in pieces, which HTTP/1.1 has no words for (RFC 9113 section 8.2.3).
        let cookies = self.headers.get_all(COOKIE).iter().map(Value::from);
        head.joined(const { Name::from_static("cookie") }, cookies, Value::from_static("; "));
        head.framing(self.framing());
        if self.expect {
            head.field(const { Name::from_static("expect") }, Value::from_static("100-continue"));
        }
        if self.te_trailers {
            head.field(const { Name::from_static("te") }, Value::from_static("trailers"));
        }
        match self.upgrade {
            Some(protocol) => {
                head.field(const { Name::from_static("connection") }, Value::from_static("upgrade"));
                head.field(const { Name::from_static("upgrade") }, protocol.into());
            }
            None if self.te_trailers => {
                head.field(const { Name::from_static("connection") }, Value::from_static("te"));
            }
            None if self.close => {
                head.field(const { Name::from_static("connection") }, Value::from_static("close"));
            }
            None => {}
        }
        head.finish();
    }
}

/// Written by rules of their own.
fn is_ours(name: &HeaderName) -> bool {
    [HOST, COOKIE, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, TE, CONNECTION, UPGRADE].contains(name)
}

/// The head at the beginning of `input`. `None` when it is not all there.
pub(super) fn read(
    input: &[u8],
    method: &Method,
) -> Result<Option<(ResponseHead, response::Parts)>, Refusal> {
    scratch::with_fields(|fields| {
        let Some(head) = parse_response(input, &LIMITS, method, fields)? else { return Ok(None) };
        let mut parts = Response::new(()).into_parts().0;
        (parts.status, parts.version) = (head.status, head.version);
        // The fields of 100 concern nobody.
        if head.status != StatusCode::CONTINUE {
            parts.headers = end_to_end(input, &head, fields)?;
        }
        Ok(Some((head, parts)))
    })
}

/// The fields that are not this connection's own, each length once. A change of protocol keeps its name.
fn end_to_end(input: &[u8], head: &ResponseHead, fields: &Fields) -> Result<HeaderMap, Refusal> {
    // A copy of its own: who holds a field must not hold all that was read along with it.
    let bytes = Bytes::copy_from_slice(input.get(..head.len).unwrap_or_default());
    let mut headers = HeaderMap::with_capacity(fields.len());
    let mut lengths = 0;
    for field in fields.iter() {
        let length = field.known == Known::ContentLength;
        lengths += u32::from(length);
        let repeated = length && lengths > 1;
        let switches = head.status == StatusCode::SWITCHING_PROTOCOLS && field.known == Known::Upgrade;
        // RFC 9110 section 8.6: no server sends a length with 1xx.
        let barred = length && head.is_interim();
        if repeated || barred || !(switches || fields.is_end_to_end(&bytes, field, head.connection)) {
            continue;
        }
        let value = field.value.slice(&bytes);
        let value = if length { first_of_list(&value) } else { value };
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Refusal::FieldValue)?;
        let name = match usual(field.known) {
            Some(name) => name,
            None => HeaderName::from_bytes(field.name.of(&bytes)).map_err(|_| Refusal::FieldName)?,
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// Names that nearly every response has, which need not be looked up again.
fn usual(known: Known) -> Option<HeaderName> {
    Some(match known {
        Known::CacheControl => CACHE_CONTROL,
        Known::ContentEncoding => CONTENT_ENCODING,
        Known::ContentLength => CONTENT_LENGTH,
        Known::ContentType => CONTENT_TYPE,
        Known::Date => DATE,
        Known::Server => SERVER,
        Known::SetCookie => SET_COOKIE,
        _ => return None,
    })
}

/// Equal lengths may come as a list (RFC 9112 section 6.3); the parser has seen to it that they are equal.
fn first_of_list(value: &Bytes) -> Bytes {
    let first = value.split(|&byte| byte == b',').next().unwrap_or_default().trim_ascii();
    value.slice_ref(first)
}

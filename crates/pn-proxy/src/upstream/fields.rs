//! Request heads as a server of either HTTP version wants them, and what a response head must not say.

use super::payload::BodySlot;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::response::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri, Version};
use pn_core::context::{FieldList, Known};
use pn_core::{ErrorKind, ProxyError};
use sha1::{Digest, Sha1};

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
/// RFC 6455 section 1.3.
const WEBSOCKET_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Middlewares may have set them; HTTP/2 has no place for them (RFC 9113 section 8.2.2).
const CONNECTION_FIELDS: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What the fields of one request depend on beside the client's own.
pub(super) struct Facts<'a> {
    pub(super) method: &'a Method,
    pub(super) slot: Option<&'a BodySlot>,
    pub(super) te_trailers: bool,
    pub(super) upgrade: Option<&'a HeaderValue>,
}

/// Completes the fields for HTTP/2.
pub(super) fn for_h2(headers: &mut HeaderMap, facts: &Facts<'_>) {
    CONNECTION_FIELDS.iter().for_each(|name| drop(headers.remove(name)));
    headers.remove(HOST);
    set_length(headers, facts);
    if facts.te_trailers {
        headers.insert(TE, TRAILERS);
    }
    if facts.upgrade.is_some() {
        headers.remove(CONTENT_LENGTH);
        headers.remove(SEC_WEBSOCKET_KEY);
    }
}

/// The target for HTTP/2: scheme, authority and path are pseudo-header fields.
pub(super) fn absolute(tls: bool, host: &HeaderValue, target: PathAndQuery) -> Result<Uri, ProxyError> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    let malformed = |cause| ProxyError::new(ErrorKind::RequestMalformed).caused_by(cause).unsent();
    let authority = Authority::try_from(host.as_bytes());
    parts.authority = Some(authority.map_err(|error| malformed(error.to_string()))?);
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).map_err(|error| malformed(error.to_string()))
}

/// The length is that of the body as it is now, whatever the client declared: filters may have changed it.
fn set_length(headers: &mut HeaderMap, facts: &Facts<'_>) {
    let length = match facts.slot {
        Some(slot) => slot.size(),
        // RFC 9110 section 8.6: a method that may have a body says that it has none.
        None if matches!(*facts.method, Method::POST | Method::PUT | Method::PATCH) => Some(0),
        None => None,
    };
    match length {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(length))),
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
}

/// Refuses a response whose end is ambiguous (RFC 9112 section 6.3), which a client behind this proxy might see
/// elsewhere; makes repeated equal lengths one.
pub(super) fn check_framing(head: &mut Parts) -> Result<(), ProxyError> {
    let malformed = |cause| Err(ProxyError::new(ErrorKind::ResponseMalformed).caused_by(cause));
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if head.version != Version::HTTP_11 {
            return malformed("Transfer-Encoding outside HTTP/1.1");
        }
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return malformed("a transfer coding that was not asked for");
        }
        if head.headers.contains_key(CONTENT_LENGTH) {
            return malformed("both Transfer-Encoding and Content-Length");
        }
        return Ok(());
    }
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(()) };
    let one = first.as_bytes();
    if one.iter().all(u8::is_ascii_digit) && !one.is_empty() && lengths.next().is_none() {
        return Ok(());
    }
    let listed =
        head.headers.get_all(CONTENT_LENGTH).iter().flat_map(|value| value.as_bytes().split(|&b| b == b','));
    let mut listed = listed.map(<[u8]>::trim_ascii);
    let length = listed.next().unwrap_or_default();
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) || !listed.all(|other| other == length) {
        return malformed("a bad Content-Length");
    }
    let length = HeaderValue::from_bytes(length);
    let length = length.map_err(|error| ProxyError::new(ErrorKind::ResponseMalformed).caused_by(error))?;
    head.headers.insert(CONTENT_LENGTH, length);
    Ok(())
}

/// Whether a `101` changes to the protocol that was asked for (RFC 9110 section 7.8).
pub(super) fn agrees(headers: &FieldList, asked: &HeaderValue) -> bool {
    let names = |value: &[u8]| value.trim_ascii().to_ascii_lowercase();
    let mut given = headers.all_known(Known::Upgrade);
    match (given.next(), given.next()) {
        (Some(given), None) => {
            let asked = names(asked.as_bytes());
            let mut offers = asked.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            offers.any(|offer| offer == names(given))
        }
        _ => false,
    }
}

/// Makes the answer of an HTTP/2 server to an extended CONNECT look like that of an HTTP/1.1 server.
pub(super) fn as_switch(headers: &mut FieldList, protocol: &HeaderValue, client_key: Option<&HeaderValue>) {
    headers.insert(&UPGRADE, protocol);
    if let Some(key) = client_key {
        let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(WEBSOCKET_GUID).finalize();
        if let Ok(accept) = HeaderValue::from_str(&STANDARD.encode(digest)) {
            headers.insert(&SEC_WEBSOCKET_ACCEPT, &accept);
        }
    }
}

//! Hop-by-hop fields (RFC 9110 section 7.6.1): what belongs to one connection ends there.

use super::present::{self, Present};
use http::header::{
    CONNECTION, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use pn_core::{ErrorKind, ProxyError};
use smallvec::SmallVec;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// A client that lists more options than this means harm.
const MAX_LISTED: usize = 32;
/// What a `Connection` field must not take away: a request without them would mean something else.
const KEPT: [&str; 5] = ["host", "content-length", "content-type", "authorization", "cookie"];

/// Removes the hop-by-hop fields of a request. Returns whether the client takes trailers.
pub(crate) fn strip_request(headers: &mut HeaderMap, present: Present) -> Result<bool, ProxyError> {
    if present.has(present::CONNECTION) && options(headers).count() > MAX_LISTED {
        return Err(ProxyError::new(ErrorKind::RequestMalformed).caused_by("a Connection field without end"));
    }
    let trailers = present.has(present::TE) && takes_trailers(headers);
    strip(headers, present);
    Ok(trailers)
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    let is_trailers = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"trailers");
    headers.get_all(TE).iter().any(|value| value.as_bytes().split(|&byte| byte == b',').any(is_trailers))
}

/// Removes the hop-by-hop fields that a response got on its way through the proxy; HTTP/2 has no place for them.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    strip(headers, Present::of(headers));
}

/// Removes the hop-by-hop fields of a message.
pub(crate) fn strip(headers: &mut HeaderMap, present: Present) {
    if present.has(present::CONNECTION) {
        strip_listed(headers);
    }
    if !present.has(ANY) {
        return;
    }
    for (bit, name) in HOP_BY_HOP {
        if present.has(bit) {
            headers.remove(name);
        }
    }
}

const ANY: u16 = present::CONNECTION
    | present::KEEP_ALIVE
    | present::PROXY_CONNECTION
    | present::TE
    | present::TRANSFER_ENCODING
    | present::UPGRADE
    | present::PROXY_AUTHENTICATE
    | present::PROXY_AUTHORIZATION;

const HOP_BY_HOP: [(u16, HeaderName); 8] = [
    (present::CONNECTION, CONNECTION),
    (present::KEEP_ALIVE, KEEP_ALIVE),
    (present::PROXY_CONNECTION, PROXY_CONNECTION),
    (present::TE, TE),
    (present::TRANSFER_ENCODING, TRANSFER_ENCODING),
    (present::UPGRADE, UPGRADE),
    (present::PROXY_AUTHENTICATE, PROXY_AUTHENTICATE),
    (present::PROXY_AUTHORIZATION, PROXY_AUTHORIZATION),
];

/// Most messages list nothing but how long the connection lasts.
fn strip_listed(headers: &mut HeaderMap) {
    let lasts =
        |option: &[u8]| option.eq_ignore_ascii_case(b"keep-alive") || option.eq_ignore_ascii_case(b"close");
    if options(headers).all(lasts) {
        return;
    }
    let listed: SmallVec<[HeaderName; 4]> = listed(headers).take(MAX_LISTED).collect();
    for name in listed.iter().filter(|name| !KEPT.contains(&name.as_str())) {
        headers.remove(name);
    }
}

/// Whether `Connection` lists an option.
pub(crate) fn lists(headers: &HeaderMap, option: &str) -> bool {
    listed(headers).any(|name| name.as_str() == option)
}

fn listed(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    options(headers).filter_map(|name| HeaderName::from_bytes(name).ok())
}

fn options(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(CONNECTION).iter();
    values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_connection_goes_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Secret"),
            ("connection", "host, content-length,,"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "1"),
            ("te", "gzip, Trailers"),
            ("upgrade", "h2c"),
            ("host", "a.example"),
            ("content-length", "3"),
            ("trailer", "x-sum"),
            ("proxy-authorization", "Basic x"),
        ] {
            headers.append(HeaderName::from_static(name), http::HeaderValue::from_static(value));
        }
        assert!(lists(&headers, "x-secret"));
        let present = Present::of(&headers);
        assert!(strip_request(&mut headers, present).is_ok_and(|trailers| trailers));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "trailer"]);
    }
}

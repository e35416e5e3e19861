//! Hop-by-hop fields (RFC 9110 section 7.6.1): what belongs to one connection ends there.

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
pub(crate) fn strip_request(headers: &mut HeaderMap) -> Result<bool, ProxyError> {
    let trailers = headers.get_all(TE).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers")))
    });
    let listed =
        headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    if listed.count() > MAX_LISTED {
        return Err(ProxyError::new(ErrorKind::RequestMalformed).caused_by("a Connection field without end"));
    }
    strip(headers);
    headers.remove(PROXY_AUTHORIZATION);
    Ok(trailers)
}

/// Removes the hop-by-hop fields of a message.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let listed: SmallVec<[HeaderName; 4]> = listed(headers).take(MAX_LISTED).collect();
        for name in listed.iter().filter(|name| !KEPT.contains(&name.as_str())) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE] {
        headers.remove(name);
    }
}

/// Whether `Connection` lists an option.
pub(crate) fn lists(headers: &HeaderMap, option: &str) -> bool {
    listed(headers).any(|name| name.as_str() == option)
}

fn listed(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
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
        assert!(strip_request(&mut headers).is_ok_and(|trailers| trailers));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "trailer"]);
    }
}

//! Trailers (RFC 9110 section 6.5): fields behind a body. What frames, routes, authenticates or vouches for a message has
//! been decided by then, so that it has no place there; whoever merged it into the head would be misled.

use http::HeaderMap;
use http::header::HeaderName;
use smallvec::SmallVec;

/// Drops what no trailer may say (RFC 9110 section 6.5.1).
pub(crate) fn sift(trailers: &mut HeaderMap) {
    let barred: SmallVec<[HeaderName; 4]> = trailers.keys().filter(|name| is_barred(name)).cloned().collect();
    for name in barred {
        trailers.remove(name);
    }
}

fn is_barred(name: &HeaderName) -> bool {
    let name = name.as_str();
    let barred = matches!(
        name,
        // Framing and the connection.
        "content-length" | "transfer-encoding" | "trailer" | "connection" | "keep-alive" | "proxy-connection" | "upgrade"
        | "te"
        // Routing and control.
        | "host" | "expect" | "max-forwards" | "range" | "cache-control" | "pragma" | "via"
        // Credentials.
        | "authorization" | "proxy-authorization" | "www-authenticate" | "proxy-authenticate" | "cookie" | "set-cookie"
        // What the content is.
        | "content-encoding" | "content-type" | "content-range"
        // Whom the request comes from.
        | "forwarded" | "x-real-ip"
    );
    barred || name.starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_what_says_nothing_of_the_head_stays() {
        let names =
            ["x-sum", "host", "grpc-status", "x-forwarded-for", "digest", "content-length", "set-cookie"];
        let value = HeaderValue::from_static("1");
        let mut trailers: HeaderMap =
            names.into_iter().map(|name| (HeaderName::from_static(name), value.clone())).collect();
        sift(&mut trailers);
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["digest", "grpc-status", "x-sum"]);
    }
}

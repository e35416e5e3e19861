//! Which fields of interest a head has, found in one walk over it, so that nothing is looked up that is not there. What
//! is done about them is elsewhere.

use http::header::HeaderMap;

/// A set of the names below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Present(u16);

pub(crate) const CONNECTION: u16 = 1;
pub(crate) const TE: u16 = 1 << 1;
pub(crate) const EXPECT: u16 = 1 << 2;
pub(crate) const CONTENT_LENGTH: u16 = 1 << 3;
pub(crate) const TRANSFER_ENCODING: u16 = 1 << 4;
pub(crate) const KEEP_ALIVE: u16 = 1 << 7;
pub(crate) const PROXY_CONNECTION: u16 = 1 << 8;
pub(crate) const UPGRADE: u16 = 1 << 9;
pub(crate) const PROXY_AUTHENTICATE: u16 = 1 << 10;
pub(crate) const PROXY_AUTHORIZATION: u16 = 1 << 5;
/// Says where a request came from, and is not believed of everybody. Also under an alias: a CGI upstream sees `_` and
/// `-` as one.
pub(crate) const CLAIM: u16 = 1 << 6;

impl Present {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |set, name| set | bit(name.as_str())))
    }

    /// Whether any of `names` is there.
    pub(crate) fn has(self, names: u16) -> bool {
        self.0 & names != 0
    }
}

/// What upstreams take on trust of the proxy before them, so that nobody else may set it: what proxies write, and what
/// Rack, Spring, Symfony, gunicorn, Tornado, Zope and IIS' neighbours read. Names of users (`X-Forwarded-User` and its
/// many like) are not among them: see the threat model.
const CLAIMS: [&str; 21] = [
    "forwarded",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-prefix",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "x-forwarded-ssl",
    "x-forwarded-scheme",
    "x-forwarded-protocol",
    "x-forwarded-by",
    "x-url-scheme",
    "x-scheme",
    "front-end-https",
    "x-original-url",
    "x-rewrite-url",
];

/// A bit for each length that a claim has, so that most names are told apart by theirs.
const LENGTHS: u64 = {
    let (mut lengths, mut at) = (0, 0);
    while at < CLAIMS.len() {
        lengths |= 1 << CLAIMS[at].len();
        at += 1;
    }
    lengths
};

/// Whether a field claims where a request came from, by one of the names above or an alias of it.
pub(crate) fn is_claim(name: &str) -> bool {
    let same = |(given, known): (u8, u8)| given == known || (given == b'_' && known == b'-');
    let is = |known: &str| known.len() == name.len() && name.bytes().zip(known.bytes()).all(same);
    let fits = name.len() < 64 && LENGTHS >> name.len() & 1 == 1;
    fits && matches!(name.as_bytes().first(), Some(b'x' | b'f')) && CLAIMS.into_iter().any(is)
}

/// Whether a field only looks like a claim to some upstreams, which no honest proxy sends.
pub(crate) fn is_alias(name: &str) -> bool {
    name.contains('_') && is_claim(name)
}

/// Names are in lower case.
fn bit(name: &str) -> u16 {
    match (name.len(), name) {
        (2, "te") => TE,
        (6, "expect") => EXPECT,
        (7, "upgrade") => UPGRADE,
        (10, "connection") => CONNECTION,
        (10, "keep-alive") => KEEP_ALIVE,
        (14, "content-length") => CONTENT_LENGTH,
        (16, "proxy-connection") => PROXY_CONNECTION,
        (17, "transfer-encoding") => TRANSFER_ENCODING,
        (18, "proxy-authenticate") => PROXY_AUTHENTICATE,
        (19, "proxy-authorization") => PROXY_AUTHORIZATION,
        _ if is_claim(name) => CLAIM,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[track_caller]
    fn check(names: &[&'static str], expected: u16) {
        let value = HeaderValue::from_static("1");
        let map = names.iter().map(|name| (HeaderName::from_static(name), value.clone())).collect();
        assert_eq!(Present::of(&map), Present(expected), "{names:?}");
    }

    #[test]
    fn each_name_is_seen() {
        check(&[], 0);
        check(&["accept", "x-request-id", "cookie", "host"], 0);
        check(&["te", "expect"], TE | EXPECT);
        check(&["connection", "content-length"], CONNECTION | CONTENT_LENGTH);
        check(&["transfer-encoding"], TRANSFER_ENCODING);
        check(&["upgrade", "keep-alive"], UPGRADE | KEEP_ALIVE);
        check(&["proxy-connection"], PROXY_CONNECTION);
        check(&["proxy-authenticate", "proxy-authorization"], PROXY_AUTHENTICATE | PROXY_AUTHORIZATION);
    }

    #[test]
    fn claims_are_seen_under_any_name() {
        for name in [
            "forwarded",
            "x-real-ip",
            "x_real_ip",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_proto",
            "x-forwarded-ssl",
            "x-forwarded-scheme",
            "x-forwarded-protocol",
            "x-url-scheme",
            "x-scheme",
            "front-end-https",
            "front_end_https",
            "x-original-url",
            "x-rewrite-url",
        ] {
            check(&[name], CLAIM);
        }
        for name in ["x-forwarded", "x-real-ip2", "forwarded-for", "x-forwarded-user"] {
            check(&[name], 0);
        }
    }
}

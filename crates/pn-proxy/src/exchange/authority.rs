//! The authority of a request: host and port, checked and brought into one form (RFC 9110 section 4.2.3, RFC 3986
//! section 3.2). Nothing is resolved here.

use http::HeaderValue;
use std::cell::RefCell;
use std::net::Ipv6Addr;

/// A host without port, brackets or trailing dot, in lower case, and the port if one was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: Box<str>,
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// `None` for what is no authority of an HTTP request: user information, a bad port, characters that no host has.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (address, after) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            return Some(Self { host: address.to_string().into(), port: port(after)? });
        }
        let (host, after) = text.find(':').map_or((text, ""), |at| text.split_at(at));
        let host = host.strip_suffix('.').unwrap_or(host);
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        // A second dot at the end would be left, and taken off by whoever reads the host next.
        let odd = host.ends_with('.') || (host.is_empty() && !text.is_empty());
        if host.len() > MAX_HOST || !host.bytes().all(valid) || odd {
            return None;
        }
        Some(Self { host: host.to_ascii_lowercase().into(), port: port(after)? })
    }
}

/// The authority that a connection named last: nearly all of its requests name the same.
#[derive(Debug, Default)]
pub(crate) struct LastAuthority(RefCell<Option<(HeaderValue, Authority)>>);

impl LastAuthority {
    /// Puts host and port where they belong, and gives the authority as it was written. `None` for what is none.
    pub(crate) fn take(&self, text: &[u8], host: &mut String, port: &mut Option<u16>) -> Option<HeaderValue> {
        let mut last = self.0.borrow_mut();
        let (value, authority) = match &mut *last {
            Some(known) if known.0.as_bytes() == text => known,
            other => {
                let authority = Authority::parse(text)?;
                other.insert((HeaderValue::from_bytes(text).ok()?, authority))
            }
        };
        (*authority.host).clone_into(host);
        *port = authority.port;
        Some(value.clone())
    }
}

/// RFC 1035 section 2.3.4.
const MAX_HOST: usize = 253;

/// The port behind a host: nothing, or a colon and at most five digits; a bare colon means none (RFC 3986).
fn port(after: &str) -> Option<Option<u16>> {
    match after.strip_prefix(':') {
        None if after.is_empty() => Some(None),
        Some("") => Some(None),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    }
}

/// What is taken is in one form, which is taken again for the same.
#[cfg(any(test, fuzzing))]
pub(crate) fn law(bytes: &[u8]) {
    let Some(first) = Authority::parse(bytes) else { return };
    assert!(!first.host.bytes().any(|byte| byte.is_ascii_uppercase()), "{first:?}");
    let (open, close) = if first.host.contains(':') { ("[", "]") } else { ("", "") };
    let port = first.port.map(|port| format!(":{port}")).unwrap_or_default();
    let again = Authority::parse(format!("{open}{}{close}{port}", first.host).as_bytes());
    assert_eq!(again.as_ref(), Some(&first), "{bytes:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<u16>)>) {
        let parsed = Authority::parse(text.as_bytes());
        assert_eq!(parsed.as_ref().map(|authority| (&*authority.host, authority.port)), expected, "{text}");
    }

    #[test]
    fn authorities_come_in_one_form() {
        check("app.example", Some(("app.example", None)));
        check("APP.Example.:443", Some(("app.example", Some(443))));
        check("app.example:", Some(("app.example", None)));
        check("10.0.0.1:80", Some(("10.0.0.1", Some(80))));
        check("[::1]", Some(("::1", None)));
        check("[2001:DB8:0::1]:8443", Some(("2001:db8::1", Some(8443))));
        check("a_b.example", Some(("a_b.example", None)));
        check("", Some(("", None)));
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        for text in [
            "user@app.example",
            "app.example:99999",
            "app.example:+1",
            "app.example:80:80",
            "a b",
            "a/b",
            "a,b",
            "[::1",
            "[::1]x",
            "[zz]",
            ":80",
            ".",
            "app.example..",
            "a\tb",
            "a%00b",
            "app.example:80 ",
            "*",
            "a\\b",
            "é.example",
        ] {
            check(text, None);
        }
        check(&"a".repeat(254), None);
    }
}

//! Reading a ClientHello: the signal it carries, and the few facts a choice of certificate and policy needs. All of it
//! is unauthenticated and comes from the peer: nothing here may panic, and every list is bounded.

use crate::challenges::ALPN;
use crate::suites::prefers_chacha;
use pn_core::tls::TlsSignal;
use pn_model::limits::SIGNAL_ENTRIES;
use rustls::server::ClientHello;
use std::borrow::Cow;
use std::net::IpAddr;

/// Longest host name in DNS (RFC 1035 section 2.3.4), in text.
const NAME_BYTES: usize = 253;

/// What [`TlsTable::choose`](crate::TlsTable::choose) looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hello<'a> {
    pub sni: Option<&'a str>,
    /// The address at which the client arrived. Clients that go to an IP address send no name (RFC 6066 section 3),
    /// and get the site of that address.
    pub local: Option<IpAddr>,
    /// The client lists ChaCha20 first, as those without AES in hardware do.
    pub prefers_chacha: bool,
    /// The client offers `acme-tls/1` and nothing else: it is a CA that validates a name (RFC 8737).
    pub validates: bool,
}

impl<'a> Hello<'a> {
    pub fn of(signal: &'a TlsSignal, local: Option<IpAddr>) -> Self {
        let prefers_chacha = prefers_chacha(signal.cipher_suites.iter().copied());
        let validates = matches!(&*signal.alpn, [only] if only == ALPN);
        Self { sni: signal.sni.as_deref(), local, prefers_chacha, validates }
    }
}

/// The signal of a ClientHello. At most [`SIGNAL_ENTRIES`] of each list are kept.
pub fn read_signal(hello: &ClientHello<'_>) -> TlsSignal {
    TlsSignal {
        sni: hello.server_name().and_then(normalise_sni).map(Cow::into_owned),
        alpn: hello.alpn().into_iter().flatten().take(SIGNAL_ENTRIES).map(<[u8]>::to_vec).collect(),
        cipher_suites: numbers(hello.cipher_suites()),
        signature_schemes: numbers(hello.signature_schemes()),
        groups: hello.named_groups().map(numbers).unwrap_or_default(),
    }
}

/// A server name as hosts are compared: lower-case, without a trailing dot. `None` for what cannot be a host name:
/// empty, too long, not ASCII, with an empty label or a byte that no name has.
pub fn normalise_sni(raw: &str) -> Option<Cow<'_, str>> {
    let name = raw.strip_suffix('.').unwrap_or(raw);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let plausible = !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(allowed);
    if !plausible || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return None;
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(Cow::Owned(name.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(name))
}

fn numbers<T: Copy>(list: &[T]) -> Vec<u16>
where
    u16: From<T>,
{
    list.iter().take(SIGNAL_ENTRIES).map(|entry| u16::from(*entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn server_names() {
        for (raw, expected) in [
            ("app.example", Some("app.example")),
            ("App.EXAMPLE.", Some("app.example")),
            ("a_b.example", Some("a_b.example")),
            ("nas", Some("nas")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("", None),
            (".", None),
            ("..", None),
            (".example", None),
            ("a..b", None),
            ("a.b..", None),
            ("a b", None),
            ("a/b", None),
            ("a\0b", None),
            ("bücher.example", None),
            ("*.example", None),
        ] {
            assert_eq!(normalise_sni(raw).as_deref(), expected, "{raw:?}");
        }
        assert_eq!(normalise_sni(&"a".repeat(253)).map(|name| name.len()), Some(253));
        assert_eq!(normalise_sni(&"a".repeat(254)), None);
    }

    proptest! {
        #[test]
        fn normalising_never_panics_and_is_idempotent(raw in ".{0,300}") {
            if let Some(once) = normalise_sni(&raw) {
                prop_assert_eq!(normalise_sni(&once), Some(Cow::Borrowed(&*once)));
                prop_assert!(!once.bytes().any(|b| b.is_ascii_uppercase()));
            }
        }
    }
}

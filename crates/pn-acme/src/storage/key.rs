//! Names of stored values: short paths of safe characters, so that one is a file's name and a key in etcd alike.
//!
//! ```text
//! accounts/CA/EMAIL            a registered account
//! certificates/CA/ID           a certificate, its chain and its key
//! challenges/KIND/TOKEN        what any node answers a validation with
//! on-demand/ID                 a name that a client brought, and that was allowed a certificate
//! schedule/ID                  how often obtaining a certificate failed, and when it is tried next
//! throttle/CA/ACCOUNT          orders of late
//! ```

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

pub const ACCOUNTS: &str = "accounts";
pub const CERTIFICATES: &str = "certificates";
pub const CHALLENGES: &str = "challenges";
pub const ON_DEMAND: &str = "on-demand";
pub const SCHEDULE: &str = "schedule";
pub const THROTTLE: &str = "throttle";

/// Of one segment, so that a file system takes it with what is added (255 bytes).
const SEGMENT_BYTES: usize = 160;
const SEGMENTS: usize = 4;
/// What people still recognise a name by.
const READABLE_BYTES: usize = 100;

/// A key: one to four segments of letters, digits and `.`, `_`, `@`, `-`, none of which begins with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A certificate authority, by its directory's URL. Two URLs are two authorities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ca(String);

impl Key {
    /// `None` for what is no key.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.split('/').count() <= SEGMENTS && text.split('/').all(is_segment);
        fits.then(|| Self(text.to_owned()))
    }

    /// The account of an address at a CA. Without one there is a single account.
    pub fn account(ca: &Ca, email: Option<&str>) -> Self {
        let name = email.map(|email| email.trim().to_ascii_lowercase()).filter(|email| !email.is_empty());
        Self::of(&[ACCOUNTS, &ca.0, name.as_deref().unwrap_or("default")])
    }

    /// `id`: see [`certificate_id`].
    pub fn certificate(ca: &Ca, id: &str) -> Self {
        Self::of(&[CERTIFICATES, &ca.0, id])
    }

    /// `kind` as in RFC 8555 (`http-01`); `token` is the token, or the name where the name is what is asked for.
    pub fn challenge(kind: &str, token: &str) -> Self {
        Self::of(&[CHALLENGES, kind, token])
    }

    pub fn on_demand(id: &str) -> Self {
        Self::of(&[ON_DEMAND, id])
    }

    pub fn schedule(id: &str) -> Self {
        Self::of(&[SCHEDULE, id])
    }

    pub fn throttle(ca: &Ca, account: &str) -> Self {
        Self::of(&[THROTTLE, &ca.0, account])
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    fn of(segments: &[&str]) -> Self {
        Self(segments.iter().map(|text| segment(text)).collect::<Vec<_>>().join("/"))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ca {
    /// Scheme and host in any case are the same; the rest of a URL is not.
    pub fn of(directory: &str) -> Self {
        let directory = directory.trim();
        let (scheme, rest) = directory.split_once("://").unwrap_or(("", directory));
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let url = format!("{}://{}{}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase(), path);
        let (_, name) = url.split_once("://").unwrap_or(("", &url));
        Self(format!("{}-{}", readable(name), hash(url.as_bytes(), 8)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a certificate by the names in it, in any order and case: one of them for people, and a hash of all. The key's
/// algorithm and the profile are no part of it, so that changing them replaces the certificate.
pub fn certificate_id<T: AsRef<str>>(names: &[T]) -> String {
    let set: BTreeSet<String> = names.iter().map(|name| name.as_ref().to_ascii_lowercase()).collect();
    let first = set.first().map(|name| readable(name)).unwrap_or_default();
    let all = set.into_iter().collect::<Vec<_>>().join("\n");
    format!("{first}-{}", hash(all.as_bytes(), 12))
}

/// A text as one segment: itself where it can be, else what is readable of it and a hash.
pub(crate) fn segment(text: &str) -> String {
    if is_segment(text) {
        text.to_owned()
    } else {
        format!("{}-{}", readable(text), hash(text.as_bytes(), 16))
    }
}

/// The first hexadecimal digits of SHA-256.
pub(crate) fn hash(bytes: &[u8], digits: usize) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes).iter().take(digits.div_ceil(2)) {
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text.truncate(digits);
    text
}

fn is_segment(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-');
    (1..=SEGMENT_BYTES).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(safe)
}

fn readable(text: &str) -> String {
    let text = text.to_ascii_lowercase().replace('*', "wildcard");
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@') { c } else { '-' };
    let text: String = text.chars().map(safe).take(READABLE_BYTES).collect();
    text.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_short_path_of_safe_characters() {
        let long = "a".repeat(SEGMENT_BYTES + 1);
        for (text, is_key) in [
            ("accounts/ca/ops@example.org", true),
            ("a/b/c/d", true),
            ("a/b/c/d/e", false),
            ("", false),
            ("a//b", false),
            ("/a", false),
            ("a/", false),
            ("a/../b", false),
            ("a/.hidden", false),
            ("a/b c", false),
            ("a/ä", false),
            ("a\0", false),
            (&long, false),
        ] {
            assert_eq!(Key::parse(text).is_some(), is_key, "{text}");
        }
    }

    #[test]
    fn what_is_made_is_a_key_and_differs_where_its_parts_do() {
        let ca = Ca::of("https://ca.example/directory");
        let long = "x".repeat(400);
        let parts = ["default", "Ops@Example.org", "ops+a@example.org", "ops a", "../..", "", "ä", &long];
        let keys: BTreeSet<Key> = parts.iter().map(|part| Key::schedule(part)).collect();
        assert_eq!(keys.len(), parts.len());
        for key in keys.iter().chain([&Key::account(&ca, Some("a/b")), &Key::challenge("http-01", "-_Az09")])
        {
            assert_eq!(Key::parse(key.as_str()).as_ref(), Some(key));
        }
        assert_eq!(Key::challenge("http-01", "-_Az09").as_str(), "challenges/http-01/-_Az09");
        assert_eq!(Key::account(&ca, Some("Ops@Example.org")), Key::account(&ca, Some(" ops@example.org")));
        assert_eq!(Key::account(&ca, None), Key::account(&ca, Some("")));
    }

    #[test]
    fn a_ca_is_its_url() {
        let name = |url| Ca::of(url).as_str().to_owned();
        assert!(
            name("https://acme-v02.api.letsencrypt.org/directory")
                .starts_with("acme-v02.api.letsencrypt.org-directory-")
        );
        assert_eq!(name("HTTPS://CA.example/dir"), name("https://ca.example/dir"));
        for other in ["https://ca.example/Dir", "http://ca.example/dir", "https://ca.example:444/dir", ""] {
            assert_ne!(name(other), name("https://ca.example/dir"), "{other}");
        }
    }

    #[test]
    fn a_certificate_is_its_set_of_names() {
        assert_eq!(
            certificate_id(&["a.example", "B.example"]),
            certificate_id(&["b.example", "A.example", "a.example"])
        );
        assert_ne!(certificate_id(&["b.example", "a.example"]), certificate_id(&["b.example"]));
        assert!(certificate_id(&["*.a.example"]).starts_with("wildcard.a.example-"));
        assert!(Key::parse(&certificate_id::<&str>(&[])).is_some());
    }
}

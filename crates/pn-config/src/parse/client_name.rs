//! Who client certificates are for: alternative names, each of its own kind, and subjects.

use super::{Invalid, host_pattern};
use pn_model::HostPattern;
use pn_model::tls::ClientName;

/// A host, an address, an address for mail, a URI, or the beginning of URIs.
pub(crate) fn client_name(text: &str) -> Result<ClientName, Invalid> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.is_empty() {
        return Err(Invalid::new(
            "a name in a certificate has neither white space nor characters beyond ASCII",
        ));
    }
    if let Ok(ip) = text.parse() {
        return Ok(ClientName::Ip(ip));
    }
    if text.contains(':') {
        return uri(text);
    }
    if text.contains('@') {
        return Ok(ClientName::Email(text.to_owned()));
    }
    match host_pattern(text)? {
        HostPattern::Any => Err(Invalid::new("every certificate has some name").help("leave `sans` out")),
        host => Ok(ClientName::Host(host)),
    }
}

fn uri(text: &str) -> Result<ClientName, Invalid> {
    let Some(prefix) = text.strip_suffix('*') else { return Ok(ClientName::Uri(text.to_owned())) };
    let help = "such as `spiffe://corp.example/ns/prod/*`";
    // Elsewhere `spiffe://corp*` would be `spiffe://corp.evil.example` too.
    match prefix.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) && prefix.ends_with('/') {
        true => Ok(ClientName::UriBelow(prefix.to_owned())),
        false => Err(Invalid::new("a `*` in a URI stands at the end of its path, behind a `/`").help(help)),
    }
}

/// Whole, in the order and with the escapes of RFC 4514.
pub(crate) fn subject(text: &str) -> Result<String, Invalid> {
    let part =
        |part: &str| part.split_once('=').is_some_and(|(kind, _)| !kind.is_empty() && !kind.contains(' '));
    let help = "as `openssl x509 -noout -subject -nameopt rfc2253` prints it: `CN=alice,O=Corp`";
    let looks = part(text.split(',').next().unwrap_or_default()) && !text.contains(", ");
    if looks { Ok(text.to_owned()) } else { Err(Invalid::new("this is no subject of RFC 4514").help(help)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clients() {
        for (text, expected) in [
            ("db.corp", Some(ClientName::Host(HostPattern::Exact("db.corp".into())))),
            ("*.Corp.example", Some(ClientName::Host(HostPattern::OneLabel("corp.example".into())))),
            ("alice@corp.example", Some(ClientName::Email("alice@corp.example".into()))),
            ("10.0.0.1", Some(ClientName::Ip([10, 0, 0, 1].into()))),
            ("fd00::1", Some(ClientName::Ip("fd00::1".parse().unwrap()))),
            ("spiffe://corp/ns/prod", Some(ClientName::Uri("spiffe://corp/ns/prod".into()))),
            ("spiffe://corp/ns/*", Some(ClientName::UriBelow("spiffe://corp/ns/".into()))),
            ("urn:uuid:1", Some(ClientName::Uri("urn:uuid:1".into()))),
            ("spiffe://corp*", None),
            ("spiffe://corp/ns*", None),
            ("spiffe://*", None),
            ("*", None),
            ("", None),
            ("a b", None),
            ("a.*.b", None),
        ] {
            assert_eq!(client_name(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn subjects() {
        for (text, valid) in [
            ("CN=alice", true),
            ("CN=alice,O=Corp", true),
            ("CN=a\\,b,O=Corp", true),
            ("alice", false),
            ("CN=alice, O=Corp", false),
            ("subject=CN = alice", true),
            ("", false),
        ] {
            assert_eq!(subject(text).is_ok(), valid, "{text}");
        }
    }
}

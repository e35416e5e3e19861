//! The facts of a finished handshake, and who the client says it is by its certificate.

use crate::client_auth::sha256;
use crate::pair::{hex, ip_of};
use crate::suites::suite_name;
use crate::table::Serve;
use pn_core::tls::{ClientIdentity, TlsInfo};
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

/// A session was resumed for a client whose certificate has expired since: the connection must be closed. (A full
/// handshake checks the dates itself; a resumed one carries the certificate over from the first.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client's certificate expired after its session began")]
pub struct ClientCertificateExpired;

/// What holds for a connection, to be called once its handshake is complete.
pub fn finished(
    connection: &ServerConnection,
    serve: &Serve,
    now: UnixTime,
) -> Result<TlsInfo, ClientCertificateExpired> {
    let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    let leaf = connection.peer_certificates().and_then(<[_]>::first);
    if resumed && serve.verifies_clients && leaf.is_some_and(|leaf| expired(leaf, now)) {
        return Err(ClientCertificateExpired);
    }
    Ok(TlsInfo {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher_suite: connection.negotiated_cipher_suite().map_or("unknown", suite_name),
        sni: connection.server_name().and_then(crate::normalise_sni).map(|name| Arc::from(&*name)),
        policy: serve.policy,
        resumed,
        client: leaf.map(|leaf| Arc::new(client_identity(leaf, serve.verifies_clients))),
    })
}

/// The identity in a client's leaf certificate. Where it cannot be parsed (only possible when nothing was verified),
/// all but the fingerprint is empty.
pub fn client_identity(leaf: &CertificateDer<'_>, verified: bool) -> ClientIdentity {
    let (fingerprint, certificate) = (hex(&sha256(leaf)), leaf.to_vec());
    let Ok((_, cert)) = X509Certificate::from_der(leaf) else {
        return ClientIdentity { verified, fingerprint, certificate, ..ClientIdentity::default() };
    };
    ClientIdentity {
        verified,
        subject: subject_of(&cert),
        issuer: rfc4514(cert.issuer()),
        sans: sans(&cert),
        serial: hex(cert.raw_serial()),
        fingerprint,
        certificate,
    }
}

/// As RFC 4514 writes it.
pub(crate) fn subject_of(cert: &X509Certificate<'_>) -> String {
    rfc4514(cert.subject())
}

fn expired(leaf: &CertificateDer<'_>, now: UnixTime) -> bool {
    let not_after = X509Certificate::from_der(leaf).map(|(_, cert)| cert.validity().not_after.timestamp());
    not_after.map_or(true, |end| u64::try_from(end).map_or(true, |end| end < now.as_secs()))
}

fn sans(cert: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(sans)) = cert.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => ip_of(bytes).map(|ip| ip.to_string()),
        _ => None,
    };
    sans.value.general_names.iter().filter_map(text).collect()
}

/// RFC 4514: the last part first, every character escaped that would let a value look like two.
fn rfc4514(name: &X509Name<'_>) -> String {
    let part =
        |part: &RelativeDistinguishedName<'_>| part.iter().map(attribute).collect::<Vec<_>>().join("+");
    let mut parts: Vec<String> = name.iter_rdn().map(part).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let short = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => oid.as_str(),
    };
    match attribute.as_str() {
        Ok(text) => format!("{short}={}", escaped(text)),
        Err(_) => format!("{short}=#{}", hex(attribute.attr_value().data)),
    }
}

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        let edge = (i == 0 && matches!(c, ' ' | '#')) || (i == last && c == ' ');
        if c.is_control() {
            let mut utf8 = [0; 4];
            c.encode_utf8(&mut utf8).bytes().for_each(|byte| out.push_str(&format!("\\{byte:02x}")));
            continue;
        }
        if edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_forge_parts() {
        for (value, expected) in [
            ("alice", "alice"),
            ("alice,O=admins", "alice\\,O\\=admins"),
            (" a ", "\\ a\\ "),
            ("#a#", "\\#a#"),
            ("a\r\nX: y", "a\\0d\\0aX: y"),
            ("a\\,b", "a\\\\\\,b"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected);
        }
    }

    #[test]
    fn garbage_has_a_fingerprint_only() {
        let identity = client_identity(&CertificateDer::from(vec![1, 2, 3]), false);
        assert_eq!(identity.subject, "");
        assert_eq!(identity.fingerprint.len(), 64);
    }
}

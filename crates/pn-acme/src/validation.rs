//! The certificate by which a name is proven over TLS (RFC 8737; of an address, RFC 8738). Whom it is shown to is
//! `pn-tls`'s.

use crate::error::AcmeError;
use pn_tls::CertifiedKey;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, SanType};
use rustls_pki_types::PrivateKeyDer;
use std::net::IpAddr;
use std::sync::Arc;

/// Self-signed, for this one name or address, and with the digest (SHA-256) of the key authorization. To be put up with
/// `pn_tls::ChallengeBoard::present_alpn`.
pub fn tls_alpn_certificate(identifier: &str, digest: &[u8; 32]) -> Result<Arc<CertifiedKey>, AcmeError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ACME challenge");
    params.subject_alt_names = vec![match identifier.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(identifier.try_into().map_err(|_| AcmeError::Name {
            name: identifier.to_owned(),
            reason: "the name is not ASCII".to_owned(),
        })?),
    }];
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(|error| AcmeError::signing(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| AcmeError::signing(&error))?;
    let secret = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| AcmeError::signing(&error))?;
    pn_tls::validation_key(certificate.der().clone(), secret).map_err(AcmeError::Signing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::extensions::GeneralName;

    /// RFC 8737 section 3: the one name, and a critical extension whose value is an octet string of the digest.
    #[test]
    fn the_certificate_says_what_the_rfc_wants() {
        let digest: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        for (identifier, expected) in [
            ("a.example", GeneralName::DNSName("a.example")),
            ("10.0.0.1", GeneralName::IPAddress(&[10, 0, 0, 1])),
            ("::1", GeneralName::IPAddress(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ] {
            let made = tls_alpn_certificate(identifier, &digest).unwrap();
            let board = pn_tls::ChallengeBoard::default();
            board.present_alpn(identifier, Arc::clone(&made)).unwrap();
            let (_, cert) = x509_parser::parse_x509_certificate(&made.cert[0]).unwrap();
            let names = &cert.subject_alternative_name().unwrap().unwrap().value.general_names;
            assert_eq!(*names, [expected], "{identifier}");
            let own = |extension: &&x509_parser::extensions::X509Extension<'_>| {
                extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31"
            };
            let extension = cert.extensions().iter().find(own).unwrap();
            assert!(extension.critical);
            assert_eq!(extension.value, [&[4, 32], &digest[..]].concat());
        }
        tls_alpn_certificate("bücher.example", &digest).unwrap_err();
    }
}

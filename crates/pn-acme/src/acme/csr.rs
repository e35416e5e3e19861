//! Keys of certificates, and the requests they are ordered with (RFC 2986). Keys of accounts are in `jws`.

use super::machine::Identifier;
use crate::error::AcmeError;
use pn_model::acme::KeyType;
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use std::fmt;

/// The private key of one certificate. Never printed.
pub struct CertificateKey(KeyPair);

impl CertificateKey {
    /// A new one. RSA takes up to seconds: not on a thread that others wait for.
    pub fn generate(kind: KeyType) -> Result<Self, AcmeError> {
        let pair = match kind {
            KeyType::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyType::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            KeyType::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyType::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
            KeyType::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
        };
        pair.map(Self).map_err(|error| AcmeError::signing(&error))
    }

    /// PKCS#8, for the certificate's file. Not to be printed.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// A request in DER for these names, without a subject: CAs take the names from the extension.
    pub fn request(&self, names: &[Identifier]) -> Result<Vec<u8>, AcmeError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = names.iter().map(alternative_name).collect::<Result<_, _>>()?;
        let request = params.serialize_request(&self.0).map_err(|error| AcmeError::signing(&error))?;
        Ok(request.der().to_vec())
    }
}

impl fmt::Debug for CertificateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateKey")
    }
}

fn alternative_name(name: &Identifier) -> Result<SanType, AcmeError> {
    let refused = |error: rcgen::Error| AcmeError::Name { name: name.to_string(), reason: error.to_string() };
    match name {
        Identifier::Ip(address) => Ok(SanType::IpAddress(*address)),
        Identifier::Dns(text) => text.as_str().try_into().map(SanType::DnsName).map_err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::extensions::ParsedExtension;
    use x509_parser::prelude::FromDer;
    use x509_parser::public_key::PublicKey;

    #[test]
    fn requests_hold_the_names_and_the_kind_of_key() {
        use KeyType::*;
        for (kind, bits) in [(P256, 256), (P384, 384), (Rsa2048, 2048), (Rsa3072, 3072), (Rsa4096, 4096)] {
            let key = CertificateKey::generate(kind).unwrap();
            let names = ["a.test", "*.b.test", "192.0.2.1", "2001:db8::1"].map(Identifier::parse);
            let der = key.request(&names).unwrap();
            let (_, request) = X509CertificationRequest::from_der(&der).unwrap();
            let info = &request.certification_request_info;
            assert_eq!(info.subject.iter().count(), 0, "no subject");
            let size = match info.subject_pki.parsed().unwrap() {
                PublicKey::RSA(key) => key.key_size(),
                PublicKey::EC(point) => (point.data().len() - 1) / 2 * 8,
                other => panic!("{other:?}"),
            };
            assert_eq!(size, bits, "{kind:?}");
            let count = request.requested_extensions().unwrap().find_map(|extension| match extension {
                ParsedExtension::SubjectAlternativeName(names) => Some(names.general_names.len()),
                _ => None,
            });
            assert_eq!(count, Some(4));
            assert!(KeyPair::from_pem(&key.to_pem()).is_ok());
            assert_eq!(format!("{key:?}"), "CertificateKey");
        }
    }
}

//! What is read from certificates: whether a chain is what was ordered, which one is preferred, and the name that
//! renewal information goes by. Certificates are made in `csr` and by the CA.

use super::machine::Identifier;
use super::pem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fmt;
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// Certificates of one chain. Those of public CAs have two or three.
const CHAIN: usize = 10;

/// The name of a certificate in renewal information and in `replaces` (RFC 9773 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertId(String);

impl CertId {
    /// `None` where the certificate has no key identifier of its issuer.
    pub fn of_der(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let issuer =
            certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(issuer) => issuer.key_identifier.as_ref(),
                _ => None,
            })?;
        let serial = BASE64URL.encode(certificate.raw_serial());
        Some(Self(format!("{}.{serial}", BASE64URL.encode(issuer.0))))
    }

    /// Of the first certificate of a PEM text.
    pub fn of_pem(chain: &str) -> Option<Self> {
        Self::of_der(&CertificateDer::from_pem_slice(chain.as_bytes()).ok()?)
    }
}

impl fmt::Display for CertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The leaf first. What is wrong otherwise.
pub(crate) struct Chain(Vec<CertificateDer<'static>>);

impl Chain {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).take(CHAIN + 1).collect();
        match read {
            Ok(chain) if chain.is_empty() => Err("no certificate"),
            Ok(chain) if chain.len() > CHAIN => Err("a chain of more than ten certificates"),
            Ok(chain) => Ok(Self(chain)),
            Err(_) => Err("a chain that is no PEM"),
        }
    }

    /// Whether the leaf is for the key of the request and for all the names.
    pub(crate) fn fits(&self, request: &[u8], names: &[Identifier]) -> Result<(), &'static str> {
        let leaf = self.0.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        let (_, leaf) = leaf.ok_or("a certificate that cannot be read")?;
        let request = X509CertificationRequest::from_der(request).ok();
        let key = request.map(|(_, request)| request.certification_request_info.subject_pki.raw);
        if key != Some(leaf.public_key().raw) {
            return Err("a certificate for another key than the one that was sent");
        }
        let held = names_of(&leaf);
        if names.iter().all(|name| held.contains(name)) {
            Ok(())
        } else {
            Err("a certificate that lacks a name that was ordered")
        }
    }

    /// Common name of the issuer of the last certificate: the root, whether it is in the chain or not.
    pub(crate) fn topmost_issuer(&self) -> Option<String> {
        let (_, last) = X509Certificate::from_der(self.0.last()?).ok()?;
        common_name(last.issuer())
    }

    /// Without whatever else stood between the certificates.
    pub(crate) fn to_pem(&self) -> String {
        self.0.iter().map(|certificate| pem::encode("CERTIFICATE", certificate)).collect()
    }
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().next()?.as_str().ok().map(str::to_owned)
}

fn names_of(leaf: &X509Certificate<'_>) -> Vec<Identifier> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    names.value.general_names.iter().filter_map(identifier).collect()
}

fn identifier(name: &GeneralName<'_>) -> Option<Identifier> {
    match name {
        GeneralName::DNSName(name) => Some(Identifier::Dns(name.to_ascii_lowercase())),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(Identifier::Ip)
        }
        _ => None,
    }
}

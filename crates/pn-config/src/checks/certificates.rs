//! A certificate and its key: whether they are of each other, cover the hosts, and are valid today.

use crate::diagnostic::Diagnostic;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use pn_model::HostPattern;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Warn when less is left: enough for somebody to act over a holiday.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// What a check wants to know of a leaf certificate.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    not_before: SystemTime,
    not_after: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    NoCertificate,
    Damaged,
    NoKey,
    KeyKind,
    Mismatch,
}

/// The leaf of a PEM chain, if the PEM key is its own.
pub(super) fn load(chain: &[u8], key: &[u8]) -> Result<Leaf, Wrong> {
    let der = match CertificateDer::pem_slice_iter(chain).next() {
        Some(Ok(der)) => der,
        Some(Err(_)) => return Err(Wrong::Damaged),
        None => return Err(Wrong::NoCertificate),
    };
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| Wrong::Damaged)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Wrong::NoKey)?;
    let public = public_key(&key).ok_or(Wrong::KeyKind)?;
    if *certificate.public_key().subject_public_key.data != *public {
        return Err(Wrong::Mismatch);
    }
    Ok(leaf(&certificate))
}

/// What is wrong with a leaf for these hosts, and at this time. Labels are the caller's.
pub(super) fn judge(leaf: &Leaf, hosts: &[HostPattern], now: SystemTime) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let missing: Vec<_> =
        hosts.iter().filter(|host| !leaf.covers(host)).map(|host| format!("`{host}`")).collect();
    if !missing.is_empty() {
        let message = format!("the certificate does not cover {}", missing.join(", "));
        let own: Vec<_> =
            leaf.names.iter().cloned().chain(leaf.addresses.iter().map(IpAddr::to_string)).collect();
        let help = match own.is_empty() {
            true => "it has no subject alternative names, and clients look at nothing else".to_owned(),
            false => format!("it is for {}", own.join(", ")),
        };
        found.push(Diagnostic::error("certificate-host", message).help(help));
    }
    let days = |time: Duration| time.as_secs() / 86_400;
    let late = match leaf.not_after.duration_since(now) {
        Ok(left) if left < SOON => Some(format!("the certificate expires in {} days", days(left))),
        Ok(_) => None,
        Err(past) => Some(format!("the certificate expired {} days ago", days(past.duration()))),
    };
    if let Some(message) = late {
        found.push(Diagnostic::warning("certificate-expiry", message).help("renew it"));
    }
    if let Ok(early) = leaf.not_before.duration_since(now) {
        let message = format!("the certificate is not valid for another {} days", days(early) + 1);
        found.push(
            Diagnostic::warning("certificate-expiry", message).help("check the clock and the certificate"),
        );
    }
    found
}

impl Leaf {
    /// A wildcard of any depth counts as covered where its first label is.
    fn covers(&self, host: &HostPattern) -> bool {
        match host {
            HostPattern::Any => true,
            HostPattern::OneLabel(suffix) | HostPattern::AnyDepth(suffix) => {
                self.names.iter().any(|name| name.strip_prefix("*.") == Some(suffix))
            }
            HostPattern::Exact(host) => match host.parse::<IpAddr>() {
                Ok(address) => self.addresses.contains(&address),
                Err(_) => self.names.iter().any(|name| match name.strip_prefix("*.") {
                    Some(suffix) => HostPattern::OneLabel(suffix.to_owned()).matches(host),
                    None => name == host,
                }),
            },
        }
    }
}

fn leaf(certificate: &X509Certificate<'_>) -> Leaf {
    let mut leaf = Leaf {
        names: Vec::new(),
        addresses: Vec::new(),
        not_before: time(certificate.validity().not_before.timestamp()),
        not_after: time(certificate.validity().not_after.timestamp()),
    };
    let alternative = certificate.subject_alternative_name().ok().flatten();
    for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => leaf.names.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(octets) => leaf.addresses.extend(address(octets)),
            _ => {}
        }
    }
    leaf
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.ok().or_else(|| <[u8; 16]>::try_from(octets).map(IpAddr::from).ok())
}

fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// The bits that a certificate of this key carries as its public key.
fn public_key(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let der = key.secret_der();
    let rsa = match key {
        PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(der).ok(),
        _ => RsaKeyPair::from_pkcs8(der).ok(),
    };
    if let Some(pair) = rsa {
        return Some(pair.public_key().as_ref().to_vec());
    }
    let curves =
        [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
    if let Some(pair) =
        curves.into_iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())
    {
        return Some(pair.public_key().as_ref().to_vec());
    }
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(|pair| pair.public_key().as_ref().to_vec())
}

impl Wrong {
    pub(super) fn code(self) -> &'static str {
        if self == Self::Mismatch { "key-mismatch" } else { "invalid-certificate" }
    }

    /// Whether it is the key alone that has to be mended.
    pub(super) fn is_of_key(self) -> bool {
        matches!(self, Self::NoKey | Self::KeyKind)
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::NoCertificate | Self::Damaged => "`cert` is a PEM chain, the leaf first",
            Self::NoKey => "`key` is a PEM private key without a password",
            Self::KeyKind => "RSA, ECDSA (P-256, P-384, P-521) and Ed25519 keys are taken",
            Self::Mismatch => {
                "name the key that the certificate was made with; the leaf comes first in `cert`"
            }
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "there is no certificate in `cert`",
            Self::Damaged => "the certificate is damaged",
            Self::NoKey => "there is no private key in `key`",
            Self::KeyKind => "the private key is of a kind that is not taken",
            Self::Mismatch => "the certificate and the private key are not of each other",
        })
    }
}

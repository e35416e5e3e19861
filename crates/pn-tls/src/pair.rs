//! One certificate chain with its key, from files: read, checked, and what is needed to choose among several.

use crate::client_auth::Reports;
use crate::error::TlsErrorKind;
use crate::pem::{PemReader, name_of};
use pn_model::HostPattern;
use pn_model::NodePath;
use pn_model::site::{CertificateFiles, PemSource};
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::net::IpAddr;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Warn when less than this is left of a certificate, or less than a quarter of its life when that is shorter.
const EXPIRY_WARNING: u64 = 14 * 24 * 3600;

const SCHEMES: [SignatureScheme; 10] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) key: Arc<CertifiedKey>,
    /// Lower-case names and addresses of the certificate.
    pub(crate) names: Vec<String>,
    /// Seconds since 1970.
    pub(crate) not_after: u64,
    /// What its key can sign with.
    schemes: Vec<SignatureScheme>,
}

/// Facts of a leaf certificate that people want to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) names: Vec<String>,
    pub(crate) serial: String,
    pub(crate) signed_by: String,
    pub(crate) key_type: &'static str,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
}

impl Pair {
    pub(crate) fn signs(&self, offered: &[SignatureScheme]) -> bool {
        self.schemes.iter().any(|scheme| offered.contains(scheme))
    }

    pub(crate) fn is_for(&self, name: &str) -> bool {
        let wildcard = |own: &String| {
            let rest = own.strip_prefix('*')?;
            name.strip_suffix(rest).map(|label| !label.is_empty() && !label.contains('.'))
        };
        self.names.iter().any(|own| own == name || wildcard(own).unwrap_or(false))
    }

    /// Elliptic curves sign faster than RSA and go first.
    pub(crate) fn rank(&self) -> u8 {
        rank(&self.key)
    }
}

/// Of its kind of key, the cheapest first.
pub(crate) fn rank(key: &CertifiedKey) -> u8 {
    match key.key.algorithm() {
        SignatureAlgorithm::ECDSA => 0,
        SignatureAlgorithm::ED25519 => 1,
        _ => 2,
    }
}

/// Reads and checks every pair of a site. `at` is the path of `certificate`. `None` after an error was reported.
pub(crate) fn load_pairs(
    files_of_site: &[CertificateFiles],
    hosts: &[HostPattern],
    at: &NodePath,
    provider: &CryptoProvider,
    pem: &mut PemReader,
    now: UnixTime,
    reports: &mut Reports<'_>,
) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (i, files) in files_of_site.iter().enumerate() {
        let place = if files_of_site.len() == 1 { at.clone() } else { at.child(format!("[{i}]")) };
        match load_pair(files, provider, pem) {
            Ok((pair, facts)) => {
                warn_of_expiry(&facts, &files.cert, &place.child("cert"), now, reports);
                pairs.push(pair);
            }
            Err(kind) => reports.error(place, kind),
        }
    }
    if pairs.len() < files_of_site.len() {
        return None;
    }
    pairs.sort_by_key(Pair::rank);
    check_coverage(&pairs, hosts, at, reports).then_some(pairs)
}

fn load_pair(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    pem: &mut PemReader,
) -> Result<(Pair, Facts), TlsErrorKind> {
    let chain = pem.certificates(&files.cert)?;
    let invalid = |reason: String| TlsErrorKind::Invalid { source_name: name_of(&files.cert), reason };
    let facts = chain.first().and_then(|leaf| facts(leaf)).ok_or_else(|| invalid("not X.509".into()))?;
    let key = provider.key_provider.load_private_key(pem.key(&files.key)?).map_err(|error| {
        TlsErrorKind::Invalid { source_name: name_of(&files.key), reason: error.to_string() }
    })?;
    let schemes = schemes_of(key.as_ref());
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Ok(()) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(TlsErrorKind::KeyMismatch {
                certificate: name_of(&files.cert),
                key: name_of(&files.key),
            });
        }
        Err(error) => return Err(invalid(error.to_string())),
    }
    let pair = Pair { key: Arc::new(key), names: facts.names.clone(), not_after: facts.not_after, schemes };
    Ok((pair, facts))
}

/// For a client certificate of the upstream side, where no host has to be covered.
pub(crate) fn load_client_pair(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    pem: &mut PemReader,
) -> Result<Arc<CertifiedKey>, TlsErrorKind> {
    load_pair(files, provider, pem).map(|(pair, _)| pair.key)
}

/// A chain, leaf first, with its key, ready for the store. The reason when they cannot be read or do not match.
pub fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, String> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map(Arc::new).map_err(|error| error.to_string())
}

/// The certificate of a validation by `tls-alpn-01` with its key. Whether they match is not looked at: its critical
/// extension (RFC 8737 section 3) is one that the library refuses to read.
pub fn validation_key(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, String> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
}

/// What a key can sign with.
pub(crate) fn schemes_of(key: &dyn SigningKey) -> Vec<SignatureScheme> {
    SCHEMES.into_iter().filter(|scheme| key.choose_scheme(&[*scheme]).is_some()).collect()
}

pub(crate) fn facts(leaf: &CertificateDer<'_>) -> Option<Facts> {
    let (_, cert) = X509Certificate::from_der(leaf).ok()?;
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
    Some(Facts {
        names: names_of(&cert),
        serial: hex(cert.raw_serial()),
        signed_by: signer_of(&cert),
        key_type: key_type_of(&cert),
        not_before: seconds(cert.validity().not_before),
        not_after: seconds(cert.validity().not_after),
    })
}

/// The common name of who signed it, or all that there is of its name.
fn signer_of(cert: &X509Certificate<'_>) -> String {
    let name = cert.issuer();
    let common = name.iter_common_name().next().and_then(|name| name.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}

/// As the configuration calls them where it knows them.
fn key_type_of(cert: &X509Certificate<'_>) -> &'static str {
    match cert.public_key().parsed() {
        Ok(PublicKey::EC(point)) => match point.key_size() {
            256 => "p256",
            384 => "p384",
            521..=528 => "p521",
            _ => "ec",
        },
        Ok(PublicKey::RSA(key)) => match key.key_size() {
            2048 => "rsa2048",
            3072 => "rsa3072",
            4096 => "rsa4096",
            _ => "rsa",
        },
        _ if cert.public_key().algorithm.algorithm == OID_SIG_ED25519 => "ed25519",
        _ => "other",
    }
}

fn names_of(cert: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(sans)) = cert.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => ip_of(bytes).map(|ip| ip.to_string()),
        _ => None,
    };
    sans.value.general_names.iter().filter_map(name).collect()
}

pub(crate) fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn warn_of_expiry(facts: &Facts, cert: &PemSource, at: &NodePath, now: UnixTime, reports: &mut Reports<'_>) {
    let now = now.as_secs();
    let source = name_of(cert);
    let lead = EXPIRY_WARNING.min(facts.not_after.saturating_sub(facts.not_before) / 4);
    if now >= facts.not_after {
        let days = (now - facts.not_after) / 86_400;
        reports.warn(at.clone(), format!("the certificate in {source} expired {days} days ago"));
    } else if facts.not_after - now < lead {
        let days = (facts.not_after - now) / 86_400;
        reports.warn(at.clone(), format!("the certificate in {source} expires in {days} days"));
    } else if now < facts.not_before {
        reports.warn(at.clone(), format!("the certificate in {source} is not valid yet"));
    }
}

fn check_coverage(pairs: &[Pair], hosts: &[HostPattern], at: &NodePath, reports: &mut Reports<'_>) -> bool {
    let mut all = true;
    for host in hosts {
        if !pairs.iter().any(|pair| covers(pair, host)) {
            let names: Vec<&str> =
                pairs.iter().flat_map(|pair| &pair.names).take(10).map(String::as_str).collect();
            let names = if names.is_empty() { "no name at all".into() } else { names.join(", ") };
            reports.error(at.clone(), TlsErrorKind::NotCovered { host: host.to_string(), names });
            all = false;
        }
    }
    all
}

/// A wildcard of a certificate stands for one label, so no certificate covers `**.host` below its first level; the
/// first level is asked for.
fn covers(pair: &Pair, host: &HostPattern) -> bool {
    match host {
        HostPattern::Any => true,
        HostPattern::OneLabel(suffix) | HostPattern::AnyDepth(suffix) => {
            let wildcard = format!("*.{suffix}");
            pair.names.contains(&wildcard)
        }
        HostPattern::Exact(host) => pair.is_for(host),
    }
}

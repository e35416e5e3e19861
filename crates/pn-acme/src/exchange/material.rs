//! Keys and certificates as other programs leave them: read, checked against each other, and written in one form.

use crate::Time;
use crate::acme::{AccountKey, check_url, pem};
use crate::records::{AccountRecord, CertificateRecord, Source, Upkeep};
use crate::storage::{VALUE_BYTES, certificate_id};
use pn_model::Secret;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;
use x509_parser::asn1_rs::{Any, FromDer, OctetString, Oid, Sequence};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;

/// Of one chain; those of public CAs have two or three.
const CHAIN: usize = 10;
/// A certificate, its chain and its key in PEM: half of what a store takes as a value.
const CERTIFICATE_BYTES: usize = VALUE_BYTES / 2;
/// What a CA said of an account.
const BODY_BYTES: usize = 64 << 10;
/// RFC 5321 section 4.5.3.1: 64 of a mailbox, 255 of a domain.
const EMAIL_BYTES: usize = 320;
/// RFC 1035 section 2.3.4.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;
const DAY: u64 = 86_400;

/// Certificates of one issuer, one for a set of names.
#[derive(Default)]
pub(super) struct Certificates {
    records: Vec<CertificateRecord>,
    /// Where in `records`, by id.
    places: HashMap<String, usize>,
}

impl Certificates {
    /// Of two for the same names, the one that is valid longer stays. Whether there were two.
    pub(super) fn add(&mut self, record: CertificateRecord) -> bool {
        let free = self.records.len();
        let place = *self.places.entry(certificate_id(&record.names)).or_insert(free);
        match self.records.get_mut(place) {
            None => {
                self.records.push(record);
                false
            }
            Some(twin) => {
                if end(&record) > end(twin) {
                    *twin = record;
                }
                true
            }
        }
    }

    pub(super) fn into_vec(self) -> Vec<CertificateRecord> {
        self.records
    }
}

/// A chain and its key. The reason when they cannot be read or do not belong together. `first` is the name for people,
/// if the certificate has it.
pub(super) fn certificate(chain: &[u8], key: &[u8], first: &str) -> Result<CertificateRecord, String> {
    if chain.len() + key.len() > CERTIFICATE_BYTES {
        return Err(format!("it is above {CERTIFICATE_BYTES} bytes; no certificate is that large"));
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .take(CHAIN + 1)
        .collect::<Result<_, _>>()
        .map_err(|_| "its certificate is no PEM")?;
    if chain.len() > CHAIN {
        return Err(format!("its chain has more than {CHAIN} certificates"));
    }
    let leaf = chain.first().ok_or("there is no certificate in it")?;
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| "its certificate cannot be read")?;
    let names = names_of(&leaf, first);
    if names.is_empty() {
        return Err("its certificate is for no name".into());
    }
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(format!("its certificate is for `{name}`, which no site could be called"));
    }
    let obtained_at = u64::try_from(leaf.validity().not_before.timestamp()).unwrap_or(0);
    let chain_pem = chain.iter().map(|certificate| pem::encode("CERTIFICATE", certificate)).collect();
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "its key is no PEM (PKCS#8, PKCS#1 or SEC1)")?;
    let key_pem = key_pem(&key);
    pn_tls::certified_key(chain, key)
        .map_err(|error| format!("its key cannot be used or is another certificate's ({error})"))?;
    Ok(CertificateRecord {
        names,
        issuer_directory: String::new(),
        key_pem,
        chain_pem,
        obtained_at,
        replaced_by: None,
        profile: None,
        ari: None,
        source: Source::Imported,
        revoked_at: None,
        ocsp: None,
        unwanted_since: None,
        proven_by: None,
        unknown: serde_json::Map::new(),
    })
}

/// Until when it is valid; 0 where that cannot be read.
pub(super) fn end(record: &CertificateRecord) -> Time {
    record.validity().map_or(0, |(_, end)| end)
}

/// What is to be told of a certificate that has expired.
pub(super) fn expiry_note(record: &CertificateRecord, now: Time) -> Option<String> {
    let days = now.checked_sub(end(record))? / DAY;
    Some(format!("it expired {days} days ago; it is taken along, and renewed as soon as a site asks for it"))
}

/// An account of a CA that is still to be said. The reason if it could not be used.
pub(super) fn account(
    url: String,
    email: Option<String>,
    key: &PrivateKeyDer<'_>,
    body: Value,
    now: Time,
) -> Result<AccountRecord, String> {
    AccountKey::from_der(key.secret_der()).map_err(|error| format!("its key {error}"))?;
    // Whether it has to be https is known with the CA.
    check_url(&url, "http://").map_err(|_| format!("`{url}` is no URL of an account"))?;
    if email.as_deref().is_some_and(|email| !is_address(email)) {
        return Err("its address is none".into());
    }
    if body.to_string().len() > BODY_BYTES {
        return Err(format!("what its CA said of it is above {BODY_BYTES} bytes"));
    }
    Ok(AccountRecord {
        directory: String::new(),
        url,
        email,
        key_pem: key_pem(key),
        registered_at: now,
        body,
        upkeep: Upkeep::default(),
        unknown: serde_json::Map::new(),
    })
}

/// PKCS#1 of an RSA key in PEM; `None` for keys of another kind.
pub(super) fn rsa_der(key_pem: &Secret) -> Option<Vec<u8>> {
    match PrivateKeyDer::from_pem_slice(key_pem.expose().as_bytes()).ok()? {
        PrivateKeyDer::Pkcs1(key) => Some(key.secret_pkcs1_der().to_vec()),
        PrivateKeyDer::Pkcs8(key) => rsa_in_pkcs8(key.secret_pkcs8_der()),
        _ => None,
    }
}

/// A host, also with a wildcard as its first label, or an address.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=LABEL_BYTES).contains(&label.len()) && label.bytes().all(known)
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    name.parse::<IpAddr>().is_ok() || (name.len() <= NAME_BYTES && host.split('.').all(label))
}

fn is_address(email: &str) -> bool {
    email.len() <= EMAIL_BYTES && !email.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn key_pem(key: &PrivateKeyDer<'_>) -> Secret {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    Secret::new(pem::encode(label, key.secret_der()))
}

/// RFC 5208 section 5: version, algorithm, key.
fn rsa_in_pkcs8(der: &[u8]) -> Option<Vec<u8>> {
    let (_, outer) = Sequence::from_der(der).ok()?;
    let (rest, _version) = Any::from_der(&outer.content).ok()?;
    let (rest, algorithm) = Sequence::from_der(rest).ok()?;
    let (_, algorithm) = Oid::from_der(&algorithm.content).ok()?;
    let (_, key) = OctetString::from_der(rest).ok()?;
    (algorithm == OID_PKCS1_RSAENCRYPTION).then(|| key.as_ref().to_vec())
}

/// Names and addresses, each once, `first` first.
fn names_of(leaf: &X509Certificate<'_>, first: &str) -> Vec<String> {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    let mut names: Vec<String> = Vec::new();
    for name in alternatives.value.general_names.iter().filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if let Some(at) = names.iter().position(|name| name.eq_ignore_ascii_case(first)) {
        let first = names.remove(at);
        names.insert(0, first);
    }
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

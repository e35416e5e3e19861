//! What is stored: accounts, certificates with their keys, schedules, throttles, answers to challenges. Plain data as
//! JSON, readable by people, one record a value. Where it is stored is `storage`'s.
//!
//! A record says its `version`. One of a later version is refused, as its fields may mean something else; fields that
//! are not known in this version are kept when the record is written again, so that two releases may share a store.

mod secret;

use crate::Time;
use crate::storage::{Ca, Expected, Key, Lease, Storage, StorageError, Stored, Version, certificate_id};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pn_model::Secret;
use pn_tls::CertificateInfo;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Of every record that this release writes.
const VERSION: u32 = 1;

/// An account at a CA. The key is what makes it ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// URL of the CA's directory.
    pub directory: String,
    /// URL of the account, `kid` of what it signs (RFC 8555 section 6.2).
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// PKCS#8, or the PKCS#1 and SEC1 that other programs leave.
    #[serde(with = "secret")]
    pub key_pem: Secret,
    pub registered_at: Time,
    /// The account object as the CA answered it (RFC 8555 section 7.1.2).
    #[serde(default)]
    pub body: Value,
    #[serde(default, skip_serializing_if = "Upkeep::is_empty")]
    pub upkeep: Upkeep,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What is under way with an account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upkeep {
    /// The key that a rollover gives it: from before the CA is asked until it is known which of the two it has.
    #[serde(with = "secret::optional", skip_serializing_if = "Option::is_none")]
    pub next_key_pem: Option<Secret>,
    /// The CA has not been told of the address yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contact_due: bool,
    /// When this account took the place of one that was deactivated at the CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_at: Option<Time>,
}

/// A certificate with its chain and its key: one value, so that they cannot disagree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// The name for people first.
    pub names: Vec<String>,
    /// URL of the directory of the CA that issued it.
    pub issuer_directory: String,
    #[serde(with = "secret")]
    pub key_pem: Secret,
    /// Leaf first.
    pub chain_pem: String,
    pub obtained_at: Time,
    /// The id of the certificate that takes its place (RFC 9773 section 4.1): this one is not renewed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ari: Option<AriRecord>,
    pub source: Source,
    /// When the CA was told to take it back. It serves until another is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Time>,
    /// What the CA says of its revocation, to be stapled (RFC 6960): base64 of the DER. Nobody asks for it yet: Let's
    /// Encrypt answers no more such questions. Handshakes show what is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<String>,
    /// When a node found that it has ended and is not wanted there. Nodes that want it take this away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwanted_since: Option<Time>,
    /// By which challenge a name of it was proven, as ACME calls it: the next order begins with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_by: Option<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    Obtained,
    Imported,
}

/// What the CA said about the renewal (RFC 9773). Stored, so that all nodes keep to one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AriRecord {
    pub window_start: Time,
    pub window_end: Time,
    /// The moment in the window that was drawn.
    pub selected: Time,
    /// Not asked again before.
    pub retry_after: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

/// How obtaining a certificate goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Rounds that failed in a row.
    pub failures: u32,
    /// When the first of them ended.
    #[serde(default)]
    pub since: Time,
    /// When this was written, by the clock of who wrote it.
    #[serde(default)]
    pub last: Time,
    pub next_try: Time,
    /// The directory at which the round has come; none: it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether its staging directory has just said yes.
    #[serde(default)]
    pub rehearsed: bool,
    /// Directories whose next try goes to their staging directory first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rehearse: BTreeSet<String>,
    /// Directories that asked for patience, and until when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held_back: BTreeMap<String, Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// When an account placed its last orders, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThrottleRecord {
    pub orders: Vec<Time>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A name that a client brought, and that was allowed a certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuestRecord {
    pub name: String,
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// When a client last came for it, to a day.
    pub used: Time,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What any node answers a validation with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChallengeRecord {
    /// Name or address.
    pub identifier: String,
    pub token: String,
    #[serde(with = "secret")]
    pub key_authorization: Secret,
    /// Nobody asks for it after this: it may be cleared away.
    pub expires: Time,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Why bytes are no record that this release can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is of version {0}, and this release knows {VERSION}; run a newer proxy-now")]
    Later(u32),
    /// The reason, without secrets.
    #[error("{0}")]
    Damaged(String),
}

/// What is stored as a value of its own.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    fn to_bytes(&self) -> Vec<u8> {
        let versioned = Versioned { version: VERSION, record: self };
        // Maps with text keys and no type of ours that refuses: there is nothing that could fail.
        let mut bytes = serde_json::to_vec_pretty(&versioned).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
        let found: Probe = serde_json::from_slice(bytes).map_err(damaged)?;
        if found.version > VERSION {
            return Err(Unreadable::Later(found.version));
        }
        let versioned: Versioned<Self> = serde_json::from_slice(bytes).map_err(damaged)?;
        Ok(versioned.record)
    }

    /// What was stored for this key.
    fn of(key: &Key, stored: &Stored) -> Result<Self, StorageError> {
        Self::from_bytes(&stored.value).map_err(|why| match &why {
            Unreadable::Later(_) => StorageError::Later { key: key.clone(), reason: why.to_string() },
            Unreadable::Damaged(_) => StorageError::Damaged { key: key.clone(), reason: why.to_string() },
        })
    }
}

impl Record for AccountRecord {}
impl Record for CertificateRecord {}
impl Record for ScheduleRecord {}
impl Record for ThrottleRecord {}
impl Record for ChallengeRecord {}
impl Record for GuestRecord {}

/// Reads a record, with the version that a later `save` may expect.
pub async fn load<T: Record>(storage: &dyn Storage, key: &Key) -> Result<Option<(T, Version)>, StorageError> {
    let Some(stored) = storage.load(key).await? else { return Ok(None) };
    Ok(Some((T::of(key, &stored)?, stored.version)))
}

pub async fn save<T: Record>(
    storage: &dyn Storage,
    key: &Key,
    record: &T,
    expected: Expected,
    under: Option<&Lease>,
) -> Result<Version, StorageError> {
    storage.save(key, &record.to_bytes(), expected, under).await
}

impl AccountRecord {
    pub fn key(&self) -> Key {
        Key::account(&Ca::of(&self.directory), self.email.as_deref())
    }
}

impl Upkeep {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl GuestRecord {
    pub fn key(&self) -> Key {
        Key::on_demand(&certificate_id(&[&self.name]))
    }
}

impl CertificateRecord {
    pub fn key(&self) -> Key {
        Key::certificate(&Ca::of(&self.issuer_directory), &certificate_id(&self.names))
    }

    /// The first certificate of the chain.
    pub fn leaf(&self) -> Result<CertificateDer<'static>, String> {
        let first = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes()).next();
        first.ok_or("there is no certificate in it")?.map_err(|error| error.to_string())
    }

    /// What the first certificate says of itself.
    pub fn info(&self) -> Result<CertificateInfo, String> {
        pn_tls::certificate_info(&self.leaf()?).ok_or_else(|| "it is no X.509 certificate".to_owned())
    }

    /// What is stapled; none where it cannot be read, as clients do without.
    pub fn staple(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.ocsp.as_ref()?).ok().filter(|staple| !staple.is_empty())
    }

    /// From when until when it is valid.
    pub fn validity(&self) -> Result<(Time, Time), String> {
        let leaf = self.leaf()?;
        let (_, leaf) = x509_parser::parse_x509_certificate(&leaf).map_err(|error| error.to_string())?;
        let time = |at: x509_parser::time::ASN1Time| u64::try_from(at.timestamp()).unwrap_or(0);
        Ok((time(leaf.validity().not_before), time(leaf.validity().not_after)))
    }
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    record: T,
}

#[derive(Deserialize)]
struct Probe {
    version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountRecord {
        AccountRecord {
            directory: "https://ca.example/directory".into(),
            url: "https://ca.example/account/1".into(),
            email: Some("ops@example.org".into()),
            key_pem: Secret::new("-----BEGIN PRIVATE KEY-----"),
            registered_at: 1_700_000_000,
            body: serde_json::json!({ "status": "valid" }),
            upkeep: Upkeep::default(),
            unknown: Map::new(),
        }
    }

    #[test]
    fn what_is_under_way_is_written_only_where_something_is() {
        let plain = String::from_utf8(account().to_bytes()).unwrap();
        assert!(!plain.contains("upkeep"), "{plain}");
        let next_key_pem = Some(Secret::new("-----BEGIN PRIVATE KEY-----"));
        let upkeep = Upkeep { next_key_pem, contact_due: true, replaced_at: Some(7) };
        let record = AccountRecord { upkeep, ..account() };
        assert_eq!(AccountRecord::from_bytes(&record.to_bytes()).unwrap(), record);
        assert!(!format!("{record:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_record_comes_back_and_keeps_what_it_does_not_know() {
        let text = String::from_utf8(account().to_bytes()).unwrap();
        assert!(text.contains("\"version\": 1"), "{text}");
        assert_eq!(AccountRecord::from_bytes(text.as_bytes()).unwrap(), account());
        let later = text.replace("\"url\"", "\"of-a-later-release\": 7, \"url\"");
        let kept = AccountRecord::from_bytes(later.as_bytes()).unwrap();
        assert!(String::from_utf8(kept.to_bytes()).unwrap().contains("of-a-later-release"));
        assert_eq!(kept.unknown.len(), 1, "the version is not among them: {:?}", kept.unknown);
    }

    #[test]
    fn what_is_no_record_of_ours_is_refused_with_a_reason() {
        let good = String::from_utf8(account().to_bytes()).unwrap();
        for (bytes, reason) in [
            (good.replace("\"version\": 1", "\"version\": 2"), "run a newer proxy-now"),
            (good.replace("\"key_pem\"", "\"key\""), "missing field `key_pem`"),
            (good.replace("\"version\": 1,", ""), "missing field `version`"),
            ("{}".into(), "missing field `version`"),
            (String::new(), "EOF"),
            (good.chars().take(80).collect(), "EOF"),
        ] {
            let told = AccountRecord::from_bytes(bytes.as_bytes()).unwrap_err();
            assert!(told.to_string().contains(reason), "{told}");
            assert_eq!(matches!(told, Unreadable::Later(2)), bytes.contains("\"version\": 2"), "{told}");
        }
    }

    #[test]
    fn keys_are_never_printed() {
        let shown = format!("{:?}", account());
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}

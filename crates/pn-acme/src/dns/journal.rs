//! What stands in a zone and is to be taken out again, noted in the certificate store before it is put there. So what a
//! process left behind when it was killed is removed later, by whichever node has an order at the same issuer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::DnsError;
use super::presenter::{RawChallenge, TxtRecord};
use crate::Time;
use crate::acme::{Challenge, ChallengeKind};
use crate::records::{Record, load, save};
use crate::storage::{CHALLENGES, Expected, Key, Storage, StorageError};

/// Notes that are looked at in one go; there are as many as orders in flight.
const NOTES: usize = 1_000;

/// The notes of one issuer.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) issuer: String,
}

/// One TXT record. What it is computed from is as public as the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Name of the issuer in the configuration.
    issuer: String,
    identifier: String,
    token: String,
    key_authorization: String,
    /// Where it stands; an alias may lead elsewhere by the time it is removed.
    pub(super) fqdn: String,
    value: String,
    /// No order is in flight any more after this.
    expires: Time,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Record for Note {}

impl Journal {
    pub(super) async fn note(
        &self,
        challenge: &Challenge,
        record: &TxtRecord,
        expires: Time,
    ) -> Result<(), DnsError> {
        let note = Note {
            issuer: self.issuer.clone(),
            identifier: challenge.identifier.to_string(),
            token: challenge.token.clone(),
            key_authorization: challenge.key_authorization.clone(),
            fqdn: record.fqdn.clone(),
            value: record.value.clone(),
            expires,
            unknown: Map::new(),
        };
        save(&*self.storage, &key(&challenge.token), &note, Expected::Any, None).await?;
        Ok(())
    }

    /// `None`: it was never put anywhere, or is removed already.
    pub(super) async fn find(&self, challenge: &Challenge) -> Result<Option<Note>, DnsError> {
        let found = load::<Note>(&*self.storage, &key(&challenge.token)).await?;
        Ok(found.map(|(note, _)| note).filter(|note| note.issuer == self.issuer))
    }

    pub(super) async fn forget(&self, note: &Note) -> Result<(), DnsError> {
        Ok(self.storage.delete(&key(&note.token), Expected::Any, None).await?)
    }

    /// What no order needs any more.
    pub(super) async fn overdue(&self, now: Time) -> Result<Vec<Note>, DnsError> {
        let folder = format!("{CHALLENGES}/{}", ChallengeKind::Dns01.name());
        let mut overdue = Vec::new();
        for key in self.storage.list(&folder).await?.into_iter().take(NOTES) {
            if let Ok(Some((note, _))) = load::<Note>(&*self.storage, &key).await
                && note.expires < now
                && note.issuer == self.issuer
            {
                overdue.push(note);
            }
        }
        Ok(overdue)
    }
}

impl Note {
    /// As it is to be removed.
    pub(super) fn record(&self) -> TxtRecord {
        let raw = RawChallenge {
            domain: self.identifier.clone(),
            token: self.token.clone(),
            key_authorization: self.key_authorization.clone(),
        };
        TxtRecord {
            fqdn: self.fqdn.clone(),
            value: self.value.clone(),
            ttl: std::time::Duration::ZERO,
            raw: Some(raw),
        }
    }
}

fn key(token: &str) -> Key {
    Key::challenge(ChallengeKind::Dns01.name(), token)
}

impl From<StorageError> for DnsError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.to_string())
    }
}

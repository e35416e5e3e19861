//! Challenges that other nodes have put into the shared storage: any node may be the one that the CA asks.

use super::context::Context;
use super::presenters::{put_up, take_down};
use crate::acme::{Challenge, ChallengeKind, Identifier};
use crate::records::{ChallengeRecord, load};
use crate::storage::{CHALLENGES, Expected, Key, StorageError};
use std::collections::{BTreeMap, BTreeSet};

/// Those that stand on the board of this process.
#[derive(Debug, Default)]
pub(super) struct Others(BTreeMap<Key, Challenge>);

impl Others {
    /// Puts up what is new in the storage, and takes down what is gone from it.
    pub(super) async fn look(&mut self, cx: &Context) -> Result<(), StorageError> {
        let keys: BTreeSet<Key> = cx.storage.list(CHALLENGES).await?.into_iter().collect();
        let gone: Vec<Key> = self.0.keys().filter(|key| !keys.contains(*key)).cloned().collect();
        for key in gone {
            if let Some(challenge) = self.0.remove(&key) {
                take_down(&cx.certificates, &challenge);
            }
        }
        let mut all = Ok(());
        for key in keys {
            if !self.0.contains_key(&key) {
                // One that cannot be read keeps nobody from the others.
                all = all.and(self.add(cx, key).await);
            }
        }
        all
    }

    async fn add(&mut self, cx: &Context, key: Key) -> Result<(), StorageError> {
        let local = super::presenters::LocalPresenter::KINDS;
        let Some(kind) = local.into_iter().find(|kind| key.segments().nth(1) == Some(kind.name())) else {
            return Ok(());
        };
        let found = load::<ChallengeRecord>(&*cx.storage, &key).await;
        if let Err(error) = &found
            && error.is_of_the_value()
        {
            cx.damage.tell(&key, error, "it is not answered here");
            return Ok(());
        }
        let Some((record, _)) = found? else { return Ok(()) };
        if record.expires < cx.now() {
            // Of a process that died.
            return cx.storage.delete(&key, Expected::Any, None).await;
        }
        let challenge = challenge(kind, &record);
        if let Err(error) = put_up(&cx.certificates, &challenge) {
            tracing::warn!(%key, error, "a challenge of another node cannot be answered");
        }
        self.0.insert(key, challenge);
        Ok(())
    }
}

fn challenge(kind: ChallengeKind, record: &ChallengeRecord) -> Challenge {
    Challenge {
        kind,
        identifier: Identifier::parse(&record.identifier),
        wildcard: false,
        token: record.token.clone(),
        key_authorization: record.key_authorization.expose().to_owned(),
        account_uri: String::new(),
        issuer_domains: Vec::new(),
    }
}

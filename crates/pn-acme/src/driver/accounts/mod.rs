//! Accounts at CAs: found in the storage, or registered once for all nodes that share it.

use super::run::{World, run};
use crate::Time;
use crate::acme::{AccountKey, AcmeFault, KeyType, Register, Registered, Session};
use crate::records::{AccountRecord, load, save};
use crate::storage::{Ca, Expected, Key, Storage, StorageError};
use pn_model::Secret;
use pn_model::acme::Eab;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Which account.
#[derive(Debug, Clone)]
pub(super) struct Who<'a> {
    pub(super) directory: &'a str,
    pub(super) email: Option<&'a str>,
    pub(super) eab: Option<&'a Eab>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

/// Sessions of this process, by directory and address.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<HashMap<(String, String), Slot>>);

#[derive(Debug, thiserror::Error)]
pub(super) enum AccountError {
    #[error("no account: {0}")]
    Acme(#[from] Box<AcmeFault>),
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error("the account in `{key}` {reason}; restore it, or remove it to have another one registered")]
    Key { key: Key, reason: String },
    #[error("another node has been registering the account for a minute; it is tried again")]
    Elsewhere,
}

/// While another node registers the account.
const PATIENCE: u32 = 60;
const TTL: Duration = Duration::from_secs(120);

impl Who<'_> {
    /// As it is called in the storage.
    pub(super) fn name(&self) -> &str {
        self.email.unwrap_or("default")
    }

    fn key(&self) -> Key {
        Key::account(&Ca::of(self.directory), self.email)
    }

    fn register(&self) -> Register {
        let email = self.email.map(str::to_owned);
        Register { email, eab: self.eab.cloned(), only_existing: false }
    }
}

impl Accounts {
    /// The account's session; registers one when there is none.
    pub(super) async fn session(
        &self,
        who: &Who<'_>,
        storage: &dyn Storage,
        world: &World<'_>,
    ) -> Result<Session, AccountError> {
        let slot = self.slot(who.directory, who.name());
        let mut session = slot.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let made = find_or_register(who, storage, world).await?;
        Ok(session.insert(made).clone())
    }

    /// For what needs no account, such as renewal information.
    pub(super) async fn reader(&self, directory: &str) -> Result<Session, AcmeFault> {
        let slot = self.slot(directory, "");
        let mut session = slot.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let key = AccountKey::generate(KeyType::P256).map_err(AcmeFault::internal)?;
        Ok(session.insert(Session::new(directory, key, None)?).clone())
    }

    /// The CA does not know the account any more: the same key gets another one.
    pub(super) async fn renew(
        &self,
        who: &Who<'_>,
        session: &Session,
        storage: &dyn Storage,
        world: &World<'_>,
    ) -> Result<(), AccountError> {
        let registered = run(who.register().machine(session), world).await.map_err(Box::new)?;
        let record = record(who, session, registered, (world.clock)())?;
        save(storage, &who.key(), &record, Expected::Any, None).await?;
        tracing::warn!(
            directory = who.directory,
            account = record.url,
            "the CA had lost the account: registered again"
        );
        Ok(())
    }

    fn slot(&self, directory: &str, name: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((directory.to_owned(), name.to_owned())).or_default())
    }
}

async fn find_or_register(
    who: &Who<'_>,
    storage: &dyn Storage,
    world: &World<'_>,
) -> Result<Session, AccountError> {
    let lock = format!("account-{}-{}", Ca::of(who.directory).as_str(), who.name());
    for _ in 0..PATIENCE {
        if let Some(session) = find(who, storage).await? {
            return Ok(session);
        }
        if let Some(lease) = storage.lock(&lock, TTL).await? {
            let made = match find(who, storage).await {
                Ok(None) => register(who, storage, world).await,
                found => found.map(|session| session.ok_or(AccountError::Elsewhere)).and_then(|made| made),
            };
            storage.unlock(lease).await?;
            return made;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(AccountError::Elsewhere)
}

async fn find(who: &Who<'_>, storage: &dyn Storage) -> Result<Option<Session>, AccountError> {
    let key = who.key();
    let Some((record, _)) = load::<AccountRecord>(storage, &key).await? else { return Ok(None) };
    let secret = AccountKey::from_pem(record.key_pem.expose())
        .map_err(|error| AccountError::Key { key, reason: error.to_string() })?;
    Ok(Some(Session::new(who.directory, secret, Some(record.url)).map_err(Box::new)?))
}

async fn register(who: &Who<'_>, storage: &dyn Storage, world: &World<'_>) -> Result<Session, AccountError> {
    let key = AccountKey::generate(KeyType::P256).map_err(|error| Box::new(AcmeFault::internal(error)))?;
    let session = Session::new(who.directory, key, None).map_err(Box::new)?;
    let registered = run(who.register().machine(&session), world).await.map_err(Box::new)?;
    let record = record(who, &session, registered, (world.clock)())?;
    save(storage, &who.key(), &record, Expected::Any, None).await?;
    tracing::info!(directory = who.directory, account = record.url, "account registered");
    Ok(session)
}

fn record(
    who: &Who<'_>,
    session: &Session,
    registered: Registered,
    now: Time,
) -> Result<AccountRecord, AccountError> {
    let key_pem = session.key().to_pkcs8_pem().map_err(|error| Box::new(AcmeFault::internal(error)))?;
    Ok(AccountRecord {
        directory: who.directory.to_owned(),
        url: registered.url,
        email: who.email.map(str::to_owned),
        key_pem: Secret::new(key_pem),
        registered_at: now,
        body: registered.body,
        unknown: serde_json::Map::new(),
    })
}

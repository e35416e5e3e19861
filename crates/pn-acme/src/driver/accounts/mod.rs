//! Accounts at CAs: found in the storage, or registered once for all nodes that share it. What is done with one
//! afterwards is beside this file.

mod close;
mod contact;
mod orders;
mod recover;
mod register;
mod rollover;

pub(super) use contact::{adopt, follow};
pub(super) use orders::{AccountOrder, obey};
pub use orders::{AccountRefusal, AccountStatus};
pub(super) use recover::may_be_the_account;

use super::keep::{GivenUp, TTL, keep};
use super::run::World;
use crate::acme::{AccountKey, AcmeFault, KeyType, Register, Session};
use crate::records::{AccountRecord, load};
use crate::storage::{Ca, Key, Lease, Storage, StorageError, Version};
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

/// An account as it was read from the storage.
#[derive(Debug)]
struct Known {
    session: Session,
    /// `None`: it lies nowhere.
    version: Option<Version>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

/// Sessions of this process, by directory and address.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<HashMap<(String, String), Slot>>);

#[derive(Debug, thiserror::Error)]
pub(super) enum AccountError {
    #[error("no account: {0}")]
    Acme(#[from] Box<AcmeFault>),
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error(
        "the account in `{key}` {reason}; restore `{key}.json` of the certificate store from a backup, or remove it to \
         have another account registered"
    )]
    Key { key: Key, reason: String },
    #[error("another node has been at work on the account for a minute; it is tried again")]
    Elsewhere,
    #[error(
        "the CA has the account `{url}` as closed, and the one before it less than a day ago: find out who closes \
         them; another one is registered a day after the last, or at once after `proxy-now acme deactivate`"
    )]
    ClosedAgain { url: String },
    #[error("the account's work was given up: {0}")]
    GivenUp(#[from] GivenUp),
    #[error("there is no account to work on")]
    Absent,
}

/// While another node works on the account.
const PATIENCE: u32 = 60;

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
    /// The account's session; registers one when there is none. What another node or a person changed in the storage
    /// holds from now on.
    pub(super) async fn session(
        &self,
        who: &Who<'_>,
        storage: &dyn Storage,
        world: &World<'_>,
    ) -> Result<Session, AccountError> {
        let slot = self.slot(who.directory, who.name());
        let mut known = slot.lock().await;
        match (stored(who, storage).await?, &*known) {
            (Some((_, version)), Some(known)) if known.version == Some(version) => Ok(known.session.clone()),
            (Some((record, version)), _) if record.upkeep.next_key_pem.is_none() => {
                let session = session_of(who, &record)?;
                Ok(known.insert(Known { session, version: Some(version) }).session.clone())
            }
            _ => {
                let made = find_or_register(who, storage, world).await?;
                Ok(known.insert(made).session.clone())
            }
        }
    }

    /// For what needs no account, such as renewal information.
    pub(super) async fn reader(&self, directory: &str) -> Result<Session, AcmeFault> {
        let slot = self.slot(directory, "");
        let mut known = slot.lock().await;
        if let Some(known) = &*known {
            return Ok(known.session.clone());
        }
        let session = stranger(directory)?;
        Ok(known.insert(Known { session, version: None }).session.clone())
    }

    fn slot(&self, directory: &str, name: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((directory.to_owned(), name.to_owned())).or_default())
    }
}

/// An account as it is stored.
type Entry = (AccountRecord, Version);

/// One that cannot be read is not as good as none: the CA knows us by its key, and what was agreed with the CA hangs on
/// it (limits that were raised, an external account that may be bound once). So none is registered in its place before
/// somebody says so.
async fn stored(who: &Who<'_>, storage: &dyn Storage) -> Result<Option<Entry>, AccountError> {
    read(&who.key(), storage).await
}

async fn read(key: &Key, storage: &dyn Storage) -> Result<Option<Entry>, AccountError> {
    load::<AccountRecord>(storage, key).await.map_err(|error| match error {
        StorageError::Damaged { key, reason } => {
            AccountError::Key { key, reason: format!("cannot be read ({reason})") }
        }
        other => other.into(),
    })
}

/// A session with a key that nobody knows.
pub(super) fn stranger(directory: &str) -> Result<Session, AcmeFault> {
    let key = AccountKey::generate(KeyType::P256).map_err(AcmeFault::internal)?;
    Session::new(directory, key, None)
}

async fn find_or_register(
    who: &Who<'_>,
    storage: &dyn Storage,
    world: &World<'_>,
) -> Result<Known, AccountError> {
    let lease = lock(who, storage).await?;
    let work = async {
        match stored(who, storage).await? {
            None => register::register(who, storage, &lease, world).await,
            Some(entry) => {
                let (record, version) = rollover::settle(who, entry, storage, &lease, world).await?;
                Ok(Known { session: session_of(who, &record)?, version: Some(version) })
            }
        }
    };
    under(&lease, storage, work).await
}

/// The account's lock, which is waited for.
async fn lock(who: &Who<'_>, storage: &dyn Storage) -> Result<Lease, AccountError> {
    let name = format!("account-{}-{}", Ca::of(who.directory).as_str(), who.name());
    for _ in 0..PATIENCE {
        if let Some(lease) = storage.lock(&name, TTL).await? {
            return Ok(lease);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(AccountError::Elsewhere)
}

/// Work under the account's lock, which is given back whatever comes of it.
async fn under<T>(
    lease: &Lease,
    storage: &dyn Storage,
    work: impl Future<Output = Result<T, AccountError>>,
) -> Result<T, AccountError> {
    let done = keep(storage, lease, work).await;
    storage.unlock(lease.clone()).await?;
    done?
}

fn session_of(who: &Who<'_>, record: &AccountRecord) -> Result<Session, AccountError> {
    let key = read_key(who, &record.key_pem)?;
    Ok(Session::new(who.directory, key, Some(record.url.clone())).map_err(Box::new)?)
}

fn read_key(who: &Who<'_>, pem: &Secret) -> Result<AccountKey, AccountError> {
    let unusable = |reason: String| AccountError::Key { key: who.key(), reason };
    AccountKey::from_pem(pem.expose()).map_err(|error| unusable(error.to_string()))
}

fn pem(key: &AccountKey) -> Result<Secret, AccountError> {
    let pem = key.to_pkcs8_pem().map_err(|error| Box::new(AcmeFault::internal(error)))?;
    Ok(Secret::new(pem))
}

/// The session that is used at present goes on where it is still the account's, so that orders on their way do too.
fn going_on(
    who: &Who<'_>,
    known: &mut Option<Known>,
    (record, version): &(AccountRecord, Version),
) -> Result<Session, AccountError> {
    let session = session_of(who, record)?;
    let same = |known: &Known| {
        known.session.key() == session.key() && known.session.account_url() == session.account_url()
    };
    let session = known.take().filter(same).map_or(session, |known| known.session);
    Ok(known.insert(Known { session, version: Some(*version) }).session.clone())
}

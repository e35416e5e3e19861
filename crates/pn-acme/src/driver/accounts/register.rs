//! Accounts that are made: the first one, and the one in place of one that the CA does not know any more.

use super::{AccountError, Known, Who, pem, stranger};
use crate::Time;
use crate::acme::{Registered, Session};
use crate::driver::run::{World, run};
use crate::records::{AccountRecord, Upkeep, save};
use crate::storage::{Expected, Lease, Storage};

/// With a new key.
pub(super) async fn register(
    who: &Who<'_>,
    storage: &dyn Storage,
    lease: &Lease,
    world: &World<'_>,
) -> Result<Known, AccountError> {
    let session = stranger(who.directory).map_err(Box::new)?;
    let made = with(who, session, None, storage, lease, world).await?;
    tracing::info!(directory = who.directory, account = made.session.account_url(), "account registered");
    Ok(made)
}

/// With the key of this session.
pub(super) async fn with(
    who: &Who<'_>,
    session: Session,
    replaced_at: Option<Time>,
    storage: &dyn Storage,
    lease: &Lease,
    world: &World<'_>,
) -> Result<Known, AccountError> {
    let registered = run(who.register().machine(&session), world).await.map_err(Box::new)?;
    let mut record = record(who, &session, registered, (world.clock)())?;
    record.upkeep.replaced_at = replaced_at;
    let version = save(storage, &who.key(), &record, Expected::Any, Some(lease)).await?;
    Ok(Known { session, version: Some(version) })
}

fn record(
    who: &Who<'_>,
    session: &Session,
    registered: Registered,
    now: Time,
) -> Result<AccountRecord, AccountError> {
    Ok(AccountRecord {
        directory: who.directory.to_owned(),
        url: registered.url,
        email: who.email.map(str::to_owned),
        key_pem: pem(&session.key())?,
        registered_at: now,
        body: registered.body,
        upkeep: Upkeep::default(),
        unknown: serde_json::Map::new(),
    })
}

//! Gives an account another key. Both are stored before the CA is asked, and whoever finds both asks the CA which of
//! them it knows: killed at any moment, the account is not lost.

use super::{AccountError, Accounts, Entry, Who, going_on, lock, pem, read_key, stored, under};
use crate::acme::{AccountKey, AcmeFault, FaultKind, KeyType, Register, Rollover, Session};
use crate::driver::run::{World, run};
use crate::records::save;
use crate::storage::{Expected, Lease, Storage};
use pn_model::Secret;

impl Accounts {
    /// Orders that are on their way go on with the new key.
    pub(in crate::driver) async fn roll_over(
        &self,
        who: &Who<'_>,
        storage: &dyn Storage,
        world: &World<'_>,
    ) -> Result<(), AccountError> {
        let slot = self.slot(who.directory, who.name());
        let mut known = slot.lock().await;
        let lease = lock(who, storage).await?;
        let work = async {
            let entry = stored(who, storage).await?.ok_or(AccountError::Absent)?;
            // One that was begun before may not have been heard of again.
            let entry = settle(who, entry, storage, &lease, world).await?;
            let session = going_on(who, &mut known, &entry)?;
            change(who, &session, entry, storage, &lease, world).await
        };
        let (record, version) = under(&lease, storage, work).await?;
        if let Some(known) = &mut *known {
            known.version = Some(version);
        }
        tracing::info!(directory = who.directory, account = record.url, "the account has a new key");
        Ok(())
    }
}

async fn change(
    who: &Who<'_>,
    session: &Session,
    (mut record, version): Entry,
    storage: &dyn Storage,
    lease: &Lease,
    world: &World<'_>,
) -> Result<Entry, AccountError> {
    let new_key =
        AccountKey::generate(KeyType::P256).map_err(|error| Box::new(AcmeFault::internal(error)))?;
    let next = pem(&new_key)?;
    record.upkeep.next_key_pem = Some(next.clone());
    let version = save(storage, &who.key(), &record, Expected::Version(version), Some(lease)).await?;
    match run(Rollover { new_key: new_key.clone() }.machine(session), world).await {
        Ok(()) => keep_one(who, (record, version), next, storage, lease).await,
        Err(fault) => {
            // Where it is not to be found out now, whoever needs the account next finds out.
            let entry = settle(who, (record, version), storage, lease, world).await?;
            if entry.0.key_pem.expose() != next.expose() {
                return Err(Box::new(fault).into());
            }
            session.set_key(new_key);
            Ok(entry)
        }
    }
}

/// Of two keys, finds out which the CA knows the account by.
pub(super) async fn settle(
    who: &Who<'_>,
    (record, version): Entry,
    storage: &dyn Storage,
    lease: &Lease,
    world: &World<'_>,
) -> Result<Entry, AccountError> {
    let Some(next) = record.upkeep.next_key_pem.clone() else { return Ok((record, version)) };
    let session = Session::new(who.directory, read_key(who, &next)?, None).map_err(Box::new)?;
    let machine = Register { only_existing: true, ..Register::default() }.machine(&session);
    let key = match run(machine, world).await {
        Ok(found) if found.url == record.url => next,
        // Of another account, or of none: the rollover did not come to pass.
        Ok(_) => record.key_pem.clone(),
        Err(fault) if fault.kind == FaultKind::AccountGone => record.key_pem.clone(),
        Err(fault) => return Err(Box::new(fault).into()),
    };
    tracing::info!(
        account = record.url,
        "it is found out which key the account has after a rollover that broke off"
    );
    keep_one(who, (record, version), key, storage, lease).await
}

async fn keep_one(
    who: &Who<'_>,
    (mut record, version): Entry,
    key: Secret,
    storage: &dyn Storage,
    lease: &Lease,
) -> Result<Entry, AccountError> {
    record.key_pem = key;
    record.upkeep.next_key_pem = None;
    let version = save(storage, &who.key(), &record, Expected::Version(version), Some(lease)).await?;
    Ok((record, version))
}

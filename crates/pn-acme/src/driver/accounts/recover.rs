//! An account that the CA does not accept any more: forgotten, or deactivated by somebody. Another one takes its place,
//! at most one a day where it was deactivated.

use super::{
    AccountError, Accounts, Known, Who, lock, register, rollover, session_of, stored, stranger, under,
};
use crate::Time;
use crate::acme::{AcmeFault, FaultKind, Register, Registered, Session};
use crate::driver::run::{World, run};
use crate::life::DAY;
use crate::records::{AccountRecord, save};
use crate::storage::{Expected, Lease, Storage, Version};

/// Whether a fault may mean that the account is not good any more (RFC 8555 section 7.3.6).
pub(in crate::driver) fn may_be_the_account(fault: &AcmeFault) -> bool {
    let unauthorized = fault.problem.as_ref().is_some_and(|problem| problem.name() == "unauthorized");
    match fault.kind {
        FaultKind::AccountGone | FaultKind::AccountClosed => true,
        FaultKind::Refused => unauthorized,
        _ => false,
    }
}

impl Accounts {
    /// After such a fault: the session to go on with. `None`: the account is good, and it is something else.
    pub(in crate::driver) async fn recover(
        &self,
        who: &Who<'_>,
        failed: &Session,
        storage: &dyn Storage,
        world: &World<'_>,
    ) -> Result<Option<Session>, AccountError> {
        let slot = self.slot(who.directory, who.name());
        let mut known = slot.lock().await;
        let lease = lock(who, storage).await?;
        let made = under(&lease, storage, successor(who, failed, storage, &lease, world)).await?;
        Ok(made.map(|made| known.insert(made).session.clone()))
    }
}

async fn successor(
    who: &Who<'_>,
    failed: &Session,
    storage: &dyn Storage,
    lease: &Lease,
    world: &World<'_>,
) -> Result<Option<Known>, AccountError> {
    let Some(entry) = stored(who, storage).await? else {
        return register::register(who, storage, lease, world).await.map(Some);
    };
    let (record, version) = rollover::settle(who, entry, storage, lease, world).await?;
    let session = session_of(who, &record)?;
    if session.key() != failed.key() || session.account_url() != failed.account_url() {
        // Another order, node or person was quicker.
        return Ok(Some(Known { session, version: Some(version) }));
    }
    match ask(who, &record, world).await {
        Ok(found) if found.url == record.url => Ok(None),
        Ok(found) => moved(who, record, version, found, storage, lease).await.map(Some),
        Err(fault) if fault.kind == FaultKind::AccountGone => {
            let made = register::with(who, failed.clone(), None, storage, lease, world).await?;
            tracing::warn!(directory = who.directory, "the CA had lost the account: registered again");
            Ok(Some(made))
        }
        Err(fault) if fault.kind == FaultKind::AccountClosed => {
            another(who, &record, storage, lease, world).await.map(Some)
        }
        Err(fault) => Err(Box::new(fault).into()),
    }
}

/// What the CA has for the account's key.
pub(super) async fn ask(
    who: &Who<'_>,
    record: &AccountRecord,
    world: &World<'_>,
) -> Result<Registered, AcmeFault> {
    let key = session_of(who, record).map_err(AcmeFault::internal)?.key();
    let session = Session::new(who.directory, key, None)?;
    run(Register { only_existing: true, ..Register::default() }.machine(&session), world).await
}

/// The same key has another URL now.
async fn moved(
    who: &Who<'_>,
    record: AccountRecord,
    version: Version,
    found: Registered,
    storage: &dyn Storage,
    lease: &Lease,
) -> Result<Known, AccountError> {
    let record = AccountRecord { url: found.url, body: found.body, ..record };
    let expected = Expected::Version(version);
    let version = save(storage, &who.key(), &record, expected, Some(lease)).await?;
    Ok(Known { session: session_of(who, &record)?, version: Some(version) })
}

/// One with a new key. Whoever closes accounts would close each further one too: one a day.
async fn another(
    who: &Who<'_>,
    record: &AccountRecord,
    storage: &dyn Storage,
    lease: &Lease,
    world: &World<'_>,
) -> Result<Known, AccountError> {
    let now: Time = (world.clock)();
    if record.upkeep.replaced_at.is_some_and(|at| now.abs_diff(at) < DAY) {
        return Err(AccountError::ClosedAgain { url: record.url.clone() });
    }
    let session = stranger(who.directory).map_err(Box::new)?;
    let made = register::with(who, session, Some(now), storage, lease, world).await?;
    tracing::warn!(
        directory = who.directory,
        closed = record.url,
        account = made.session.account_url(),
        "the account was closed at the CA: another one is registered, with a new key"
    );
    Ok(made)
}

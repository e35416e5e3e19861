//! Closes an account at the CA, and takes it out of the storage. The next order registers another one.

use super::{AccountError, Accounts, Who, going_on, lock, recover, rollover, stored, under};
use crate::acme::{Deactivate, FaultKind};
use crate::driver::run::{World, run};
use crate::records::AccountRecord;
use crate::storage::{Expected, Storage};

impl Accounts {
    /// One that the CA has closed or forgotten already is taken out all the same.
    pub(in crate::driver) async fn deactivate(
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
            let entry = rollover::settle(who, entry, storage, &lease, world).await?;
            let session = going_on(who, &mut known, &entry)?;
            let closed = run(Deactivate.machine(&session), world).await;
            if let Err(fault) = closed
                && !is_closed(who, &entry.0, world).await
            {
                return Err(AccountError::from(Box::new(fault)));
            }
            storage.delete(&who.key(), Expected::Any, Some(&lease)).await?;
            Ok(entry.0.url)
        };
        let url = under(&lease, storage, work).await?;
        *known = None;
        tracing::warn!(directory = who.directory, account = url, "the account is deactivated and removed");
        Ok(())
    }
}

async fn is_closed(who: &Who<'_>, record: &AccountRecord, world: &World<'_>) -> bool {
    let answer = recover::ask(who, record, world).await;
    answer.is_err_and(|fault| matches!(fault.kind, FaultKind::AccountClosed | FaultKind::AccountGone))
}

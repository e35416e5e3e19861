//! What a change of an issuer's `email` does: the account goes on under the new address, and the CA is told, for as long
//! as it takes.

use super::{AccountError, Accounts, Who, going_on, lock, rollover, stored, under};
use crate::acme::UpdateContact;
use crate::driver::context::Context;
use crate::driver::run::{Standing, World, run};
use crate::driver::wanted::{Issuing, Wanted};
use crate::life::{HOUR, MINUTE};
use crate::records::{AccountRecord, load, save};
use crate::storage::{ACCOUNTS, Ca, Expected, Key, Storage, StorageError};
use pn_model::IssuerName;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// An account that an issuer has, or is to have.
pub(super) struct Place<'a> {
    pub(super) issuer: &'a IssuerName,
    pub(super) issuing: &'a Issuing,
    pub(super) who: Who<'a>,
    pub(super) staging: bool,
}

/// Of all issuers: at their directories, and at those of their staging CAs.
pub(super) fn places(wanted: &Wanted) -> Vec<Place<'_>> {
    let mut all = Vec::new();
    for (issuer, issuing) in &*wanted.issuers {
        let settings = &issuing.settings;
        let real = (settings.directory.as_str(), settings.eab.as_ref(), false);
        let staging = settings.staging.as_deref().map(|directory| (directory, None, true));
        for (directory, eab, staging) in [real].into_iter().chain(staging) {
            let who = Who { directory, email: settings.email.as_deref(), eab };
            all.push(Place { issuer, issuing, who, staging });
        }
    }
    all
}

/// Puts the accounts of issuers whose address has changed under the new one, before anything is ordered.
pub(in crate::driver) async fn adopt(cx: &Context, wanted: &Wanted) {
    let before = cx.wanted.load_full();
    let places = places(wanted);
    let used: BTreeSet<Key> = places.iter().map(|place| place.who.key()).collect();
    for place in &places {
        if let Err(error) = adopt_one(cx, place, &before, &used).await {
            tracing::warn!(issuer = %place.issuer, %error, "the account of the former address is not taken over");
        }
    }
}

async fn adopt_one(
    cx: &Context,
    place: &Place<'_>,
    before: &Wanted,
    used: &BTreeSet<Key>,
) -> Result<(), StorageError> {
    let storage = &*cx.storage;
    if storage.load(&place.who.key()).await?.is_some() {
        return Ok(());
    }
    let former = match former(place, before) {
        Some(key) => Some(key).filter(|key| !used.contains(key)),
        // Changed while nothing ran. What others do with a store that is theirs too is not known.
        None if !cx.shared => only_unused(storage, place.who.directory, used).await?,
        None => None,
    };
    let Some(former) = former else { return Ok(()) };
    let Some((mut record, version)) = load::<AccountRecord>(storage, &former).await? else { return Ok(()) };
    let before = Who { email: record.email.as_deref(), ..place.who.clone() };
    move_throttle(storage, &before, &place.who).await?;
    record.email = place.who.email.map(str::to_owned);
    record.upkeep.contact_due = true;
    match save(storage, &place.who.key(), &record, Expected::Absent, None).await {
        // Another node was quicker.
        Ok(_) | Err(StorageError::Conflict(_)) => {}
        Err(error) => return Err(error),
    }
    tracing::info!(issuer = %place.issuer, account = record.url, "the account goes on under the new `email`");
    match storage.delete(&former, Expected::Version(version), None).await {
        Err(StorageError::Conflict(_)) => Ok(()),
        done => done,
    }
}

/// It is the same account to the CA, which counts its orders.
async fn move_throttle(storage: &dyn Storage, from: &Who<'_>, to: &Who<'_>) -> Result<(), StorageError> {
    let key = |who: &Who<'_>| Key::throttle(&Ca::of(who.directory), who.name());
    let places = match storage.load(&key(from)).await {
        Ok(Some(places)) => places,
        // What is no value cannot go along, and is no reason to lose the account.
        Ok(None) | Err(StorageError::Damaged { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    match storage.save(&key(to), &places.value, Expected::Absent, None).await {
        Ok(_) | Err(StorageError::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Under the address that the issuer had a moment ago.
fn former(place: &Place<'_>, before: &Wanted) -> Option<Key> {
    let before = before.issuers.get(place.issuer)?;
    let key = Key::account(&Ca::of(place.who.directory), before.settings.email.as_deref());
    (key != place.who.key()).then_some(key)
}

async fn only_unused(
    storage: &dyn Storage,
    directory: &str,
    used: &BTreeSet<Key>,
) -> Result<Option<Key>, StorageError> {
    let all = storage.list(&format!("{ACCOUNTS}/{}", Ca::of(directory).as_str())).await?;
    let mut unused = all.into_iter().filter(|key| !used.contains(key));
    let first = unused.next();
    Ok(first.filter(|_| unused.next().is_none()))
}

/// First pause before a CA is told again, and the longest.
const PAUSES: (u64, u64) = (MINUTE, 6 * HOUR);
const NAP: u64 = MINUTE;

/// Tells the CAs of new addresses, until all know or other things are wanted.
pub(in crate::driver) async fn follow(cx: Arc<Context>, wanted: Arc<Wanted>) {
    let mut pause = PAUSES.0;
    while Arc::ptr_eq(&cx.wanted.load(), &wanted) {
        let mut all_know = true;
        for place in places(&wanted) {
            if let Err(error) = tell(&cx, &place).await {
                all_know = false;
                tracing::warn!(
                    issuer = %place.issuer, %error,
                    "the CA does not know the account's new `email` yet; it is told again in {pause} s"
                );
            }
        }
        if all_know {
            return;
        }
        // In steps, so that those whose configuration is past do not gather.
        for _ in 0..pause / NAP {
            tokio::time::sleep(Duration::from_secs(NAP)).await;
            if !Arc::ptr_eq(&cx.wanted.load(), &wanted) {
                return;
            }
        }
        pause = (2 * pause).min(PAUSES.1);
    }
}

async fn tell(cx: &Context, place: &Place<'_>) -> Result<(), AccountError> {
    let storage = &*cx.storage;
    let Some((record, _)) = stored(&place.who, storage).await? else { return Ok(()) };
    if !record.upkeep.contact_due {
        return Ok(());
    }
    let standing = Standing::default();
    cx.accounts.tell(&place.who, storage, &cx.world(place.issuing, &standing)).await
}

impl Accounts {
    async fn tell(
        &self,
        who: &Who<'_>,
        storage: &dyn Storage,
        world: &World<'_>,
    ) -> Result<(), AccountError> {
        let slot = self.slot(who.directory, who.name());
        let mut known = slot.lock().await;
        let lease = lock(who, storage).await?;
        let work = async {
            let Some(entry) = stored(who, storage).await? else { return Ok(None) };
            let (mut record, version) = rollover::settle(who, entry, storage, &lease, world).await?;
            if !record.upkeep.contact_due {
                return Ok(None);
            }
            let session = going_on(who, &mut known, &(record.clone(), version))?;
            let email = who.email.map(str::to_owned);
            let body = run(UpdateContact { email }.machine(&session), world).await.map_err(Box::new)?;
            tracing::info!(account = record.url, email = who.email, "the CA knows the account's new `email`");
            record.body = body;
            record.upkeep.contact_due = false;
            let expected = Expected::Version(version);
            let saved = save(storage, &who.key(), &record, expected, Some(&lease)).await?;
            Ok(Some(saved))
        };
        let saved = under(&lease, storage, work).await?;
        if let (Some(version), Some(known)) = (saved, &mut *known) {
            known.version = Some(version);
        }
        Ok(())
    }
}

//! What the storage holds of a certificate, as the schedule and the handshakes need it.

use super::wanted::Wanted;
use crate::Time;
use crate::life::{Demand, Facts, Held, Slots, Source, Throttle, Tries, Window};
use crate::records::{
    CertificateRecord, Record, ScheduleRecord, Source as Origin, ThrottleRecord, load, save,
};
use crate::storage::{Ca, Expected, Key, Lease, Storage, StorageError, Version};
use pn_model::acme::{AcmeIssuer, KeyType};
use pn_tls::CertificateInfo;

/// All records of one certificate.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) facts: Facts,
    /// The one that serves.
    pub(super) record: Option<CertificateRecord>,
    pub(super) version: Option<Version>,
}

/// Of the certificates that its issuers signed, the one that lasts longest.
pub(super) async fn open(
    storage: &dyn Storage,
    demand: &Demand,
    wanted: &Wanted,
) -> Result<Page, StorageError> {
    let mut keys: Vec<Key> = demand.issuers.iter().map(|source| certificate_key(source, demand)).collect();
    keys.push(Key::schedule(demand.id.as_str()));
    let mut found = storage.load_many(&keys).await?;
    let damaged = |key: &Key, reason: String| StorageError::Damaged { key: key.clone(), reason };
    let schedule = match found.pop().flatten() {
        Some(stored) => {
            let key = Key::schedule(demand.id.as_str());
            ScheduleRecord::from_bytes(&stored.value).map_err(|reason| damaged(&key, reason))?
        }
        None => ScheduleRecord::default(),
    };
    let mut page = Page { facts: Facts { held: None, tries: tries(schedule) }, ..Page::default() };
    for ((key, stored), source) in keys.iter().zip(found).zip(&demand.issuers) {
        let Some(stored) = stored else { continue };
        let record = CertificateRecord::from_bytes(&stored.value).map_err(|reason| damaged(key, reason))?;
        let settings = wanted.issuers.get(&source.issuer).map(|issuing| &issuing.settings);
        let held = held(&record, settings).map_err(|reason| damaged(key, reason))?;
        if page.facts.held.as_ref().is_none_or(|best| best.not_after < held.not_after) {
            page.facts.held = Some(held);
            (page.record, page.version) = (Some(record), Some(stored.version));
        }
    }
    if page.facts.held.as_ref().is_some_and(|held| page.facts.tries.ended_with(held)) {
        page.facts.tries = Tries::default();
    }
    Ok(page)
}

pub(super) async fn write_tries(
    storage: &dyn Storage,
    demand: &Demand,
    tries: &Tries,
    lease: &Lease,
) -> Result<(), StorageError> {
    let key = Key::schedule(demand.id.as_str());
    if *tries == Tries::default() {
        return storage.delete(&key, Expected::Any, Some(lease)).await;
    }
    save(storage, &key, &schedule(tries), Expected::Any, Some(lease)).await.map(drop)
}

/// A place of the throttle that all nodes share, or when there is one.
pub(super) async fn take_slot(
    storage: &dyn Storage,
    directory: &str,
    account: &str,
    throttle: Throttle,
    now: Time,
) -> Result<Result<(), Time>, StorageError> {
    let key = Key::throttle(&Ca::of(directory), account);
    let mut last = Ok(());
    for _ in 0..SWAPS {
        let (record, expected) = match load::<ThrottleRecord>(storage, &key).await? {
            Some((record, version)) => (record, Expected::Version(version)),
            None => (ThrottleRecord::default(), Expected::Absent),
        };
        let before = Slots::new(record.orders.clone());
        let mut slots = before.clone();
        let taken = slots.take(throttle, now);
        if slots == before {
            return Ok(taken);
        }
        let record = ThrottleRecord { orders: slots.times().to_vec(), ..record };
        match save(storage, &key, &record, expected, None).await {
            Ok(_) => return Ok(taken),
            Err(conflict @ StorageError::Conflict(_)) => last = Err(conflict),
            Err(error) => return Err(error),
        }
    }
    last.map(|()| Err(now + 1))
}

/// Nodes that take a place at the same moment; each time one of them gets it.
const SWAPS: u32 = 20;

pub(super) fn certificate_key(source: &Source, demand: &Demand) -> Key {
    Key::certificate(&Ca::of(&source.directory), demand.id.as_str())
}

fn held(record: &CertificateRecord, settings: Option<&AcmeIssuer>) -> Result<Held, String> {
    let CertificateInfo { serial, key_type, not_before, not_after, .. } = record.info()?;
    let window = record.ari.as_ref().map(|ari| Window {
        start: ari.window_start,
        end: ari.window_end,
        selected: ari.selected,
    });
    // One that was brought here is good for as long as it lasts, whatever key it has.
    let fits = record.source == Origin::Imported
        || settings.is_none_or(|wanted| {
            record.profile == wanted.profile
                && key_type_of(key_type).is_none_or(|kind| kind == wanted.key_type)
        });
    let asked = record.ari.as_ref().map_or(record.obtained_at, |ari| ari.retry_after);
    let ask_at = record.replaced_by.is_none().then_some(asked);
    let (directory, obtained_at) = (record.issuer_directory.clone(), record.obtained_at);
    let revoked = record.revoked_at.is_some();
    Ok(Held { directory, serial, not_before, not_after, obtained_at, fits, window, ask_at, revoked })
}

/// `None`: one that is never ordered here.
fn key_type_of(name: &str) -> Option<KeyType> {
    match name {
        "p256" => Some(KeyType::P256),
        "p384" => Some(KeyType::P384),
        "rsa2048" => Some(KeyType::Rsa2048),
        "rsa3072" => Some(KeyType::Rsa3072),
        "rsa4096" => Some(KeyType::Rsa4096),
        _ => None,
    }
}

fn tries(record: ScheduleRecord) -> Tries {
    let ScheduleRecord {
        failures,
        since,
        last,
        next_try,
        at,
        rehearsed,
        rehearse,
        held_back,
        last_error,
        ..
    } = record;
    Tries { failures, since, last, next: next_try, at, rehearsed, rehearse, held_back, last_error }
}

fn schedule(tries: &Tries) -> ScheduleRecord {
    let Tries { failures, since, last, next, at, rehearsed, rehearse, held_back, last_error } = tries.clone();
    let unknown = serde_json::Map::new();
    ScheduleRecord {
        failures,
        since,
        last,
        next_try: next,
        at,
        rehearsed,
        rehearse,
        held_back,
        last_error,
        unknown,
    }
}

//! What the storage holds of a certificate, as the schedule and the handshakes need it.

use super::context::Context;
use super::served::{self, Usable};
use super::wanted::Wanted;
use crate::life::{Demand, Facts, Held, Source, Tries, Window};
use crate::records::{CertificateRecord, Record, ScheduleRecord, Source as Origin, save};
use crate::storage::{Ca, Expected, Key, Lease, Loaded, Storage, StorageError, Stored, Version};
use pn_model::acme::{AcmeIssuer, KeyType};
use pn_tls::CertificateInfo;

/// All records of one certificate.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) facts: Facts,
    /// The one that serves.
    pub(super) record: Option<CertificateRecord>,
    pub(super) version: Option<Version>,
    /// What it has for handshakes.
    pub(super) key: Option<Usable>,
}

/// Of the certificates that its issuers signed, the one that lasts longest. What is damaged counts as absent: it is
/// written over by what comes in its place.
pub(super) async fn open(cx: &Context, demand: &Demand, wanted: &Wanted) -> Result<Page, StorageError> {
    let mut keys: Vec<Key> = demand.issuers.iter().map(|source| certificate_key(source, demand)).collect();
    let schedule = Key::schedule(demand.id.as_str());
    keys.push(schedule.clone());
    let mut found = cx.storage.load_many(&keys).await?;
    let tries = read_tries(cx, &schedule, found.pop().unwrap_or(Ok(None)))?;
    let mut page = Page { facts: Facts { held: None, tries }, ..Page::default() };
    for ((key, found), source) in keys.iter().zip(found).zip(&demand.issuers) {
        let settings = wanted.issuers.get(&source.issuer).map(|issuing| &issuing.settings);
        let entry = found.and_then(|found| found.map(|one| entry(key, &one, demand, settings)).transpose());
        let Some(Some(entry)) = cx.damage.mind(key, entry, "the certificate counts as missing")? else {
            continue;
        };
        if page.facts.held.as_ref().is_none_or(|best| best.not_after < entry.held.not_after) {
            page.facts.held = Some(entry.held);
            (page.record, page.version, page.key) =
                (Some(entry.record), Some(entry.version), Some(entry.key));
        }
    }
    if page.facts.held.as_ref().is_some_and(|held| page.facts.tries.ended_with(held)) {
        page.facts.tries = Tries::default();
    }
    Ok(page)
}

/// One certificate as it is stored.
struct Entry {
    record: CertificateRecord,
    version: Version,
    key: Usable,
    held: Held,
}

fn entry(
    key: &Key,
    stored: &Stored,
    demand: &Demand,
    settings: Option<&AcmeIssuer>,
) -> Result<Entry, StorageError> {
    let damaged = |reason: String| StorageError::Damaged { key: key.clone(), reason };
    let record = CertificateRecord::of(key, stored)?;
    if record.key() != *key {
        return Err(damaged(format!("it is the record of `{}`", record.key())));
    }
    let usable = served::usable(&record, demand).map_err(damaged)?;
    let held = held(&record, &usable.0, settings);
    Ok(Entry { record, version: stored.version, key: usable, held })
}

fn read_tries(cx: &Context, key: &Key, found: Loaded) -> Result<Tries, StorageError> {
    let found = found.and_then(|found| found.map(|one| ScheduleRecord::of(key, &one)).transpose());
    let found = cx.damage.mind(key, found, "failed tries are counted anew")?;
    Ok(found.flatten().map(tries).unwrap_or_default())
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

pub(super) fn certificate_key(source: &Source, demand: &Demand) -> Key {
    Key::certificate(&Ca::of(&source.directory), demand.id.as_str())
}

fn held(record: &CertificateRecord, info: &CertificateInfo, settings: Option<&AcmeIssuer>) -> Held {
    let CertificateInfo { serial, key_type, not_before, not_after, .. } = info.clone();
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
    Held { directory, serial, not_before, not_after, obtained_at, fits, window, ask_at, revoked }
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

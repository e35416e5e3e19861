//! Stored certificates that nobody wants any more are cleared away, long after they have ended, and so are answers to
//! challenges that a process left when it was killed.
//!
//! Whether another node wants one is found out by asking: it is marked first, and whoever wants it takes the mark away at
//! its next look. Marks are only acted upon by a later sweep, so that every node has looked by then.

use super::context::Context;
use super::keep::TTL;
use crate::Time;
use crate::life::{CertificateId, DAY};
use crate::records::{CertificateRecord, Record, save};
use crate::storage::{CERTIFICATES, Expected, Key, StorageError, Version};
use std::time::Duration;

/// Looks of nodes are minutes apart, sweeps hours at least.
pub(super) const FIRST: Duration = Duration::from_secs(3600);
pub(super) const EVERY: Duration = Duration::from_secs(24 * 3600);
/// After its end, a host may come back for so long.
const GRACE: u64 = 30 * DAY;
/// How long a mark stands before it is acted upon.
const MARKED: u64 = 7 * DAY;
/// Read at once, and cleared away in one sweep at most.
const AT_ONCE: usize = 100;
const MOST: usize = 1000;

/// Whoever runs this is told by the log alone.
pub(super) async fn sweep(cx: &Context) {
    match clear(cx).await {
        Ok(0) => {}
        Ok(gone) => tracing::info!(gone, "certificates that nobody wants any more were cleared away"),
        Err(error) => tracing::warn!(%error, "certificates that nobody wants any more were not cleared away"),
    }
    let wanted = cx.wanted.load_full();
    for (issuer, issuing) in &*wanted.issuers {
        if let Err(error) = issuing.presenters.tidy().await {
            tracing::warn!(%issuer, error, "what is left of earlier challenges was not looked at");
        }
    }
}

async fn clear(cx: &Context) -> Result<usize, StorageError> {
    let keys = cx.storage.list(CERTIFICATES).await?;
    let (mut gone, mut touched) = (0, 0);
    for keys in keys.chunks(AT_ONCE) {
        // Asked anew each time: it may have changed meanwhile.
        let wanted = cx.planner().ids();
        let is_wanted = |key: &&Key| wanted.contains(&CertificateId::from_stored(id_of(key)));
        let others: Vec<Key> = keys.iter().filter(|key| !is_wanted(key)).cloned().collect();
        for (key, stored) in others.iter().zip(cx.storage.load_many(&others).await?) {
            // What cannot be read is left for people to look at.
            let Ok(Some(stored)) = stored else { continue };
            let Ok(record) = CertificateRecord::from_bytes(&stored.value) else { continue };
            if touched >= MOST || !has_ended(&record, cx.now()) {
                continue;
            }
            touched += 1;
            gone += usize::from(clear_one(cx, key, record, stored.version).await?);
        }
    }
    Ok(gone)
}

/// Whether it is gone. While a node is at work on it, it is left alone.
async fn clear_one(
    cx: &Context,
    key: &Key,
    mut record: CertificateRecord,
    version: Version,
) -> Result<bool, StorageError> {
    let now = cx.now();
    let goes = match record.unwanted_since {
        // From the future: the clock was set back.
        Some(since) if since <= now => now - since >= MARKED,
        _ => {
            record.unwanted_since = Some(now);
            return unless_changed(save(&*cx.storage, key, &record, Expected::Version(version), None).await)
                .map(|_| false);
        }
    };
    if !goes {
        return Ok(false);
    }
    let Some(lease) = cx.storage.lock(&format!("certificate-{}", id_of(key)), TTL).await? else {
        return Ok(false);
    };
    let deleted = cx.storage.delete(key, Expected::Version(version), Some(&lease)).await;
    let deleted = unless_changed(deleted);
    if matches!(deleted, Ok(Some(()))) {
        cx.storage.delete(&Key::schedule(id_of(key)), Expected::Any, Some(&lease)).await?;
    }
    cx.storage.unlock(lease).await?;
    deleted.map(|done| done.is_some())
}

/// Takes the mark away from a certificate that is wanted here.
pub(super) async fn unmark(cx: &Context, record: &CertificateRecord, version: Version) {
    if record.unwanted_since.is_none() {
        return;
    }
    let kept = CertificateRecord { unwanted_since: None, ..record.clone() };
    let saved = save(&*cx.storage, &record.key(), &kept, Expected::Version(version), None).await;
    if let Err(error) = unless_changed(saved) {
        tracing::warn!(%error, "a certificate that is wanted stays marked as one that is not");
    }
}

/// `None`: somebody else was at it, and it is their turn.
fn unless_changed<T>(done: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match done {
        Err(StorageError::Conflict(_)) => Ok(None),
        done => done.map(Some),
    }
}

fn has_ended(record: &CertificateRecord, now: Time) -> bool {
    record.validity().is_ok_and(|(_, not_after)| not_after.saturating_add(GRACE) <= now)
}

/// The certificate that a key is of.
fn id_of(key: &Key) -> &str {
    key.segments().last().unwrap_or_default()
}

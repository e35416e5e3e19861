//! Locks with an owner, a fence and an end, in a file each. They need not outlast a power cut, which ends all owners too.

use super::Files;
use super::folder::{LOCKS, is_strange, read};
use super::owner::{Owner, is_alive};
use crate::Time;
use crate::storage::{Lease, StorageError, holds, key, whole_seconds};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
struct LockFile {
    name: String,
    owner: String,
    fence: u64,
    since: Time,
    ttl: u64,
}

impl Files {
    pub(in crate::storage) fn lock(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        let (now, ttl) = ((self.clock)(), whole_seconds(ttl));
        let owner = self.owner()?;
        let pass = self.gate.enter()?;
        let last = self.lock_file(name)?;
        let held = |last: &LockFile| last.is_current(now) && is_alive(&self.folder, &last.owner);
        if last.as_ref().is_some_and(held) {
            return Ok(None);
        }
        let fence = pass.next_fence(last.map_or(0, |last| last.fence))?;
        let lease = Lease {
            name: name.to_owned(),
            owner: owner.id().to_owned(),
            fence,
            ttl,
            expires: now.saturating_add(ttl.as_secs()),
        };
        self.write_lock(owner, &lease, now)?;
        Ok(Some(lease))
    }

    pub(in crate::storage) fn renew(&self, lease: &Lease) -> Result<Lease, StorageError> {
        let owner = self.owner()?;
        let _pass = self.gate.enter()?;
        self.held(lease)?;
        let now = (self.clock)();
        self.write_lock(owner, lease, now)?;
        Ok(Lease { expires: now.saturating_add(lease.ttl.as_secs()), ..lease.clone() })
    }

    pub(in crate::storage) fn unlock(&self, lease: &Lease) -> Result<(), StorageError> {
        let _pass = self.gate.enter()?;
        match self.held(lease) {
            Ok(()) => self.folder.remove(&self.lock_path(&lease.name)).map(drop),
            Err(StorageError::Lost(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `Lost` unless the lease is the lock's last, and has not ended. To be asked inside the gate.
    pub(super) fn held(&self, lease: &Lease) -> Result<(), StorageError> {
        let now = (self.clock)();
        let held = self.lock_file(&lease.name)?.is_some_and(|file| {
            file.owner == lease.owner && file.fence == lease.fence && file.is_current(now)
        });
        if held { Ok(()) } else { Err(StorageError::Lost(lease.name.clone())) }
    }

    /// One that cannot be read is none: a power cut emptied it, and ended its owner.
    fn lock_file(&self, name: &str) -> Result<Option<LockFile>, StorageError> {
        let path = self.lock_path(name);
        match read(&path) {
            Err(_) if is_strange(&path) => Ok(None),
            read => Ok(read?.and_then(|bytes| serde_json::from_slice(&bytes).ok())),
        }
    }

    fn write_lock(&self, owner: &Owner, lease: &Lease, since: Time) -> Result<(), StorageError> {
        let file = LockFile {
            name: lease.name.clone(),
            owner: lease.owner.clone(),
            fence: lease.fence,
            since,
            ttl: lease.ttl.as_secs(),
        };
        // Text and numbers: nothing in it can fail.
        let text = serde_json::to_vec(&file).unwrap_or_default();
        let written = self.folder.write_aside(&owner.temporary(), &text, false)?;
        written.place(&self.lock_path(&lease.name))
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.folder.hidden(LOCKS, &format!("{}.json", key::segment(name)))
    }
}

impl LockFile {
    fn is_current(&self, now: Time) -> bool {
        holds(self.since, Duration::from_secs(self.ttl), now)
    }
}

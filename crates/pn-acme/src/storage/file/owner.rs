//! Who uses the folder. Each open store has a file of its own that the kernel keeps locked for as long as the process
//! lives, so that others see at once that it died, and may end its locks and clear its temporary files.

use super::folder::{Folder, OWNERS, TEMPORARY, at, names};
use crate::storage::{StorageError, key};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Owner {
    id: String,
    _alive: File,
    temporaries: AtomicU64,
}

impl Owner {
    /// To be called inside the gate: until its file is locked, an owner looks dead.
    pub(super) fn enter(folder: &Folder) -> Result<Self, StorageError> {
        // Processes of two containers may have one host name and one number. The seed of hash maps is random enough to
        // tell them apart.
        let random = RandomState::new().hash_one(std::process::id());
        let name = format!("{}-{}-{random:016x}", crate::host_name(), std::process::id());
        let id = key::segment(&name);
        let path = folder.hidden(OWNERS, &id);
        let alive = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let alive = alive.map_err(|error| at(&path, error))?;
        folder.bequeath(&path).map_err(|error| at(&path, error))?;
        flock(&alive, FlockOperation::NonBlockingLockExclusive).map_err(|error| at(&path, error.into()))?;
        Ok(Self { id, _alive: alive, temporaries: AtomicU64::new(0) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A name for a temporary file.
    pub(super) fn temporary(&self) -> String {
        format!("{}-{}", self.id, self.temporaries.fetch_add(1, Ordering::Relaxed))
    }

    /// Clears what dead owners left. To be called inside the gate.
    pub(super) fn clear_dead(&self, folder: &Folder) -> Result<(), StorageError> {
        let owners = names(&folder.path().join(OWNERS))?;
        let (alive, dead): (Vec<_>, Vec<_>) =
            owners.into_iter().map(|(id, _)| id).partition(|id| *id == self.id || is_alive(folder, id));
        for (name, _) in names(&folder.path().join(TEMPORARY))? {
            let of_living = alive.iter().any(|id| name.strip_prefix(id).is_some_and(|n| n.starts_with('-')));
            if !of_living {
                folder.remove(&folder.hidden(TEMPORARY, &name))?;
            }
        }
        for id in dead {
            folder.remove(&folder.hidden(OWNERS, &id))?;
        }
        Ok(())
    }
}

/// To be asked inside the gate. When in doubt, it lives: its locks end by their time.
pub(super) fn is_alive(folder: &Folder, id: &str) -> bool {
    match File::open(folder.hidden(OWNERS, id)) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
        Err(_) => Path::exists(&folder.hidden(OWNERS, id)),
    }
}

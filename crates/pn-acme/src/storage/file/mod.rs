//! A store in a folder: a file a value, private to one user, shared by any number of that user's processes. Work on the
//! disk is done on tokio's threads for it, as it waits for locks of other processes and for the disk itself.
//!
//! ```text
//! accounts/CA/EMAIL.json ...   the values, each at its key
//! .cas                         locked by the kernel while a value is compared and replaced; holds the last fence
//! .locks/NAME.json             who holds a lock, and until when
//! .owners/ID                   locked by the kernel for as long as the process of that id lives
//! .tmp/ID-N                    a value that is being written
//! ```
//!
//! A value is written to `.tmp`, forced to the disk, and renamed over its place under `.cas`: whoever reads finds the
//! old or the new one, and needs no lock. Wherever a process is killed, what it had been told is stored is stored, its
//! locks end at once (those of other hosts when their time runs out), and the next to open the folder clears `.tmp`.

mod folder;
mod gate;
mod locks;
mod owner;

use super::{
    BoxFuture, Clock, Expected, Key, Lease, Loaded, Storage, StorageError, Stored, VALUE_BYTES, Version, key,
    system_clock,
};
use crate::files::has_no_room;
use folder::Folder;
use gate::Gate;
use owner::Owner;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A folder that is open; clones are the same owner of locks. To be used on a tokio runtime.
#[derive(Debug, Clone)]
pub struct FileStore(Arc<Files>);

/// The store without its waiting: each call is done when it returns.
pub(super) struct Files {
    folder: Folder,
    gate: Gate,
    /// None yet, where the disk took nothing so far.
    owner: OnceLock<Owner>,
    clock: Clock,
}

impl FileStore {
    /// Makes the folder when there is none, closes it to others, and clears what killed processes left. May wait for
    /// another process's write. On a disk that is full or read-only, what is stored can be read.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Self::with_clock(path, system_clock())
    }

    /// As `open`, with another clock for locks.
    pub fn with_clock(path: &Path, clock: Clock) -> Result<Self, StorageError> {
        Files::open(path, clock).map(|files| Self(Arc::new(files)))
    }

    pub fn path(&self) -> &Path {
        self.0.folder.path()
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StorageError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StorageError>> {
        let files = self.0.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&files)).await;
            done.unwrap_or_else(|error| Err(StorageError::Unavailable(error.to_string())))
        })
    }
}

impl Storage for FileStore {
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Loaded> {
        let key = key.clone();
        self.run(move |files| files.load(&key))
    }

    fn load_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Loaded>, StorageError>> {
        let keys = keys.to_vec();
        self.run(move |files| Ok(keys.iter().map(|key| files.load(key)).collect()))
    }

    fn save<'a>(
        &'a self,
        key: &'a Key,
        value: &'a [u8],
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Version, StorageError>> {
        let (key, value, under) = (key.clone(), value.to_vec(), under.cloned());
        self.run(move |files| files.save(&key, &value, expected, under.as_ref()))
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        let (key, under) = (key.clone(), under.cloned());
        self.run(move |files| files.delete(&key, expected, under.as_ref()))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        let prefix = prefix.to_owned();
        self.run(move |files| files.folder.list(&prefix))
    }

    fn lock<'a>(
        &'a self,
        name: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, StorageError>> {
        let name = name.to_owned();
        self.run(move |files| files.lock(&name, ttl))
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, StorageError>> {
        let lease = lease.clone();
        self.run(move |files| files.renew(&lease))
    }

    fn unlock(&self, lease: Lease) -> BoxFuture<'_, Result<(), StorageError>> {
        self.run(move |files| files.unlock(&lease))
    }
}

impl Files {
    pub(super) fn open(path: &Path, clock: Clock) -> Result<Self, StorageError> {
        let folder = Folder::open(path)?;
        let files = Self { gate: Gate::new(&folder), folder, owner: OnceLock::new(), clock };
        match files.owner() {
            Err(StorageError::File { path, source }) if has_no_room(&source) => tracing::error!(
                file = %path.display(), error = %source,
                "the certificate store cannot be written to: what it holds is served, and nothing is ordered until it can"
            ),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        Ok(files)
    }

    /// Who writes and locks here. Becomes so with the first try that the disk lets it.
    fn owner(&self) -> Result<&Owner, StorageError> {
        if let Some(owner) = self.owner.get() {
            return Ok(owner);
        }
        let _pass = self.gate.enter()?;
        if let Some(owner) = self.owner.get() {
            return Ok(owner);
        }
        let place = self.folder.path().join(folder::GATE);
        self.folder.bequeath(&place).map_err(|error| folder::at(&place, error))?;
        let owner = Owner::enter(&self.folder)?;
        owner.clear_dead(&self.folder)?;
        Ok(self.owner.get_or_init(|| owner))
    }

    pub(super) fn load(&self, key: &Key) -> Loaded {
        let Some(value) = self.folder.read(key)? else { return Ok(None) };
        let version = version_of(&value);
        Ok(Some(Stored { value, version }))
    }

    pub(super) fn save(
        &self,
        key: &Key,
        value: &[u8],
        expected: Expected,
        under: Option<&Lease>,
    ) -> Result<Version, StorageError> {
        if value.len() > VALUE_BYTES {
            return Err(StorageError::TooLarge { key: key.clone(), bytes: value.len() });
        }
        self.folder.make_parents(key)?;
        // What is slow comes before the gate, so that it is held for microseconds.
        let written = self.folder.write_aside(&self.owner()?.temporary(), value, true)?;
        let pass = self.gate.enter()?;
        self.check(key, expected, under)?;
        written.place(&self.folder.place(key))?;
        drop(pass);
        self.folder.sync_parent(key)?;
        Ok(version_of(value))
    }

    pub(super) fn delete(
        &self,
        key: &Key,
        expected: Expected,
        under: Option<&Lease>,
    ) -> Result<(), StorageError> {
        let pass = self.gate.enter()?;
        self.check(key, expected, under)?;
        let was_there = self.folder.remove(&self.folder.place(key))?;
        drop(pass);
        if was_there { self.folder.sync_parent(key) } else { Ok(()) }
    }

    /// Inside the gate, so that it still holds when the value is replaced.
    fn check(&self, key: &Key, expected: Expected, under: Option<&Lease>) -> Result<(), StorageError> {
        if let Some(lease) = under {
            self.held(lease)?;
        }
        let allowed = match expected {
            Expected::Any => true,
            _ => expected.allows(self.folder.read(key)?.map(|value| version_of(&value))),
        };
        if allowed { Ok(()) } else { Err(StorageError::Conflict(key.clone())) }
    }
}

/// The value itself, in short: a file that was restored or edited by hand has a version too, and a value that came back
/// to what it was is the one that was read.
fn version_of(value: &[u8]) -> Version {
    Version(u64::from_str_radix(&key::hash(value, 16), 16).unwrap_or_default())
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.folder.path().display())
    }
}

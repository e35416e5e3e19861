//! Where accounts, keys and certificates are kept: the contract that every store meets, and the stores that come with
//! the proxy. What the values mean is in `records`; who reads and writes them is not here.
//!
//! A store may be shared by several processes. Three things make that safe: a value is replaced only if it is still
//! the one that was read (`Expected`), work is divided by locks that end by themselves (`Lease`), and an owner that
//! was asleep while its lock ended cannot write any more (fencing: `save(.., under)`).
//!
//! The contract is that of etcd, so that a store on etcd fits: a version is a key's `mod_revision`, a lock is a key
//! under a lease, its fence the key's `create_revision`, and every write one transaction that compares both.

mod file;
mod key;
mod memory;

#[cfg(test)]
mod tests;

pub use file::FileStore;
pub use key::{ACCOUNTS, CERTIFICATES, CHALLENGES, Ca, Key, ON_DEMAND, SCHEDULE, THROTTLE, certificate_id};
pub use memory::{Fault, MemoryStore, Operation};

use crate::Time;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Far above any value: a chain of ten RSA-4096 certificates and its key are 25 KiB.
pub const VALUE_BYTES: usize = 1 << 20;

/// What came of one load.
pub type Loaded = Result<Option<Stored>, StorageError>;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who tells a store the time, by which locks end.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A store of small values by key, with compare-and-swap and locks. Keys are compared as bytes.
///
/// An operation that fails with `Conflict`, `Lost` or `TooLarge` has changed nothing. After any other error it is not
/// known whether it did: read again.
pub trait Storage: Send + Sync + fmt::Debug {
    /// The value of a key, whole: the one before a write or the one after it.
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Loaded>;

    /// As many loads, in the order of the keys, each of which fails for itself alone. A store across a network asks for
    /// them at once: give it some hundred.
    fn load_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Loaded>, StorageError>> {
        Box::pin(async move {
            let mut all = Vec::with_capacity(keys.len());
            for key in keys {
                all.push(self.load(key).await);
            }
            Ok(all)
        })
    }

    /// Durable when it returns. `under`: only while that lock is held.
    fn save<'a>(
        &'a self,
        key: &'a Key,
        value: &'a [u8],
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Version, StorageError>>;

    /// What is not there is deleted already, unless a version is expected.
    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<(), StorageError>>;

    /// The keys below a prefix of whole segments (`certificates`, `certificates/CA`), in order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Key>, StorageError>>;

    /// `None` while another holds it, the same process included. Never waits. Whoever gets it looks again whether the
    /// work is still to be done. `ttl` is in whole seconds, one at least.
    fn lock<'a>(&'a self, name: &'a str, ttl: Duration)
    -> BoxFuture<'a, Result<Option<Lease>, StorageError>>;

    /// The same lease, its time begun anew; `Lost` when it has ended, whether or not another took it.
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, StorageError>>;

    /// What has ended already is no error.
    fn unlock(&self, lease: Lease) -> BoxFuture<'_, Result<(), StorageError>>;
}

/// A value as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    pub value: Vec<u8>,
    pub version: Version,
}

/// Says whether two reads saw the same value, and nothing else: it has no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub(crate) u64);

/// What must be there for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Any,
    Absent,
    Version(Version),
}

/// A lock that is held until `expires`, if it is not renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    /// Who holds it, for people: host, process, and what tells two stores of one process apart.
    pub owner: String,
    /// Higher with each owner.
    pub fence: u64,
    pub ttl: Duration,
    /// By the store's clock.
    pub expires: Time,
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("`{0}` was changed by another since it was read; read it again")]
    Conflict(Key),
    #[error("the lock `{0}` is no longer held: its time ran out, or another owner has it; take it again")]
    Lost(String),
    #[error("a value of {bytes} bytes for `{key}` is above {VALUE_BYTES}; nothing of ours is that large")]
    TooLarge { key: Key, bytes: usize },
    /// No release can use it, so whoever has another value may write over it.
    #[error("what is stored for `{key}` cannot be read: {reason}")]
    Damaged { key: Key, reason: String },
    /// It is good, and not ours to write over.
    #[error("what is stored for `{key}` is of a later release: {reason}")]
    Later { key: Key, reason: String },
    #[error(
        "`{}` in the certificate store cannot be used: {source}; check that the proxy's user owns it and that the disk is not full",
        path.display()
    )]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "`{}` has been held by another process for {} s; find a stopped proxy-now that uses this store and end it",
        path.display(), waited.as_secs()
    )]
    Busy { path: PathBuf, waited: Duration },
    #[error(
        "the certificate store `{}` is open to others (mode {mode:o}) and holds what is not the proxy's; give it a folder of its own",
        path.display()
    )]
    Insecure { path: PathBuf, mode: u32 },
    #[error("the certificate store does not answer: {0}")]
    Unavailable(String),
}

impl StorageError {
    /// Whether it is about this one value, as long as that is not replaced.
    pub(crate) fn is_of_the_value(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Later { .. })
    }
}

impl Expected {
    /// Whether a write may go over what is there.
    pub(crate) fn allows(self, current: Option<Version>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Version(version) => current == Some(version),
        }
    }
}

/// Values hold private keys.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({} bytes, {:?})", self.value.len(), self.version)
    }
}

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// Whether a lock that was taken or renewed at `since` still holds. One from further in the future than it lasts was
/// taken before the clock was set back, and would last as long as it was set back.
pub(crate) fn holds(since: Time, ttl: Duration, now: Time) -> bool {
    let ttl = ttl.as_secs();
    since.saturating_sub(ttl) <= now && now < since.saturating_add(ttl)
}

pub(crate) fn whole_seconds(ttl: Duration) -> Duration {
    Duration::from_secs(ttl.as_secs().max(1))
}

//! A store in memory, lost with the process: for tests and simulations, with several nodes on one store, a clock of
//! their choice, and faults where they want them.

use super::{
    BoxFuture, Clock, Expected, Key, Lease, Loaded, Storage, StorageError, Stored, VALUE_BYTES, Version,
    holds, whole_seconds,
};
use crate::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One node's view of the store; clones are the same node.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    owner: String,
    clock: Clock,
}

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Load,
    Save,
    Delete,
    List,
    Lock,
    Renew,
    Unlock,
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// It does not happen.
    Before,
    /// It happens, and the answer is lost.
    After,
}

type Faults = Box<dyn FnMut(Operation, &str) -> Fault + Send>;

#[derive(Default)]
struct Shared {
    values: BTreeMap<Key, Stored>,
    locks: BTreeMap<String, Held>,
    /// Of everything that was ever changed, as in etcd.
    revision: u64,
    faults: Option<Faults>,
}

struct Held {
    fence: u64,
    since: Time,
    ttl: Duration,
}

impl MemoryStore {
    /// An empty store, seen by a node of that name.
    pub fn new(owner: &str, clock: Clock) -> Self {
        Self { shared: Arc::default(), owner: owner.to_owned(), clock }
    }

    /// The same store, seen by another node.
    pub fn node(&self, owner: &str) -> Self {
        Self { owner: owner.to_owned(), ..self.clone() }
    }

    /// The same store, seen by another node whose clock may be wrong.
    pub fn node_with_clock(&self, owner: &str, clock: Clock) -> Self {
        Self { owner: owner.to_owned(), clock, ..self.clone() }
    }

    /// What goes wrong from now on, for all nodes: asked before each operation, with the key, prefix or lock.
    pub fn set_faults(&self, faults: impl FnMut(Operation, &str) -> Fault + Send + 'static) {
        self.with(|shared| shared.faults = Some(Box::new(faults)));
    }

    pub fn clear_faults(&self) {
        self.with(|shared| shared.faults = None);
    }

    fn with<T>(&self, run: impl FnOnce(&mut Shared) -> T) -> T {
        run(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn run<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        subject: &'a str,
        run: impl FnOnce(&mut Shared, Time) -> Result<T, StorageError> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        Box::pin(async move {
            self.with(|shared| {
                let fault = shared.faults.as_mut().map_or(Fault::None, |faults| faults(operation, subject));
                let done = match fault {
                    Fault::Before => None,
                    Fault::None | Fault::After => Some(run(shared, (self.clock)())),
                };
                let lost = || StorageError::Unavailable(format!("{operation:?} of `{subject}` failed"));
                done.filter(|_| fault == Fault::None).unwrap_or_else(|| Err(lost()))
            })
        })
    }
}

impl Storage for MemoryStore {
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Loaded> {
        self.run(Operation::Load, key.as_str(), |shared, _| Ok(shared.values.get(key).cloned()))
    }

    fn save<'a>(
        &'a self,
        key: &'a Key,
        value: &'a [u8],
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Version, StorageError>> {
        self.run(Operation::Save, key.as_str(), move |shared, now| {
            shared.check(key, expected, under, now)?;
            if value.len() > VALUE_BYTES {
                return Err(StorageError::TooLarge { key: key.clone(), bytes: value.len() });
            }
            let version = Version(shared.next());
            shared.values.insert(key.clone(), Stored { value: value.to_vec(), version });
            Ok(version)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.run(Operation::Delete, key.as_str(), move |shared, now| {
            shared.check(key, expected, under, now)?;
            shared.values.remove(key);
            Ok(())
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        self.run(Operation::List, prefix, move |shared, _| {
            let below =
                |key: &&Key| key.as_str().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
            Ok(shared.values.keys().filter(below).cloned().collect())
        })
    }

    fn lock<'a>(
        &'a self,
        name: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, StorageError>> {
        self.run(Operation::Lock, name, move |shared, now| {
            if shared.locks.get(name).is_some_and(|held| holds(held.since, held.ttl, now)) {
                return Ok(None);
            }
            let (fence, ttl) = (shared.next(), whole_seconds(ttl));
            shared.locks.insert(name.to_owned(), Held { fence, since: now, ttl });
            let (name, owner) = (name.to_owned(), self.owner.clone());
            Ok(Some(Lease { name, owner, fence, ttl, expires: now.saturating_add(ttl.as_secs()) }))
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, StorageError>> {
        self.run(Operation::Renew, &lease.name, move |shared, now| {
            let held = shared.held(lease, now)?;
            held.since = now;
            Ok(Lease { expires: now.saturating_add(lease.ttl.as_secs()), ..lease.clone() })
        })
    }

    fn unlock(&self, lease: Lease) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let unlock = self.run(Operation::Unlock, &lease.name, |shared, now| {
                if shared.held(&lease, now).is_ok() {
                    shared.locks.remove(&lease.name);
                }
                Ok(())
            });
            unlock.await
        })
    }
}

impl Shared {
    fn next(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn held(&mut self, lease: &Lease, now: Time) -> Result<&mut Held, StorageError> {
        let held = self.locks.get_mut(&lease.name);
        held.filter(|held| held.fence == lease.fence && holds(held.since, held.ttl, now))
            .ok_or_else(|| StorageError::Lost(lease.name.clone()))
    }

    fn check(
        &mut self,
        key: &Key,
        expected: Expected,
        under: Option<&Lease>,
        now: Time,
    ) -> Result<(), StorageError> {
        if let Some(lease) = under {
            self.held(lease, now)?;
        }
        let current = self.values.get(key).map(|stored| stored.version);
        if expected.allows(current) { Ok(()) } else { Err(StorageError::Conflict(key.clone())) }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({})", self.owner)
    }
}

//! State that outlives graphs: a registry of handles by key. Graphs hold the handles; the registry only remembers
//! them, so that state dies with the last graph that uses it.
#![expect(
    clippy::disallowed_types,
    reason = "the registry is locked while a graph is compiled, never by a request"
)]

mod server;

pub use server::{BalanceState, FailureWindow, RetryBudget, ServerState};

use ahash::{HashMap, RandomState};
use std::any::{Any, TypeId};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

type Handle = Arc<dyn Any + Send + Sync>;

/// Node name, what the state is for, and the hash of the fields that define it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateKey {
    /// As in `middlewares.limit`, or with a server's URL behind it where the state is a server's.
    pub node: Arc<str>,
    pub defined_by: u64,
    kind: TypeId,
}

impl StateKey {
    /// The key of the state `T` of a node. The hash is stable within a process, which is as long as state lives.
    pub fn of<T: Any>(node: impl Into<Arc<str>>, defined_by: &impl Hash) -> Self {
        Self { node: node.into(), defined_by: FIXED.hash_one(defined_by), kind: TypeId::of::<T>() }
    }
}

const FIXED: RandomState = RandomState::with_seeds(0x70, 0x6e, 0x73, 0x74);

/// Shared by all compilations of a process.
#[derive(Default, Clone)]
pub struct StateRegistry {
    known: Arc<Mutex<HashMap<StateKey, Weak<dyn Any + Send + Sync>>>>,
}

impl StateRegistry {
    /// Takes handles for one graph; creates nothing here until the graph is committed.
    pub fn draft(&self) -> StateDraft {
        StateDraft { registry: self.clone(), taken: HashMap::default() }
    }

    /// How many states are alive, for metrics and tests.
    pub fn alive(&self) -> usize {
        self.lock().values().filter(|state| state.strong_count() > 0).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StateKey, Weak<dyn Any + Send + Sync>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StateRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateRegistry({} alive)", self.alive())
    }
}

/// The handles of one graph: those that the registry had, and new ones that it does not know yet.
pub struct StateDraft {
    registry: StateRegistry,
    taken: HashMap<StateKey, Handle>,
}

impl StateDraft {
    /// The state of `key`: that of the running graph, or else a new one.
    pub fn take<T: Any + Send + Sync>(&mut self, key: StateKey, new: impl FnOnce() -> T) -> Arc<T> {
        let handle = self
            .taken
            .get(&key)
            .cloned()
            .or_else(|| self.registry.lock().get(&key).and_then(Weak::upgrade))
            .and_then(|handle| handle.downcast::<T>().ok())
            .unwrap_or_else(|| Arc::new(new()));
        let shared: Handle = Arc::<T>::clone(&handle);
        self.taken.insert(key, shared);
        handle
    }

    /// Makes the new handles known, and forgets those that no graph holds any more.
    pub(crate) fn adopt(&self) {
        let mut known = self.registry.lock();
        known.retain(|_, state| state.strong_count() > 0);
        known.extend(self.taken.iter().map(|(key, state)| (key.clone(), Arc::downgrade(state))));
    }
}

impl fmt::Debug for StateDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateDraft({} states)", self.taken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_shows_nothing_until_it_is_adopted_and_dies_with_its_graph() {
        let registry = StateRegistry::default();
        let mut first = registry.draft();
        let one = first.take(StateKey::of::<u32>("a", &1), || 7u32);
        let mut second = registry.draft();
        assert_eq!(*second.take(StateKey::of::<u32>("a", &1), || 8u32), 8, "not adopted yet");
        first.adopt();
        let mut third = registry.draft();
        assert!(Arc::ptr_eq(&one, &third.take(StateKey::of::<u32>("a", &1), || 9u32)));
        assert_eq!(*third.take(StateKey::of::<u32>("a", &2), || 9u32), 9, "another definition");
        assert_eq!(*third.take(StateKey::of::<u64>("a", &1), || 9u64), 9, "another kind");
        drop((one, first, second, third));
        assert_eq!(registry.alive(), 0);
    }
}

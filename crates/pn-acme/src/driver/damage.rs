//! Values of the storage that cannot be read, each told of once: they are looked at each minute.

use crate::storage::{Key, StorageError};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was told, for as long as it lasts.
#[derive(Debug, Default)]
pub(super) struct Damage(Mutex<BTreeMap<Key, String>>);

impl Damage {
    /// `None`: the value is damaged, and that is told with what happens `then`. What is of a later release fails as
    /// everything else does: it is not ours to replace.
    pub(super) fn mind<T>(
        &self,
        key: &Key,
        found: Result<T, StorageError>,
        then: &str,
    ) -> Result<Option<T>, StorageError> {
        match found {
            Err(error @ StorageError::Damaged { .. }) => {
                self.tell(key, &error, then);
                Ok(None)
            }
            found => {
                self.told().remove(key);
                found.map(Some)
            }
        }
    }

    /// Whether it was news.
    pub(super) fn tell(&self, key: &Key, error: &StorageError, then: &str) -> bool {
        let text = error.to_string();
        if self.told().get(key) == Some(&text) {
            return false;
        }
        tracing::warn!(%key, error = text, "a damaged value in the certificate store: {then}");
        self.told().insert(key.clone(), text);
        true
    }

    /// Never held while anything else runs.
    fn told(&self) -> MutexGuard<'_, BTreeMap<Key, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_once_for_as_long_as_it_lasts() {
        let (damage, key) = (Damage::default(), Key::schedule("a"));
        let error = |reason: &str| StorageError::Damaged { key: key.clone(), reason: reason.to_owned() };
        assert!(damage.tell(&key, &error("EOF"), "it is skipped"));
        assert!(!damage.tell(&key, &error("EOF"), "it is skipped"));
        assert_eq!(damage.mind::<()>(&key, Err(error("EOF")), "").unwrap(), None);
        assert!(damage.tell(&key, &error("it is no file"), "it is skipped"), "that is another one");
        assert_eq!(damage.mind(&key, Ok(7), "").unwrap(), Some(7));
        assert!(damage.tell(&key, &error("EOF"), "it is skipped"), "it was good meanwhile");
        let later = StorageError::Later { key: key.clone(), reason: String::new() };
        assert!(damage.mind::<()>(&key, Err(later), "").is_err());
    }
}

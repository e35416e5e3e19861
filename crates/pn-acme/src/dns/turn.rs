//! Turns of changes that must not run at once, across all issuers of the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// As many as configurations of this process have named programs and providers.
static TURNS: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>> = Mutex::new(BTreeMap::new());

/// Whoever is called the same takes turns with it.
pub(super) fn turn_of(name: &str) -> Arc<tokio::sync::Mutex<()>> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(turns.entry(name.to_owned()).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_issuers_of_one_program_take_turns() {
        let (one, same, other) = (turn_of("/bin/one"), turn_of("/bin/one"), turn_of("/bin/other"));
        let held = one.try_lock();
        assert!(held.is_ok() && same.try_lock().is_err() && other.try_lock().is_ok());
    }
}

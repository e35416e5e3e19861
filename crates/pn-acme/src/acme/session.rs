//! What the procedures of one account share: the directory, the nonces, the account's URL and key. What is said to the
//! CA is in `call`.

use super::fault::AcmeFault;
use super::jws::AccountKey;
use super::machine::Time;
use super::url::check_url;
use super::wire::Directory;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// As many as orders run at once; a CA answers every request with another one.
const NONCES: usize = 32;
/// Older nonces are not tried: Let's Encrypt forgets them by then.
const NONCE_AGE: u64 = 600;
/// After that the directory is read again: URLs, terms and profiles change.
const DIRECTORY_AGE: u64 = 12 * 3600;

/// An account at a CA, or what is to become one. Clones share all of it.
#[derive(Clone)]
pub struct Session(Arc<Shared>);

struct Shared {
    directory_url: String,
    state: Mutex<State>,
}

struct State {
    key: AccountKey,
    account: Option<String>,
    directory: Option<(Time, Arc<Directory>)>,
    nonces: VecDeque<(Time, String)>,
}

impl Session {
    /// `account`: its URL, if it was registered before. URLs have to be `https://`, or as the directory's.
    pub fn new(directory_url: &str, key: AccountKey, account: Option<String>) -> Result<Self, AcmeFault> {
        check_url(directory_url, directory_url)?;
        if let Some(url) = &account {
            check_url(url, directory_url)?;
        }
        let state = State { key, account, directory: None, nonces: VecDeque::new() };
        Ok(Self(Arc::new(Shared { directory_url: directory_url.to_owned(), state: Mutex::new(state) })))
    }

    pub fn directory_url(&self) -> &str {
        &self.0.directory_url
    }

    pub fn account_url(&self) -> Option<String> {
        self.state().account.clone()
    }

    pub fn key(&self) -> AccountKey {
        self.state().key.clone()
    }

    /// As it was last read; `None` before the first procedure, and when the CA seems to have moved.
    pub fn directory(&self) -> Option<Arc<Directory>> {
        self.state().directory.as_ref().map(|(_, directory)| directory.clone())
    }

    pub(crate) fn fresh_directory(&self, now: Time) -> Option<Arc<Directory>> {
        let state = self.state();
        let (read_at, directory) = state.directory.as_ref()?;
        (now.abs_diff(*read_at) < DIRECTORY_AGE).then(|| directory.clone())
    }

    pub(crate) fn set_directory(&self, directory: Arc<Directory>, now: Time) {
        self.state().directory = Some((now, directory));
    }

    pub(crate) fn forget_directory(&self) {
        self.state().directory = None;
    }

    pub(crate) fn set_account(&self, url: Option<String>) {
        self.state().account = url;
    }

    pub(crate) fn set_key(&self, key: AccountKey) {
        self.state().key = key;
    }

    /// The newest one: after a refusal it is the one that came with it.
    pub(crate) fn take_nonce(&self, now: Time) -> Option<String> {
        let mut state = self.state();
        state.nonces.retain(|(since, _)| now.abs_diff(*since) < NONCE_AGE);
        state.nonces.pop_back().map(|(_, nonce)| nonce)
    }

    pub(crate) fn keep_nonce(&self, nonce: &str, now: Time) {
        let mut state = self.state();
        if state.nonces.len() == NONCES {
            state.nonces.pop_front();
        }
        state.nonces.push_back((now, nonce.to_owned()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Never held while anything else runs.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Session")
            .field("directory", &self.0.directory_url)
            .field("account", &state.account)
            .field("key", &state.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pn_model::acme::KeyType;

    #[test]
    fn nonces_are_few_and_young_and_the_newest_goes_first() {
        let key = AccountKey::generate(KeyType::P256).unwrap();
        let session = Session::new("https://ca.test/directory", key, None).unwrap();
        (0..100).for_each(|index| session.keep_nonce(&index.to_string(), 1_000 + index));
        assert_eq!(session.take_nonce(1_100).as_deref(), Some("99"));
        let young = std::iter::from_fn(|| session.take_nonce(1_000 + NONCE_AGE + 89)).count();
        assert_eq!(young, 9, "those from 1,090 on");
        (0..100).for_each(|index| session.keep_nonce(&index.to_string(), 1_000));
        let kept = std::iter::from_fn(|| session.take_nonce(1_000)).count();
        assert_eq!(kept, NONCES);
        session.keep_nonce("of another time", 1_000_000);
        assert_eq!(session.take_nonce(1_000), None, "the clock was set back");
    }
}

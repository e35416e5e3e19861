//! Session tickets: sealed by keys that this process makes and rotates, shared by all workers without a lock. There is
//! one set of keys for each policy, so that a ticket opens only where the same is demanded of a client.

use crate::error::TlsErrorKind;
use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use pn_model::limits::TICKET_ROTATION;
use rustls::server::ProducesTickets;
use rustls::time_provider::TimeProvider;
use std::fmt;
use std::sync::Arc;

const NAME_LEN: usize = 16;

/// AES-256-GCM with random nonces: a key seals for [`TICKET_ROTATION`] only, far below the 2^32 messages that
/// NIST SP 800-38D allows one.
pub(crate) struct Tickets {
    keys: ArcSwap<Keys>,
    clock: Arc<dyn TimeProvider>,
}

struct Keys {
    current: Arc<Key>,
    /// Opens only.
    previous: Option<Arc<Key>>,
    /// Seconds since 1970.
    rotate_at: u64,
}

struct Key {
    /// Tells which key sealed a ticket.
    name: [u8; NAME_LEN],
    aead: RandomizedNonceKey,
}

impl Tickets {
    pub(crate) fn new(clock: Arc<dyn TimeProvider>) -> Result<Self, TlsErrorKind> {
        let now = clock.current_time().map_or(0, |now| now.as_secs());
        let current = Key::generate().ok_or(TlsErrorKind::NoRandom)?;
        let keys =
            Keys { current: Arc::new(current), previous: None, rotate_at: now + TICKET_ROTATION.as_secs() };
        Ok(Self { keys: ArcSwap::from_pointee(keys), clock })
    }

    /// The keys of this moment. `None` when the clock or the random source fails: then there are no tickets.
    fn keys(&self) -> Option<Arc<Keys>> {
        let now = self.clock.current_time()?.as_secs();
        let keys = self.keys.load_full();
        if now < keys.rotate_at {
            return Some(keys);
        }
        // Workers may rotate at the same moment: one key wins, and what the others made was never used.
        let next = Arc::new(keys.rotated(now)?);
        let before = self.keys.compare_and_swap(&keys, Arc::clone(&next));
        Some(if Arc::ptr_eq(&before, &keys) { next } else { Arc::clone(&before) })
    }
}

impl Keys {
    fn rotated(&self, now: u64) -> Option<Self> {
        let rotation = TICKET_ROTATION.as_secs();
        // After a long silence even the current key is too old to open anything.
        let previous = (now < self.rotate_at + rotation).then(|| Arc::clone(&self.current));
        Some(Self { current: Arc::new(Key::generate()?), previous, rotate_at: now + rotation })
    }
}

impl Key {
    fn generate() -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME_LEN], [0; 32]);
        aws_lc_rs::rand::fill(&mut name).ok()?;
        aws_lc_rs::rand::fill(&mut secret).ok()?;
        Some(Self { name, aead: RandomizedNonceKey::new(&AES_256_GCM, &secret).ok()? })
    }

    /// Name, nonce, sealed text and tag.
    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce = self.aead.seal_in_place_append_tag(Aad::from(&self.name), &mut sealed).ok()?;
        let mut ticket = Vec::with_capacity(NAME_LEN + NONCE_LEN + sealed.len());
        ticket.extend_from_slice(&self.name);
        ticket.extend_from_slice(nonce.as_ref());
        ticket.extend_from_slice(&sealed);
        Some(ticket)
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME_LEN)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        if name != self.name {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let plain = self.aead.open_in_place(nonce, Aad::from(&self.name), &mut text).ok()?.len();
        text.truncate(plain);
        Some(text)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(TICKET_ROTATION.as_secs() * 2).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys()?.current.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys()?;
        keys.current.open(ticket).or_else(|| keys.previous.as_ref()?.open(ticket))
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Clock;
    use proptest::prelude::*;

    const HOUR: u64 = 3600;

    #[test]
    fn a_ticket_opens_for_less_than_two_rotations() {
        for (advance, opens) in
            [(&[0][..], true), (&[5 * HOUR], true), (&[6 * HOUR], true), (&[6 * HOUR, 5 * HOUR], true)]
                .into_iter()
                .chain([(&[6 * HOUR, 6 * HOUR][..], false), (&[12 * HOUR], false), (&[100 * HOUR], false)])
        {
            let clock = Clock::at(1_000_000);
            let tickets = Tickets::new(clock.clone()).unwrap();
            let ticket = tickets.encrypt(b"state").unwrap();
            for step in advance {
                clock.advance(*step);
                tickets.encrypt(b"other").unwrap();
            }
            assert_eq!(tickets.decrypt(&ticket).is_some(), opens, "{advance:?}");
        }
    }

    #[test]
    fn keys_are_not_shared() {
        let clock = Clock::at(1_000_000);
        let (one, two) = (Tickets::new(clock.clone()).unwrap(), Tickets::new(clock).unwrap());
        assert_eq!(two.decrypt(&one.encrypt(b"state").unwrap()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(ticket in proptest::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>()) {
            let tickets = Tickets::new(Clock::at(1_000_000)).unwrap();
            prop_assert_eq!(tickets.decrypt(&ticket), None);
            let mut real = tickets.encrypt(&ticket).unwrap();
            prop_assert_eq!(tickets.decrypt(&real), Some(ticket));
            let at = flip.index(real.len());
            real[at] ^= 1;
            prop_assert_eq!(tickets.decrypt(&real), None);
        }
    }
}

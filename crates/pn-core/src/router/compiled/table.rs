//! Hash tables from a text to a number. The texts lie in one array that all tables share, so that a lookup reads one
//! slot and one text.

use super::NONE;
use ahash::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A piece of the shared text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    from: u32,
    len: u32,
}

impl Text {
    /// Appends to the shared text.
    pub(super) fn push(piece: &str, text: &mut Vec<u8>) -> Self {
        let at = |n: usize| u32::try_from(n).unwrap_or(NONE);
        let from = at(text.len());
        text.extend_from_slice(piece.as_bytes());
        Self { from, len: at(piece.len()) }
    }

    pub(super) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        let from = usize::try_from(self.from).unwrap_or(usize::MAX);
        text.get(from..from.saturating_add(self.len())).unwrap_or_default()
    }
}

/// Open addressing with linear probing. Never changes once it is built.
#[derive(Debug)]
pub(super) struct Table {
    slots: Box<[Slot]>,
    hasher: RandomState,
    /// Longest key: what is longer need not be hashed.
    longest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Part of the hash that the place does not use.
    tag: u32,
    text: Text,
    /// [`NONE`]: an empty slot.
    value: u32,
}

impl Table {
    /// From keys in the text, each at most once.
    pub(super) fn new(keys: &[(Text, u32)], text: &[u8]) -> Self {
        // Between three eighths and three quarters full: smaller stays longer in the cache.
        let size = (keys.len() * 4 / 3 + 1).next_power_of_two();
        let empty = Slot { tag: 0, text: Text { from: 0, len: 0 }, value: NONE };
        let mut table = Self {
            slots: vec![empty; size].into(),
            hasher: RandomState::new(),
            longest: keys.iter().map(|(key, _)| key.len()).max().unwrap_or_default(),
        };
        for (key, value) in keys {
            let (mut place, tag) = table.place(key.of(text));
            while let Some(slot) = table.slots.get_mut(place) {
                if slot.value == NONE {
                    *slot = Slot { tag, text: *key, value: *value };
                    break;
                }
                place = (place + 1) & (size - 1);
            }
        }
        table
    }

    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn get(&self, key: &[u8], text: &[u8]) -> Option<u32> {
        if key.len() > self.longest {
            return None;
        }
        let (mut place, tag) = self.place(key);
        while let Some(slot) = self.slots.get(place).filter(|slot| slot.value != NONE) {
            if slot.tag == tag && slot.text.of(text) == key {
                return Some(slot.value);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        None
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half of the hash is used for itself")]
    fn place(&self, key: &[u8]) -> (usize, u32) {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        let hash = hasher.finish();
        (hash as usize & (self.slots.len() - 1), (hash >> 32) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_holds() {
        for count in [0, 1, 2, 3, 4, 7, 1_000] {
            let mut text = Vec::new();
            let keys: Vec<_> =
                (0..count).map(|n| (Text::push(&format!("host-{n}.example"), &mut text), n)).collect();
            let table = Table::new(&keys, &text);
            for n in 0..count {
                assert_eq!(table.get(format!("host-{n}.example").as_bytes(), &text), Some(n));
            }
            for miss in ["", "host", "host-1000.example", "host-0.examplf", &"x".repeat(100_000)] {
                assert_eq!(table.get(miss.as_bytes(), &text), None, "{count}");
            }
        }
    }
}

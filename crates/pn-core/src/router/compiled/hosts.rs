//! A hash table from host names to scopes whose names lie in a text shared with everything else.

use ahash::RandomState;

/// A piece of the shared text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    from: u32,
    len: u32,
}

impl Text {
    /// Appends to the text.
    pub(super) fn push(piece: &str, text: &mut String) -> Self {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let from = at(text.len());
        text.push_str(piece);
        Self { from, len: at(piece.len()) }
    }

    pub(super) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    pub(super) fn of(self, text: &str) -> &str {
        let from = usize::try_from(self.from).unwrap_or(usize::MAX);
        text.get(from..from.saturating_add(self.len())).unwrap_or_default()
    }
}

/// Open addressing, linear probing, at most half full. Never changes once it is built.
#[derive(Debug)]
pub(super) struct HostTable {
    slots: Box<[Option<Slot>]>,
    hasher: RandomState,
    /// Longest name: what is longer need not be hashed.
    longest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Part of the hash that the place does not use.
    tag: u32,
    name: Text,
    scope: u32,
}

impl HostTable {
    /// From names in the text, each at most once.
    pub(super) fn new(names: &[(Text, u32)], text: &str) -> Self {
        let size = (names.len() * 2).next_power_of_two();
        let mut table = Self {
            slots: vec![None; size].into(),
            hasher: RandomState::new(),
            longest: names.iter().map(|(name, _)| name.len()).max().unwrap_or_default(),
        };
        for (name, scope) in names {
            let (mut place, tag) = table.place(name.of(text));
            while let Some(slot) = table.slots.get_mut(place) {
                if slot.is_none() {
                    *slot = Some(Slot { tag, name: *name, scope: *scope });
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

    pub(super) fn get(&self, name: &str, text: &str) -> Option<u32> {
        if name.len() > self.longest {
            return None;
        }
        let (mut place, tag) = self.place(name);
        while let Some(Some(slot)) = self.slots.get(place) {
            if slot.tag == tag && slot.name.of(text) == name {
                return Some(slot.scope);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        None
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half of the hash is used for itself")]
    fn place(&self, name: &str) -> (usize, u32) {
        let hash = self.hasher.hash_one(name);
        (hash as usize & (self.slots.len() - 1), (hash >> 32) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_holds() {
        for count in [0, 1, 2, 3, 1_000] {
            let mut text = String::new();
            let names: Vec<_> =
                (0..count).map(|n| (Text::push(&format!("host-{n}.example"), &mut text), n)).collect();
            let table = HostTable::new(&names, &text);
            for n in 0..count {
                assert_eq!(table.get(&format!("host-{n}.example"), &text), Some(n));
            }
            for miss in ["", "host", "host-1000.example", "host-0.examplf", &"x".repeat(100_000)] {
                assert_eq!(table.get(miss, &text), None, "{count}");
            }
        }
    }
}

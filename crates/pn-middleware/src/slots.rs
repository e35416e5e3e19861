//! A bounded table of atomic cells by key, shared by all workers without a lock: what limits keep for their clients.

use pn_model::limits::CLIENT_KEYS;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Cells that one key may use. Enough that a table at its bound seldom finds them all taken.
const WAYS: usize = 16;

/// One cell of a key: what it is for, and the cell's value.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    key: AtomicU64,
    pub(crate) value: AtomicU64,
}

/// How many keys a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// All requests count as one client: one cell.
    One,
    /// One for each client: `CLIENT_KEYS`, rounded up.
    Many,
}

impl Keys {
    fn cells(self) -> usize {
        match self {
            Self::One => 1,
            Self::Many => CLIENT_KEYS.next_power_of_two(),
        }
    }
}

/// Rows of a table, a power of two of them.
#[derive(Debug, Clone, Copy)]
struct Rows {
    ways: usize,
    mask: usize,
}

impl Rows {
    fn of(keys: Keys) -> Self {
        let ways = WAYS.min(keys.cells());
        Self { ways, mask: keys.cells() / ways - 1 }
    }

    /// Where the row of a key begins, and where it ends.
    fn find(self, hash: u64) -> (usize, usize) {
        let begin = (usize::try_from(hash & 0xffff_ffff).unwrap_or_default() & self.mask) * self.ways;
        (begin, begin + self.ways)
    }
}

/// A key looks for its cell in one row of `WAYS`; when the row is full, the cell with the least value goes. Two workers
/// that race for a cell may disagree for one request; nothing is torn.
#[derive(Debug)]
pub(crate) struct Slots {
    rows: Rows,
    slots: Box<[Slot]>,
}

impl Slots {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { rows: Rows::of(keys), slots: (0..keys.cells()).map(|_| Slot::default()).collect() }
    }

    /// The cell of a key, with value 0 when it had none.
    pub(crate) fn slot(&self, key: u64) -> &Slot {
        // 0 marks an empty cell.
        let key = key | 1;
        let row = self.row(key);
        if let Some(slot) = row.iter().find(|slot| slot.key.load(Relaxed) == key) {
            return slot;
        }
        self.replace(row, key)
    }

    #[cold]
    fn replace<'a>(&'a self, row: &'a [Slot], key: u64) -> &'a Slot {
        let least = row.iter().min_by_key(|slot| (slot.key.load(Relaxed) != 0, slot.value.load(Relaxed)));
        // A row is never empty; the first cell stands in for what cannot happen.
        let slot = least.unwrap_or(&self.slots[0]);
        slot.value.store(0, Relaxed);
        slot.key.store(key, Relaxed);
        slot
    }

    fn row(&self, key: u64) -> &[Slot] {
        let (begin, end) = self.rows.find(key >> 32);
        self.slots.get(begin..end).unwrap_or(&self.slots)
    }
}

/// The same for counts that must be exact: key and count share one word, so that a cell in use is never taken away.
#[derive(Debug)]
pub(crate) struct Counts {
    rows: Rows,
    words: Box<[AtomicU64]>,
}

const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

impl Counts {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { rows: Rows::of(keys), words: (0..keys.cells()).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Adds one to a key's count unless that would pass `most`, or every cell of its row is in use. Returns where to
    /// take it away again.
    ///
    /// A cell without a count stays its last key's until another one takes it, so that a key finds its own, as a rule,
    /// where it looks first.
    pub(crate) fn enter(&self, key: u64, most: u64) -> Option<usize> {
        let (begin, end) = self.rows.find(key);
        let tag = key & !COUNT_MASK;
        // A few rounds: each lost race means that somebody else went on.
        for _ in 0..64 {
            let (at, word) = self.find(begin, end, tag)?;
            let count = if word & !COUNT_MASK == tag { word & COUNT_MASK } else { 0 };
            if count >= most.min(COUNT_MASK) {
                return None;
            }
            let next = tag | (count + 1);
            if self.words.get(at)?.compare_exchange(word, next, Relaxed, Relaxed).is_ok() {
                return Some(at);
            }
        }
        None
    }

    /// The cell of a key in its row, or the first that is free.
    fn find(&self, begin: usize, end: usize, tag: u64) -> Option<(usize, u64)> {
        let mut free = None;
        for (at, word) in (begin..).zip(self.words.get(begin..end)?) {
            let word = word.load(Relaxed);
            if word & !COUNT_MASK == tag {
                return Some((at, word));
            }
            if word & COUNT_MASK == 0 && free.is_none() {
                free = Some((at, word));
            }
        }
        free
    }

    /// Takes one away where `enter` put it.
    pub(crate) fn leave(&self, at: usize) {
        if let Some(word) = self.words.get(at) {
            word.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_cell_and_a_full_row_gives_up_the_least() {
        let slots = Slots::new(Keys::Many);
        let key = |n: u64| (7 << 32) | (n << 1);
        for n in 1..=16 {
            slots.slot(key(n)).value.store(n * 10, Relaxed);
        }
        assert_eq!(slots.slot(key(3)).value.load(Relaxed), 30);
        assert_eq!(slots.slot(key(99)).value.load(Relaxed), 0);
        assert_eq!(slots.slot(key(3)).value.load(Relaxed), 30, "still there");
        assert_eq!(slots.slot(key(1)).value.load(Relaxed), 0, "the least had gone");
    }

    #[test]
    fn counts_are_exact_and_a_row_in_use_refuses() {
        let counts = Counts::new(Keys::Many);
        let key = |n: u64| (n << 40) | 5;
        let first = counts.enter(key(1), 2).unwrap();
        assert_eq!(counts.enter(key(1), 2), Some(first));
        assert_eq!(counts.enter(key(1), 2), None);
        counts.leave(first);
        assert_eq!(counts.enter(key(1), 2), Some(first));
        for n in 2..=16 {
            assert!(counts.enter(key(n), 1).is_some());
        }
        assert_eq!(counts.enter(key(17), 1), None, "no cell left");
        assert_eq!(counts.enter(key(1), 0), None);
    }

    #[test]
    fn one_key_needs_one_cell() {
        let (slots, counts) = (Slots::new(Keys::One), Counts::new(Keys::One));
        assert_eq!((slots.slots.len(), counts.words.len()), (1, 1));
        slots.slot(1).value.store(7, Relaxed);
        assert_eq!(slots.slot(1).value.load(Relaxed), 7);
        let place = counts.enter(1, 2).unwrap();
        assert_eq!((counts.enter(1, 2), counts.enter(1, 2)), (Some(place), None));
        counts.leave(place);
        assert_eq!(counts.enter(1, 2), Some(place));
    }

    #[test]
    fn counts_hold_under_contention() {
        counts_hold(Keys::Many);
        counts_hold(Keys::One);
    }

    fn counts_hold(keys: Keys) {
        let counts = Counts::new(keys);
        let peak = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(at) = counts.enter(9, 2) {
                            let now = counts.words[at].load(Relaxed) & COUNT_MASK;
                            peak.fetch_max(now, Relaxed);
                            counts.leave(at);
                        }
                    }
                });
            }
        });
        assert!(peak.load(Relaxed) <= 2);
        assert!(counts.words.iter().all(|word| word.load(Relaxed) & COUNT_MASK == 0));
    }
}

//! A string of bytes as a source of choices; when it is used up, every choice is the first.

#[derive(Debug)]
pub struct Choices<'b>(std::slice::Iter<'b, u8>);

impl<'b> Choices<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(bytes.iter())
    }

    /// Below `bound`, which is at most 256; 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 | 1 => 0,
            bound => usize::from(self.0.next().copied().unwrap_or_default()) % bound,
        }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) + 1 == n
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        #[expect(
            clippy::indexing_slicing,
            reason = "below the length; an empty list is a mistake of the test"
        )]
        of[self.below(of.len())].clone()
    }

    /// Up to `most` picks.
    pub fn some<T: Clone>(&mut self, most: usize, of: &[T]) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| self.pick(of)).collect()
    }
}

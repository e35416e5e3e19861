//! A part of a head, as a range that outlives the borrow of the buffer.

use bytes::Bytes;
use std::ops::Range;

/// Where a part of a head lies, counted from the first byte that was given to the parser. Applied to any other buffer it
/// gives other bytes, or none; it never panics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The bytes, or none where the buffer ends before them.
    pub fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.range()).unwrap_or_default()
    }

    /// The bytes as a handle to the same memory.
    pub fn slice(self, head: &Bytes) -> Bytes {
        let inside = self.range().end <= head.len() && !self.is_empty();
        if inside { head.slice(self.range()) } else { Bytes::new() }
    }

    /// Heads are bounded far below 4 GiB (`Limits::HEAD_BYTES_MAX`).
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let cast = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: cast(start), end: cast(end) }
    }

    /// Where `part` lies in `whole`; empty for what does not.
    pub(crate) fn locate(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        let end = start.wrapping_add(part.len());
        if start <= end && end <= whole.len() { Self::new(start, end) } else { Self::default() }
    }

    /// The same part of a text that has `by` bytes before it.
    pub(crate) fn moved(self, by: usize) -> Self {
        let by = u32::try_from(by).unwrap_or(u32::MAX);
        Self { start: self.start.saturating_add(by), end: self.end.saturating_add(by) }
    }

    /// The part from `from` to `to`, counted from the beginning of this one.
    pub(crate) fn within(self, from: usize, to: usize) -> Self {
        let Range { start, end } = self.range();
        Self::new(start.saturating_add(from).min(end), start.saturating_add(to).min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_stay_inside() {
        let whole = b"GET / HTTP/1.1";
        let path = Span::locate(&whole[4..5], whole);
        assert_eq!((path.range(), path.of(whole), path.len()), (4..5, &b"/"[..], 1));
        assert_eq!(path.of(b"abc"), b"");
        assert_eq!(path.slice(&Bytes::from_static(whole)), "/");
        assert!(path.slice(&Bytes::from_static(b"abc")).is_empty());
        assert!(Span::locate(b"elsewhere", whole).is_empty());
        assert_eq!(path.within(0, 9), path);
        assert!(Span::locate(&whole[14..], whole).is_empty());
    }
}

//! Buffers: windows into slabs. A `PoolBuf` is the only owner of its window and writes to it; a `PoolBytes` shares one
//! that nobody writes to any more. Windows of one slab never overlap unless all of them are shared.

#![expect(unsafe_code, reason = "a window is part of memory that others have other parts of")]

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytes::{Buf, Bytes, BytesMut};

use super::Size;
use super::slab::SlabRef;

/// A buffer with one owner: its contents, free room behind them and, when it was received, in front. Dropping it gives
/// it back to the pool, on any thread.
pub struct PoolBuf {
    slab: SlabRef,
    // 0 <= floor <= start <= end <= ceiling <= slab.bytes(). This buffer alone knows of floor..ceiling.
    floor: usize,
    start: usize,
    end: usize,
    ceiling: usize,
}

/// A part of a buffer that is not written to any more: cheap to clone and to cut, on any thread. The slab comes back
/// when the last part of it is dropped.
#[derive(Clone)]
pub struct PoolBytes {
    slab: SlabRef,
    // start <= end <= slab.bytes(), and no PoolBuf knows of any byte in between.
    start: usize,
    end: usize,
}

// === impl PoolBuf ===

impl PoolBuf {
    pub(super) fn new(slab: SlabRef) -> Self {
        let start = slab.headroom();
        let ceiling = slab.bytes();
        Self { slab, floor: 0, start, end: start, ceiling }
    }

    /// The free room behind the contents. It holds what its last user left: write before [`commit`](Self::commit).
    pub fn spare_mut(&mut self) -> &mut [u8] {
        // SAFETY: end <= ceiling <= bytes, and floor..ceiling is this buffer's alone.
        unsafe { self.slab.window_mut(self.end, self.ceiling) }
    }

    /// Bytes of free room behind the contents.
    pub fn room(&self) -> usize {
        self.ceiling - self.end
    }

    /// Adds the first `count` bytes of the free room to the contents, at most all of it.
    pub fn commit(&mut self, count: usize) {
        self.end += count.min(self.room());
    }

    /// Appends as much as fits, and says how much that was.
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        if let (Some(to), Some(from)) = (self.spare_mut().get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.commit(count);
        count
    }

    /// Puts bytes in front of the contents if there is room. A buffer that was received has room for what a small one
    /// holds: what an earlier read left over goes there, and the message is in one piece. Not so one that was cut off
    /// from another that is still there; then [`extend`](Self::extend) what was left over.
    #[must_use]
    pub fn prepend(&mut self, bytes: &[u8]) -> bool {
        if self.start - self.floor < bytes.len() && self.slab.is_only() {
            self.floor = 0;
        }
        let Some(start) = self.start.checked_sub(bytes.len()).filter(|start| *start >= self.floor) else {
            return false;
        };
        // SAFETY: floor <= start <= self.start, and floor..ceiling is this buffer's alone.
        unsafe { self.slab.window_mut(start, self.start) }.copy_from_slice(bytes);
        self.start = start;
        true
    }

    /// Drops the first `count` bytes of the contents, at most all.
    pub fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
    }

    /// Keeps the first `count` bytes of the contents.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.start + count.min(self.len());
    }

    /// Cuts off the first `count` bytes, at most all, without copying. Both share the slab and nothing else.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        let cut = self.start + count.min(self.len());
        let front =
            Self { slab: self.slab.clone(), floor: self.floor, start: self.start, end: cut, ceiling: cut };
        (self.floor, self.start) = (cut, cut);
        front
    }

    /// The contents, to be read only. No copy, no allocation.
    pub fn freeze(self) -> PoolBytes {
        PoolBytes { slab: self.slab, start: self.start, end: self.end }
    }

    /// A copy outside of the pool, for what is kept long or goes to code that knows no pool.
    pub fn detach(self) -> BytesMut {
        BytesMut::from(&*self)
    }

    /// Moves the contents of a large buffer into a small one, so that waiting costs little. The same buffer if they do
    /// not fit, there is none, or this is another thread than the pool's.
    #[must_use]
    pub fn compact(self) -> Self {
        if self.slab.size() == Size::Small {
            return self;
        }
        match self.slab.home().take(Size::Small).map(Self::new) {
            Some(mut small) if small.room() >= self.len() => {
                small.extend(&self);
                small
            }
            _ => self,
        }
    }

    /// The size of the slab behind it.
    pub fn size(&self) -> Size {
        self.slab.size()
    }
}

impl Deref for PoolBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: start <= end <= bytes; only `&mut self` writes there.
        unsafe { self.slab.window(self.start, self.end) }
    }
}

impl DerefMut for PoolBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: start <= end <= bytes, and floor..ceiling is this buffer's alone.
        unsafe { self.slab.window_mut(self.start, self.end) }
    }
}

impl AsRef<[u8]> for PoolBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Lengths only: contents may be secret.
impl fmt::Debug for PoolBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolBuf({} bytes, room for {})", self.len(), self.room())
    }
}

// === impl PoolBytes ===

impl PoolBytes {
    /// Cuts off the first `count` bytes, at most all.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        let cut = self.start + count.min(self.len());
        let front = Self { slab: self.slab.clone(), start: self.start, end: cut };
        self.start = cut;
        front
    }

    /// Keeps the first `count` bytes.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.start + count.min(self.len());
    }

    /// The size of the slab behind it.
    pub fn size(&self) -> Size {
        self.slab.size()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
    }
}

impl Deref for PoolBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: start <= end <= bytes, and nobody writes there any more.
        unsafe { self.slab.window(self.start, self.end) }
    }
}

impl AsRef<[u8]> for PoolBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Buf for PoolBytes {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self
    }

    fn advance(&mut self, count: usize) {
        self.consume(count);
    }
}

/// Without a copy, at the price of one small allocation: for code that knows no pool.
impl From<PoolBytes> for Bytes {
    fn from(bytes: PoolBytes) -> Self {
        Self::from_owner(bytes)
    }
}

/// Lengths only: contents may be secret.
impl fmt::Debug for PoolBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolBytes({} bytes)", self.len())
    }
}

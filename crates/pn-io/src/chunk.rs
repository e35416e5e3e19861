//! What is sent: bytes that nobody writes to any more, from the pool or from elsewhere.

use std::ops::Deref;

use bytes::{Buf, Bytes};

use crate::pool::{Pool, PoolBuf, PoolBytes, Size};

/// Bytes to send, owned. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// A part of a pool buffer.
    Pool(PoolBytes),
    /// From code that knows no pool, or constant.
    Shared(Bytes),
}

/// Less than this is copied rather than kept in a large slab.
const LITTLE: usize = 4 << 10;

impl Chunk {
    /// For who may keep it long, or hands it to code that does: little is moved out of memory that is meant for reading
    /// in any case, much of it when that is scarce. So no more than half of it is ever kept.
    #[must_use]
    pub fn settled(self, pool: &Pool) -> Self {
        if self.holds_large() && (self.len() < LITTLE || pool.is_scarce(Size::Large)) {
            return Bytes::copy_from_slice(&self).into();
        }
        self
    }

    /// Cuts off the first `count` bytes, at most all, without copying.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        match self {
            Self::Pool(bytes) => Self::Pool(bytes.split_to(count)),
            Self::Shared(bytes) => Self::Shared(bytes.split_to(count.min(bytes.len()))),
        }
    }

    /// Whether it keeps a slab that is meant for reading.
    pub(crate) fn holds_large(&self) -> bool {
        matches!(self, Self::Pool(bytes) if bytes.size() == Size::Large)
    }
}

/// Nothing.
impl Default for Chunk {
    fn default() -> Self {
        Self::Shared(Bytes::new())
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Pool(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Pool(bytes) => bytes.advance(count),
            Self::Shared(bytes) => bytes.advance(count),
        }
    }
}

impl From<PoolBuf> for Chunk {
    fn from(buf: PoolBuf) -> Self {
        Self::Pool(buf.freeze())
    }
}

impl From<PoolBytes> for Chunk {
    fn from(bytes: PoolBytes) -> Self {
        Self::Pool(bytes)
    }
}

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<&'static [u8]> for Chunk {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Shared(Bytes::from_static(bytes))
    }
}

/// For code that knows no pool: without a copy, at the price of one small allocation where it is from the pool.
impl From<Chunk> for Bytes {
    fn from(chunk: Chunk) -> Self {
        match chunk {
            Chunk::Pool(bytes) => bytes.into(),
            Chunk::Shared(bytes) => bytes,
        }
    }
}

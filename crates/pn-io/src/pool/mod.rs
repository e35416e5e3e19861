//! The buffer pool of one worker: bounded, two sizes, memory made when it is first needed. What a buffer can do is in
//! `buf.rs`, where memory waits and how it comes back in `slab.rs`, who waits for memory in `waiting.rs`.

mod buf;
#[expect(unsafe_code, reason = "slabs are shared between buffers and come back from any thread")]
mod slab;
#[cfg(test)]
mod tests;
mod waiting;

use std::rc::Rc;
use std::sync::Arc;

pub use buf::{PoolBuf, PoolBytes};
use slab::Home;
pub use waiting::Seat;

/// The two sizes of slabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For what is kept: heads being written, the rest of a read that is not whole yet, what a slow peer has not taken.
    Small,
    /// For reading: as much as a socket has at once. The pool gives the one that came back last, so that a worker whose
    /// connections are quick reads into the same warm memory again and again.
    Large,
}

/// How much one worker may hold. Nothing is taken from the system before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Bytes of a small slab. A TLS record with its framing (RFC 8446 section 5.2: 16,645) fits.
    pub small_bytes: usize,
    /// Small slabs of a worker.
    pub small_slabs: usize,
    /// Bytes of a large slab; it has `small_bytes` more in front, see [`PoolBuf::prepend`].
    pub large_bytes: usize,
    /// Large slabs of a worker.
    pub large_slabs: usize,
}

impl Default for PoolConfig {
    /// 64 MiB for what slow peers have not taken, 17 MiB for reading. Reads of 128 KiB and more cost the least per byte;
    /// 256 KiB is a quarter of a core's second-level cache.
    fn default() -> Self {
        Self { small_bytes: 17 << 10, small_slabs: 3_855, large_bytes: 256 << 10, large_slabs: 64 }
    }
}

impl PoolConfig {
    fn bound(self, size: Size) -> usize {
        match size {
            Size::Small => self.small_slabs,
            Size::Large => self.large_slabs,
        }
    }
}

/// The pool of one worker: a handle that stays on its thread. Buffers may go anywhere and are given back from there.
///
/// When the last handle is dropped, memory that waits is freed at once, and the rest when its last buffer is dropped.
#[derive(Clone, Debug)]
pub struct Pool(Rc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Home>);

// === impl Pool ===

impl Pool {
    /// A pool whose thread is the one that calls.
    pub fn new(config: PoolConfig) -> Self {
        Self(Rc::new(Owner(Home::new(config))))
    }

    /// A buffer, or `None` while as many are in use as may be.
    pub fn take(&self, size: Size) -> Option<PoolBuf> {
        self.0.0.take(size).map(PoolBuf::new)
    }

    /// A place from which to wait for buffers.
    pub fn seat(&self) -> Seat {
        Seat::new(self.clone())
    }

    /// Slabs that a buffer names, wherever that is.
    pub fn in_use(&self, size: Size) -> usize {
        self.0.0.in_use(size)
    }

    /// Whether most slabs of this size are in use, so that holding one for long may cost others.
    pub fn is_scarce(&self, size: Size) -> bool {
        self.in_use(size) > self.0.0.config().bound(size) / 2
    }

    /// Frees the slabs that nobody has needed since the last call. For a timer of the worker, about once a second.
    pub fn trim(&self) {
        self.0.0.trim();
    }

    pub fn config(&self) -> PoolConfig {
        self.0.0.config()
    }

    fn home(&self) -> &Home {
        &self.0.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

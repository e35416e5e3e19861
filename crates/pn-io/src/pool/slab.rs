//! Slabs and their way home: who owns the memory behind buffers, and the lists it waits in.
//!
//! A slab is owned by the pool, or by the buffers that name it, which are counted. Whoever drops the last of these owns
//! it alone for a moment and hands it to the pool: on the pool's thread by a list without any atomic operation, from
//! another thread by a stack that the pool's thread takes whole.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::fmt;
use std::process::abort;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};

use super::waiting::Waiting;
use super::{PoolConfig, Size};

/// Where large slabs begin: a page, as kernels like it for memory they fill themselves.
const ALIGNMENT: usize = 4096;

/// A counted reference to a slab; the last one gives it back.
pub(super) struct SlabRef(NonNull<Slab>);

struct Slab {
    /// References to this slab. Without meaning while the pool has it.
    refs: AtomicUsize,
    /// The next one in the list where this one waits. Belongs to whoever owns the whole slab: the list that it is in,
    /// or the thread that dropped the last reference.
    next: Cell<*mut Self>,
    home: Arc<Home>,
    size: Size,
    data: NonNull<u8>,
    layout: Layout,
}

/// What all slabs of a pool know of it.
pub(super) struct Home {
    config: PoolConfig,
    owner: u64,
    local: Local,
    /// Came back from other threads; `CLOSED` when nobody will look any more.
    returned: AtomicPtr<Slab>,
    pub(super) waiting: Waiting,
}

/// Touched by the pool's thread alone: by `Pool`, which cannot leave it, and behind `Home::is_here`.
#[derive(Default)]
struct Local {
    closed: Cell<bool>,
    small: List,
    large: List,
}

/// Slabs of one size that wait, the last that came first.
struct List {
    head: Cell<*mut Slab>,
    free: Cell<usize>,
    /// All that exist, in use or not.
    made: Cell<usize>,
    /// The least that were free since the last trim: nobody has needed these.
    unneeded: Cell<usize>,
}

/// No slab: they are aligned.
const CLOSED: *mut Slab = ptr::without_provenance_mut(1);

// SAFETY: `local` is used on the pool's thread only, see there; all other fields are made for sharing. The last `Arc`
// may fall anywhere, when `local` holds no slab any more (`close`), and its cells need no dropping.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

// SAFETY: what can be reached through a reference is the counter, the immutable fields and the memory, which `buf.rs`
// divides into windows that are either shared and only read, or have one owner.
unsafe impl Send for SlabRef {}
// SAFETY: as above.
unsafe impl Sync for SlabRef {}

// === impl Home ===

impl Home {
    pub(super) fn new(config: PoolConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            owner: this_thread(),
            local: Local::default(),
            returned: AtomicPtr::new(ptr::null_mut()),
            waiting: Waiting::default(),
        })
    }

    /// `None` when the bound is reached, the system has no memory, on another thread, and when the pool is gone.
    pub(super) fn take(self: &Arc<Self>, size: Size) -> Option<SlabRef> {
        if !self.is_here() || self.local.closed.get() {
            return None;
        }
        let list = self.list(size);
        if list.head.get().is_null() {
            self.collect();
        }
        let slab = list.pop().or_else(|| {
            let slab = (list.made.get() < self.config.bound(size)).then(|| Slab::create(self, size))??;
            list.made.set(list.made.get() + 1);
            Some(slab)
        })?;
        // SAFETY: it was just taken out of the list or made, so that this thread owns it alone.
        unsafe { slab.as_ref() }.refs.store(1, Ordering::Relaxed);
        Some(SlabRef(slab))
    }

    pub(super) fn config(&self) -> PoolConfig {
        self.config
    }

    /// Only on the pool's thread.
    pub(super) fn in_use(&self, size: Size) -> usize {
        self.collect();
        let list = self.list(size);
        list.made.get() - list.free.get()
    }

    #[cfg(test)]
    pub(super) fn made(&self, size: Size) -> usize {
        self.list(size).made.get()
    }

    /// Only on the pool's thread.
    pub(super) fn trim(&self) {
        self.collect();
        for list in [&self.local.small, &self.local.large] {
            let cold = list.cut(list.unneeded.get());
            list.unneeded.set(list.free.get());
            // SAFETY: `cut` took them out of the list, so that they are owned here alone.
            unsafe { destroy_all(cold) };
        }
    }

    /// Only on the pool's thread. What is still in use is freed by whoever drops it last.
    pub(super) fn close(&self) {
        self.local.closed.set(true);
        let returned = self.returned.swap(CLOSED, Ordering::SeqCst);
        for chain in [self.local.small.cut(usize::MAX), self.local.large.cut(usize::MAX), returned] {
            // SAFETY: each chain was just taken out of its list, so that it is owned here alone.
            unsafe { destroy_all(chain) };
        }
    }

    fn is_here(&self) -> bool {
        this_thread() == self.owner
    }

    fn list(&self, size: Size) -> &List {
        match size {
            Size::Small => &self.local.small,
            Size::Large => &self.local.large,
        }
    }

    /// Takes home what other threads have given back. Only on the pool's thread, and before `close`.
    fn collect(&self) {
        if self.returned.load(Ordering::SeqCst).is_null() {
            return;
        }
        let mut next = self.returned.swap(ptr::null_mut(), Ordering::SeqCst);
        while let Some(slab) = NonNull::new(next) {
            // SAFETY: the whole stack was taken at once, so that it is owned here alone, and its links are slabs.
            let (following, size) = unsafe { (slab.as_ref().next.get(), slab.as_ref().size) };
            self.list(size).push(slab);
            next = following;
        }
    }

    /// False when the pool is gone.
    fn push_from_elsewhere(&self, slab: NonNull<Slab>) -> bool {
        let mut head = self.returned.load(Ordering::Relaxed);
        loop {
            if head == CLOSED {
                return false;
            }
            // SAFETY: the caller owns the slab until the exchange below succeeds.
            unsafe { slab.as_ref() }.next.set(head);
            // Before the look at who waits, for all threads: see `Waiting`.
            match self.returned.compare_exchange_weak(
                head,
                slab.as_ptr(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("config", &self.config).finish_non_exhaustive()
    }
}

// === impl List ===

impl Default for List {
    fn default() -> Self {
        Self {
            head: Cell::new(ptr::null_mut()),
            free: Cell::new(0),
            made: Cell::new(0),
            unneeded: Cell::new(0),
        }
    }
}

impl List {
    /// The caller owns the slab and gives it to the list.
    fn push(&self, slab: NonNull<Slab>) {
        // SAFETY: a slab that somebody owns is there.
        unsafe { slab.as_ref() }.next.set(self.head.get());
        self.head.set(slab.as_ptr());
        self.free.set(self.free.get() + 1);
    }

    fn pop(&self) -> Option<NonNull<Slab>> {
        let slab = NonNull::new(self.head.get())?;
        // SAFETY: slabs in the list belong to it, and stay until they are taken out.
        self.head.set(unsafe { slab.as_ref() }.next.get());
        self.free.set(self.free.get() - 1);
        self.unneeded.set(self.unneeded.get().min(self.free.get()));
        Some(slab)
    }

    /// Takes out the `count` that have waited longest, as a chain.
    fn cut(&self, count: usize) -> *mut Slab {
        let count = count.min(self.free.get());
        let mut link = &self.head;
        for _ in 0..self.free.get() - count {
            // SAFETY: slabs in the list belong to it, and as many as `free` says are linked.
            link = unsafe { &(*link.get()).next };
        }
        self.free.set(self.free.get() - count);
        self.made.set(self.made.get() - count);
        link.replace(ptr::null_mut())
    }
}

// === impl Slab ===

impl Slab {
    /// Memory is zeroed once, so that it is never uninitialised; later users find what earlier ones left.
    fn create(home: &Arc<Home>, size: Size) -> Option<NonNull<Self>> {
        let bytes = match size {
            Size::Small => home.config.small_bytes,
            Size::Large => home.config.large_bytes.checked_add(home.config.small_bytes)?,
        };
        let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()?;
        // SAFETY: the layout has at least one byte.
        let data = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let (refs, next, home) = (AtomicUsize::new(0), Cell::new(ptr::null_mut()), Arc::clone(home));
        NonNull::new(Box::into_raw(Box::new(Self { refs, next, home, size, data, layout })))
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: `data` came from the allocator with this layout, and no buffer names it any more.
        unsafe { dealloc(self.data.as_ptr(), self.layout) };
    }
}

/// # Safety
/// The caller owns all slabs of the chain, and nobody else knows of them.
unsafe fn destroy_all(mut next: *mut Slab) {
    while !next.is_null() {
        // SAFETY: made by `Box::into_raw` in `create`, and owned by the caller.
        let slab = unsafe { Box::from_raw(next) };
        next = slab.next.get();
    }
}

/// # Safety
/// The caller has dropped the last reference.
unsafe fn give_back(slab: NonNull<Slab>) {
    // SAFETY: by the contract nobody else can reach the slab, so that it is still there.
    let owned = unsafe { slab.as_ref() };
    if owned.home.is_here() && !owned.home.local.closed.get() {
        let home = &owned.home;
        home.list(owned.size).push(slab);
        if home.waiting.is_anybody() {
            Arc::clone(home).waiting.wake();
        }
        return;
    }
    owned.next.set(ptr::null_mut());
    // Once it is pushed the pool's thread may free it, and its home.
    let home = Arc::clone(&owned.home);
    if !home.is_here() && home.push_from_elsewhere(slab) {
        home.waiting.wake();
        return;
    }
    owned.next.set(ptr::null_mut());
    // SAFETY: the pool is gone and did not take it: it is owned here alone.
    unsafe { destroy_all(slab.as_ptr()) };
}

// === impl SlabRef ===

impl SlabRef {
    fn slab(&self) -> &Slab {
        // SAFETY: a slab is there as long as a reference to it is.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.slab().home
    }

    /// Whether no other buffer names the slab: then all of its memory is this one's.
    pub(super) fn is_only(&self) -> bool {
        // What others did with it comes before what this one will do.
        self.slab().refs.load(Ordering::Acquire) == 1
    }

    pub(super) fn size(&self) -> Size {
        self.slab().size
    }

    /// Bytes of the whole slab.
    pub(super) fn bytes(&self) -> usize {
        self.slab().layout.size()
    }

    /// Bytes that a fresh buffer leaves free in front.
    pub(super) fn headroom(&self) -> usize {
        match self.size() {
            Size::Small => 0,
            Size::Large => self.home().config.small_bytes,
        }
    }

    /// # Safety
    /// `from <= to <= self.bytes()`, and nobody writes there while the slice lives.
    pub(super) unsafe fn window(&self, from: usize, to: usize) -> &[u8] {
        // SAFETY: inside of the slab's memory, which was zeroed; the caller answers for the rest.
        unsafe { std::slice::from_raw_parts(self.slab().data.as_ptr().add(from), to - from) }
    }

    /// # Safety
    /// `from <= to <= self.bytes()`, and nobody else reads or writes there while the slice lives.
    #[expect(clippy::mut_from_ref, reason = "windows of one slab have different owners")]
    pub(super) unsafe fn window_mut(&self, from: usize, to: usize) -> &mut [u8] {
        // SAFETY: as in `window`.
        unsafe { std::slice::from_raw_parts_mut(self.slab().data.as_ptr().add(from), to - from) }
    }
}

impl Clone for SlabRef {
    fn clone(&self) -> Self {
        // As in `Arc`: a new reference is made from one that is there. Whoever leaks so many ends the process rather
        // than have the counter begin anew.
        if self.slab().refs.fetch_add(1, Ordering::Relaxed) > isize::MAX.unsigned_abs() {
            abort();
        }
        Self(self.0)
    }
}

impl Drop for SlabRef {
    fn drop(&mut self) {
        let refs = &self.slab().refs;
        // The only reference, as nearly always: nobody can make another one, so that nothing need be written.
        if refs.load(Ordering::Acquire) != 1 {
            if refs.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            // What others did with the slab before they dropped theirs comes before what its next user does.
            fence(Ordering::Acquire);
        }
        // SAFETY: this was the last reference.
        unsafe { give_back(self.0) };
    }
}

/// A number that no other thread has or will have, unlike its address.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static THIS: Cell<u64> = const { Cell::new(0) });
    THIS.with(|this| {
        if this.get() == 0 {
            this.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        this.get()
    })
}

//! What the kernel is asked of for the process as a whole: its limits, and how it hands out memory.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Each connection is a file or two, and the usual soft limit of 1,024 only serves programs that use select(2).
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}

/// The allocator asks for huge pages, and gets 2 MiB where it needs 4 KiB: that doubles the resident memory of a proxy,
/// and lets it rise and fall by a twentieth at random. What moves bulk is a few slabs that stay warm.
#[cfg(target_os = "linux")]
pub(super) fn keep_pages_small() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "the kernel may still use huge pages");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_pages_small() {}

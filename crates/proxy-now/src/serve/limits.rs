//! Limits that the kernel puts on the process.

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

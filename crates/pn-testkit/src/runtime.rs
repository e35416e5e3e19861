//! One runtime on a thread of its own, so that origins and clients work while the test itself blocks.

use std::future::Future;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use crate::wait::PATIENCE;

static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

/// For tasks that live beside the test.
pub(crate) fn handle() -> &'static Handle {
    &RUNTIME
}

/// Runs to its end, or panics after [`PATIENCE`]. Not to be called from async code.
#[track_caller]
pub(crate) fn finish<T>(what: &str, future: impl Future<Output = T>) -> T {
    finish_within(PATIENCE, future).unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}

/// The same, `None` when time is up.
pub(crate) fn finish_within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    handle().block_on(async { tokio::time::timeout(limit, future).await.ok() })
}

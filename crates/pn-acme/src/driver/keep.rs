//! Work under a lock that is kept for as long as the work lasts, and no longer than it is ours.

use crate::storage::{Lease, Storage, StorageError};
use std::time::Duration;

/// After a process died, others wait for so long.
pub(super) const TTL: Duration = Duration::from_secs(120);
/// Far above any order; what lasts longer hangs.
const WORK: Duration = Duration::from_secs(20 * 60);

/// Why the work was given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum GivenUp {
    #[error("{0}")]
    Lost(#[from] StorageError),
    #[error("it did not come to an end within {WORK:?}")]
    Hangs,
}

/// Does the work while renewing the lease. The work is dropped when the lease is lost.
pub(super) async fn keep<T>(
    storage: &dyn Storage,
    lease: &Lease,
    work: impl Future<Output = T>,
) -> Result<T, GivenUp> {
    tokio::select! {
        outcome = work => Ok(outcome),
        lost = renewing(storage, lease) => Err(lost.into()),
        () = tokio::time::sleep(WORK) => Err(GivenUp::Hangs),
    }
}

async fn renewing(storage: &dyn Storage, lease: &Lease) -> StorageError {
    let mut failures = 0;
    loop {
        tokio::time::sleep(TTL / 4).await;
        match storage.renew(lease).await {
            Ok(_) => failures = 0,
            Err(lost @ StorageError::Lost(_)) => return lost,
            // It may be ours still; by the third it is not any more.
            Err(error) if failures == 2 => return error,
            Err(_) => failures += 1,
        }
    }
}

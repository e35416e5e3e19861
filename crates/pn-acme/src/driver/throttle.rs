//! The throttle that all nodes share: places for orders of an account, taken one by one.

use super::context::Context;
use super::keep::TTL;
use crate::Time;
use crate::life::{Slots, Throttle};
use crate::records::{ThrottleRecord, load, save};
use crate::storage::{Ca, Expected, Key, StorageError};

/// Other processes that take a place at the same moment; each time one of them gets it.
const SWAPS: u32 = 20;

/// A place, or when there is one.
pub(super) async fn take_slot(
    cx: &Context,
    directory: &str,
    account: &str,
    throttle: Throttle,
) -> Result<Result<(), Time>, StorageError> {
    // Dozens of our own would come to one place only, and read it anew for each that was faster.
    let _turn = cx.places.lock().await;
    let (storage, now) = (&*cx.storage, cx.now());
    let key = Key::throttle(&Ca::of(directory), account);
    for _ in 0..SWAPS {
        let found = load::<ThrottleRecord>(storage, &key).await;
        let Some(found) = cx.damage.mind(&key, found, THEN)? else {
            return fill(cx, &key, throttle).await.map(Err);
        };
        let (record, expected) = match found {
            Some((record, version)) => (record, Expected::Version(version)),
            None => (ThrottleRecord::default(), Expected::Absent),
        };
        let before = Slots::new(record.orders.clone());
        let mut slots = before.clone();
        let taken = slots.take(throttle, now);
        if slots == before {
            return Ok(taken);
        }
        let record = ThrottleRecord { orders: slots.times().to_vec(), ..record };
        match save(storage, &key, &record, expected, None).await {
            Ok(_) => return Ok(taken),
            Err(StorageError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Err(now + 1))
}

const THEN: &str = "the throttle counts as full from now on; remove the file to order at once";

/// Of a throttle that cannot be read it is not known which places are taken: all are, from now on, so that there are
/// never more orders than it allows. Under a lock, as nodes that find it filled count on from there at once. Returns when
/// to ask again.
async fn fill(cx: &Context, key: &Key, throttle: Throttle) -> Result<Time, StorageError> {
    let (storage, now) = (&*cx.storage, cx.now());
    let name = key.as_str().replace('/', "-");
    let Some(lease) = storage.lock(&name, TTL).await? else { return Ok(now + 1) };
    let filled = match load::<ThrottleRecord>(storage, key).await {
        Err(StorageError::Damaged { .. }) => {
            let orders = Slots::full(throttle, now).times().to_vec();
            let record = ThrottleRecord { orders, ..ThrottleRecord::default() };
            save(storage, key, &record, Expected::Any, Some(&lease)).await.map(drop)
        }
        found => found.map(drop),
    };
    storage.unlock(lease).await?;
    filled.map(|()| now + 1)
}

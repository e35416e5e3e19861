//! The faults of the store in memory: an operation that does not happen, and one of which the answer is lost.

use super::TestClock;
use crate::storage::{Expected, Fault, Key, MemoryStore, Operation, Storage};

#[tokio::test]
async fn an_operation_fails_before_or_after_it_happened() {
    for (fault, happened) in [(Fault::None, true), (Fault::Before, false), (Fault::After, true)] {
        let store = MemoryStore::new("one", TestClock::at(0).clock());
        let (a, b) = (Key::schedule("a"), Key::schedule("b"));
        store.set_faults(move |operation, subject| {
            if operation == Operation::Save && subject == "schedule/a" { fault } else { Fault::None }
        });
        let saved = store.save(&a, b"x", Expected::Any, None).await;
        assert_eq!(saved.is_ok(), fault == Fault::None);
        store.save(&b, b"x", Expected::Any, None).await.unwrap();
        assert_eq!(store.load(&a).await.unwrap().is_some(), happened, "{fault:?}");
        store.clear_faults();
        store.save(&a, b"x", Expected::Any, None).await.unwrap();
    }
}

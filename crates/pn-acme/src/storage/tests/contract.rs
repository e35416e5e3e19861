//! The contract of `Storage`, row by row, against each store: two nodes on one store, and a clock.

use super::TestClock;
use crate::storage::{Expected, FileStore, Key, MemoryStore, Storage, StorageError, VALUE_BYTES};
use std::path::Path;
use std::time::Duration;

const NOW: u64 = 1_700_000_000;
const TTL: Duration = Duration::from_secs(30);

struct Rig {
    one: Box<dyn Storage>,
    two: Box<dyn Storage>,
    clock: TestClock,
    _dir: tempfile::TempDir,
}

fn rigs() -> Vec<Rig> {
    let clock = TestClock::at(NOW);
    let memory = MemoryStore::new("one", clock.clock());
    let two = Box::new(memory.node("two"));
    let memory = Rig { one: Box::new(memory), two, clock, _dir: tempfile::tempdir().unwrap() };
    let (clock, dir) = (TestClock::at(NOW), tempfile::tempdir().unwrap());
    let open = || FileStore::with_clock(&dir.path().join("store"), clock.clock()).unwrap();
    let files = Rig { one: Box::new(open()), two: Box::new(open()), clock, _dir: dir };
    vec![memory, files]
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

#[tokio::test]
async fn values_are_kept_replaced_and_deleted() {
    for rig in rigs() {
        let a = key("accounts/ca/a");
        assert_eq!(rig.one.load(&a).await.unwrap(), None);
        let first = rig.one.save(&a, b"first", Expected::Any, None).await.unwrap();
        let seen = rig.two.load(&a).await.unwrap().unwrap();
        assert_eq!((seen.value.as_slice(), seen.version), (&b"first"[..], first));
        rig.two.save(&a, b"", Expected::Any, None).await.unwrap();
        assert_eq!(rig.one.load(&a).await.unwrap().unwrap().value, b"");
        rig.one.delete(&a, Expected::Any, None).await.unwrap();
        rig.one.delete(&a, Expected::Any, None).await.unwrap();
        assert_eq!(rig.two.load(&a).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_write_over_what_was_not_expected_is_a_conflict() {
    for rig in rigs() {
        let a = key("throttle/ca/a");
        let save = |value: &'static [u8], expected| rig.one.save(&a, value, expected, None);
        let old = save(b"old", Expected::Absent).await.unwrap();
        let refused = save(b"other", Expected::Absent).await.unwrap_err();
        assert!(matches!(refused, StorageError::Conflict(_)), "{refused}");
        let new = rig.two.save(&a, b"new", Expected::Version(old), None).await.unwrap();
        let refused = save(b"late", Expected::Version(old)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Conflict(_)), "{refused}");
        let refused = rig.one.delete(&a, Expected::Version(old), None).await.unwrap_err();
        assert!(matches!(refused, StorageError::Conflict(_)), "{refused}");
        assert_eq!(rig.one.load(&a).await.unwrap().unwrap().value, b"new");
        rig.one.delete(&a, Expected::Version(new), None).await.unwrap();
        let refused = save(b"late", Expected::Version(new)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Conflict(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_value_has_a_bound() {
    for rig in rigs() {
        let a = key("a");
        rig.one.save(&a, &vec![0; VALUE_BYTES], Expected::Any, None).await.unwrap();
        let refused = rig.one.save(&a, &vec![0; VALUE_BYTES + 1], Expected::Any, None).await.unwrap_err();
        assert!(matches!(refused, StorageError::TooLarge { .. }), "{refused}");
        assert_eq!(rig.one.load(&a).await.unwrap().unwrap().value.len(), VALUE_BYTES);
    }
}

#[tokio::test]
async fn keys_are_listed_by_whole_segments() {
    for rig in rigs() {
        for text in
            ["certificates/ca/b", "certificates/ca/a", "certificates/ca-2/a", "certificates2/a", "schedule/a"]
        {
            rig.one.save(&key(text), b"x", Expected::Any, None).await.unwrap();
        }
        let list = async |prefix: &str| {
            let keys = rig.two.list(prefix).await.unwrap();
            keys.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            list("certificates").await,
            ["certificates/ca-2/a", "certificates/ca/a", "certificates/ca/b"]
        );
        assert_eq!(list("certificates/ca").await, ["certificates/ca/a", "certificates/ca/b"]);
        for nothing in ["certificate", "certificates/ca/a", "accounts", "..", ""] {
            assert_eq!(list(nothing).await, [""; 0], "{nothing}");
        }
        let many = [key("schedule/a"), key("schedule/b")];
        let many = rig.two.load_many(&many).await.unwrap();
        let there = many.iter().map(|one| one.as_ref().unwrap().is_some());
        assert_eq!(there.collect::<Vec<_>>(), [true, false]);
    }
}

#[tokio::test]
async fn a_lock_excludes_until_it_is_given_back() {
    for rig in rigs() {
        let lease = rig.one.lock("example.org", TTL).await.unwrap().unwrap();
        assert_eq!((lease.name.as_str(), lease.expires, lease.ttl), ("example.org", NOW + 30, TTL));
        assert_eq!(rig.two.lock("example.org", TTL).await.unwrap(), None);
        assert_eq!(rig.one.lock("example.org", TTL).await.unwrap(), None, "its own process too");
        rig.two.lock("*.example.org / odd", TTL).await.unwrap().unwrap();
        rig.one.unlock(lease.clone()).await.unwrap();
        let next = rig.two.lock("example.org", TTL).await.unwrap().unwrap();
        assert!(next.fence > lease.fence);
        rig.one.unlock(lease).await.unwrap();
        assert_eq!(rig.one.lock("example.org", TTL).await.unwrap(), None, "an old lease gives nothing back");
    }
}

#[tokio::test]
async fn the_lock_of_a_dead_owner_ends_and_a_renewed_one_does_not() {
    for rig in rigs() {
        let lease = rig.one.lock("a", TTL).await.unwrap().unwrap();
        rig.clock.set(NOW + 29);
        assert_eq!(rig.two.lock("a", TTL).await.unwrap(), None);
        let lease = rig.one.renew(&lease).await.unwrap();
        assert_eq!(lease.expires, NOW + 59);
        rig.clock.set(NOW + 58);
        assert_eq!(rig.two.lock("a", TTL).await.unwrap(), None);
        rig.clock.set(NOW + 59);
        let refused = rig.one.renew(&lease).await.unwrap_err();
        assert!(matches!(refused, StorageError::Lost(_)), "{refused}");
        assert!(rig.two.lock("a", TTL).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_clock_set_back_does_not_make_a_dead_lock_last() {
    for rig in rigs() {
        rig.one.lock("a", TTL).await.unwrap().unwrap();
        rig.clock.set(NOW - 20);
        assert_eq!(rig.two.lock("a", TTL).await.unwrap(), None, "a little is the skew of two hosts");
        rig.clock.set(NOW - 86_400);
        assert!(rig.two.lock("a", TTL).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_owner_that_lost_its_lock_cannot_write() {
    for rig in rigs() {
        let a = key("certificates/ca/a");
        let stale = rig.one.lock("a", TTL).await.unwrap().unwrap();
        rig.one.save(&a, b"one", Expected::Any, Some(&stale)).await.unwrap();
        rig.clock.set(NOW + 60);
        let refused = rig.one.save(&a, b"late", Expected::Any, Some(&stale)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Lost(_)), "{refused}");
        let lease = rig.two.lock("a", TTL).await.unwrap().unwrap();
        rig.two.save(&a, b"two", Expected::Any, Some(&lease)).await.unwrap();
        let refused = rig.one.save(&a, b"later", Expected::Any, Some(&stale)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Lost(_)), "{refused}");
        let refused = rig.one.delete(&a, Expected::Any, Some(&stale)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Lost(_)), "{refused}");
        assert_eq!(rig.one.load(&a).await.unwrap().unwrap().value, b"two");
        rig.two.delete(&a, Expected::Any, Some(&lease)).await.unwrap();
    }
}

/// Two hosts: the second one's clock is wrong. Within a lock's time nothing comes of it; beyond that it takes the lock
/// over, and the first is refused at its next write.
#[tokio::test]
async fn clocks_that_differ_never_let_two_write() {
    for (wrong_by, taken_over) in [
        (0, false),
        (20, false),
        (29, false),
        (30, true),
        (3_600, true),
        (-30, false),
        (-31, true),
        (-3_600, true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for (one, two) in hosts(dir.path(), wrong_by) {
            let a = key("certificates/ca/a");
            let first = one.lock("a", TTL).await.unwrap().unwrap();
            let second = two.lock("a", TTL).await.unwrap();
            assert_eq!(second.is_some(), taken_over, "{wrong_by}");
            let saved = one.save(&a, b"one", Expected::Any, Some(&first)).await;
            assert_eq!(saved.is_err(), taken_over, "{wrong_by}");
            let renewed = one.renew(&first).await;
            assert_eq!(renewed.is_err(), taken_over, "{wrong_by}");
            if let Some(second) = second {
                assert!(matches!(saved, Err(StorageError::Lost(_))), "{wrong_by}");
                two.save(&a, b"two", Expected::Any, Some(&second)).await.unwrap();
                assert_eq!(one.load(&a).await.unwrap().unwrap().value, b"two");
            }
        }
    }
}

/// The same store, seen by two hosts.
fn hosts(dir: &Path, wrong_by: i64) -> Vec<(Box<dyn Storage>, Box<dyn Storage>)> {
    let (right, wrong) = (TestClock::at(NOW), TestClock::at(NOW.saturating_add_signed(wrong_by)));
    let memory = MemoryStore::new("one", right.clock());
    let two = memory.node_with_clock("two", wrong.clock());
    let open = |clock: &TestClock| FileStore::with_clock(dir, clock.clock()).unwrap();
    vec![(Box::new(memory), Box::new(two)), (Box::new(open(&right)), Box::new(open(&wrong)))]
}

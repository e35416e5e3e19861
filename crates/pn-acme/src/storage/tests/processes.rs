//! Several real processes on one folder: killed at random points, stopped, in each other's way, and out of disk. The
//! children are this test binary, told on their standard input what to do; what they did is on their standard output.

mod child;

use crate::records::{CertificateRecord, Record, load};
use crate::storage::{Expected, FileStore, Key, Storage};
use child::{Child, KINDS, record};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;

/// Two children die in each round.
const ROUNDS: usize = 250;

#[tokio::test]
async fn nothing_that_was_stored_is_lost_when_processes_are_killed() {
    let seed = RandomState::new().hash_one(0) | 1;
    println!("seed {seed}");
    let mut random = seed;
    let dir = memory_dir();
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut children =
            ["a", "b"].map(|name| Child::start(&format!("write {} {name}", dir.path().display())));
        let mut lines = next(&mut random) % 12;
        while lines > 0 {
            let line = children[usize::try_from(lines % 2).unwrap()].line().unwrap();
            remember(&mut told, &line);
            lines -= 1;
        }
        // Anywhere in the next write, which lasts some hundred microseconds.
        let wait = Duration::from_micros(next(&mut random) % 400);
        let until = std::time::Instant::now() + wait;
        while std::time::Instant::now() < until {}
        for child in &mut children {
            child.kill();
            while let Some(line) = child.line() {
                remember(&mut told, &line);
            }
        }
        check_all(dir.path(), &mut told).await.unwrap_or_else(|lost| panic!("round {round}: {lost}"));
    }
    assert_eq!(told.len(), 2 * KINDS.len());
    println!("{} writes outlasted {} deaths", told.values().sum::<u64>(), 2 * ROUNDS);
}

/// Every record that a child was told is stored is there, or the one that it wrote after it and could not tell of.
async fn check_all(dir: &Path, told: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let store = FileStore::open(dir).map_err(|error| error.to_string())?;
    for (key, number) in told {
        let key = Key::parse(key).unwrap();
        let stored = store.load(&key).await.map_err(|error| error.to_string())?;
        let stored = stored.ok_or_else(|| format!("`{key}` is gone, was {number}"))?;
        let found =
            CertificateRecord::from_bytes(&stored.value).map_err(|error| format!("`{key}`: {error}"))?;
        let now = found.obtained_at;
        if found != record(now) || !(*number..=*number + 1).contains(&now) {
            return Err(format!("`{key}` was {number} and is {now}"));
        }
        *number = now;
    }
    let left = std::fs::read_dir(dir.join(".tmp")).map_or(0, Iterator::count);
    if left == 0 { Ok(()) } else { Err(format!("{left} temporary files are left")) }
}

fn remember(told: &mut BTreeMap<String, u64>, line: &str) {
    let (key, number) = line.split_once(' ').unwrap();
    told.insert(key.to_owned(), number.parse().unwrap_or_else(|_| panic!("a child says: {line}")));
}

#[tokio::test]
async fn counting_in_two_processes_loses_nothing() {
    let dir = memory_dir();
    let mut children = [(); 2].map(|()| Child::start(&format!("count {} 300", dir.path().display())));
    let conflicts: u64 = children.iter_mut().map(|child| child.line().unwrap().parse::<u64>().unwrap()).sum();
    let store = FileStore::open(dir.path()).unwrap();
    let total = load::<CertificateRecord>(&store, &Key::schedule("count")).await.unwrap().unwrap().0;
    assert_eq!(total.obtained_at, 600);
    assert!(conflicts > 0, "the two never met");
}

#[test]
fn a_lock_lets_one_process_in() {
    let dir = memory_dir();
    let mut children = [(); 3].map(|()| Child::start(&format!("exclude {} 60", dir.path().display())));
    for child in &mut children {
        assert_eq!(child.line().unwrap(), "done");
    }
}

#[tokio::test]
async fn the_lock_of_a_killed_process_ends_at_once() {
    let dir = memory_dir();
    let store = FileStore::open(dir.path()).unwrap();
    let mut child = Child::start(&format!("hold {} 3600", dir.path().display()));
    assert_eq!(child.line().unwrap(), "held");
    assert_eq!(store.lock("a", Duration::from_secs(9)).await.unwrap(), None);
    child.signal(Signal::STOP);
    assert_eq!(store.lock("a", Duration::from_secs(9)).await.unwrap(), None, "it sleeps, but lives");
    child.kill();
    assert!(store.lock("a", Duration::from_secs(9)).await.unwrap().is_some());
}

#[tokio::test]
async fn an_owner_that_slept_is_refused() {
    let dir = memory_dir();
    let store = FileStore::open(dir.path()).unwrap();
    let mut child = Child::start(&format!("hold {} 1", dir.path().display()));
    assert_eq!(child.line().unwrap(), "held");
    child.signal(Signal::STOP);
    let lease = loop {
        if let Some(lease) = store.lock("a", Duration::from_secs(60)).await.unwrap() {
            break lease;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    store.save(&Key::schedule("a"), b"mine", Expected::Absent, Some(&lease)).await.unwrap();
    child.signal(Signal::CONT);
    child.tell("write now");
    assert!(child.line().unwrap().starts_with("the lock `a` is no longer held"));
    assert_eq!(store.load(&Key::schedule("a")).await.unwrap().unwrap().value, b"mine");
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_value() {
    let dir = memory_dir();
    let store = FileStore::open(dir.path()).unwrap();
    let key = Key::schedule("a");
    store.save(&key, b"old", Expected::Any, None).await.unwrap();
    let mut child = Child::start_limited(&format!("fill {} 100000", dir.path().display()));
    let told = child.line().unwrap();
    assert!(told.contains("check that the proxy's user owns it and that the disk is not full"), "{told}");
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, b"old");
    assert_eq!(std::fs::read_dir(dir.path().join(".tmp")).unwrap().count(), 0);
    child.tell("go on");
    assert_eq!(child.line().unwrap(), "small values are still stored");
}

/// In memory where there is such a place: what a killed process wrote stays, and the disk is spared.
fn memory_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// xorshift64.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

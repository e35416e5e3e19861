//! Several real processes on one folder: killed at random points, stopped, in each other's way, and out of disk. The
//! children are this test binary, told on their standard input what to do; what they did is on their standard output.

mod child;

use crate::exchange::{Bundle, read_caddy};
use crate::records::{CertificateRecord, Record, load};
use crate::storage::{Expected, FileStore, Key, Storage};
use child::{Child, KINDS, TAKEN, bundle, record};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;

/// Two children die in each round.
const ROUNDS: usize = 250;
/// One child each.
const EXCHANGES: usize = 100;

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

/// Each account and each certificate is there throughout, of the last import or the one that was killed; what was being
/// cleared away is whole or gone; and the files for other proxies are whole.
#[tokio::test]
async fn an_import_export_or_clearing_away_that_is_killed_leaves_a_store_that_loads() {
    let seed = RandomState::new().hash_one(0) | 1;
    println!("seed {seed}");
    let (mut random, mut last, mut inside) = (seed, 1, BTreeMap::new());
    let (dir, out) = (memory_dir(), memory_dir());
    bundle(1).store(&FileStore::open(dir.path()).unwrap(), false).await.unwrap();
    for round in 0..EXCHANGES {
        let order = format!("exchange {} {}", dir.path().display(), out.path().display());
        let mut child = Child::start(&order);
        let mut at = String::new();
        for _ in 0..=next(&mut random) % 6 {
            at = said(&child.line().unwrap(), &mut last);
        }
        let until = std::time::Instant::now() + Duration::from_micros(next(&mut random) % 3_000);
        while std::time::Instant::now() < until {}
        child.kill();
        while let Some(line) = child.line() {
            at = said(&line, &mut last);
        }
        *inside.entry(at).or_insert(0) += 1;
        let found = Bundle::read(&FileStore::open(dir.path()).unwrap()).await.unwrap();
        check_bundle(&found, last).unwrap_or_else(|lost| panic!("round {round}: {lost}"));
        check_exported(out.path()).unwrap_or_else(|lost| panic!("round {round}: {lost}"));
    }
    println!("{EXCHANGES} deaths, after {inside:?}; {last} imports");
}

/// The step that was said, and the number of the last import that was begun.
fn said(line: &str, last: &mut u64) -> String {
    let (step, number) = line.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("a child says: {line}"));
    *last = (*last).max(if step == "cleared" { number + 1 } else { number });
    step.to_owned()
}

fn check_bundle(found: &Bundle, last: u64) -> Result<(), String> {
    if !found.notes.is_empty() || found.issuers.len() as u64 != TAKEN {
        return Err(format!("{:?}, {} issuers", found.notes, found.issuers.len()));
    }
    for (at, issuer) in found.issuers.iter().enumerate() {
        let ([account], [certificate]) = (&*issuer.accounts, &*issuer.certificates) else {
            return Err(format!("{} has {} accounts", issuer.name, issuer.accounts.len()));
        };
        let whole = |number: u64| bundle(number).issuers.swap_remove(at);
        let (of_account, of_certificate) = (account.registered_at, certificate.obtained_at);
        let one_of_two = |number: u64| (last.saturating_sub(1)..=last + 1).contains(&number);
        if whole(of_account).accounts[0] != *account || whole(of_certificate).certificates[0] != *certificate
        {
            return Err(format!("{} is of several imports", issuer.name));
        }
        if !one_of_two(of_account) || !one_of_two(of_certificate) {
            return Err(format!("{}: {of_account} and {of_certificate}, last was {last}", issuer.name));
        }
    }
    Ok(())
}

/// What stands under the names of files is whole; what was being written when it was killed stands beside them.
fn check_exported(out: &Path) -> Result<(), String> {
    let file = out.join("acme.json");
    let Ok(text) = std::fs::read(&file) else { return Ok(()) };
    let file: serde_json::Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let resolvers = file.as_object().map_or(0, serde_json::Map::len);
    let (files, _) = read_caddy(out).map_err(|error| error.to_string())?;
    let keys: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(".key")).collect();
    match keys.iter().find(|(_, content)| !is_whole(content)) {
        Some((name, _)) => Err(format!("{name} is not whole")),
        None if resolvers as u64 != TAKEN || keys.len() as u64 != 2 * TAKEN => {
            Err(format!("{resolvers} resolvers, {} keys", keys.len()))
        }
        None => Ok(()),
    }
}

fn is_whole(key: &[u8]) -> bool {
    let text = String::from_utf8_lossy(key);
    let number = text.lines().next().and_then(|line| line.strip_prefix("key ")?.parse().ok());
    number.is_some_and(|number| record(number).key_pem.expose() == text)
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

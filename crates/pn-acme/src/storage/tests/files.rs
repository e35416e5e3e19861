//! The store in a folder: modes, damage, and a writer that dies at each of its steps.

use super::TestClock;
use crate::files::crash;
use crate::storage::file::Files;
use crate::storage::{Expected, FileStore, Key, Storage, StorageError};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const TTL: Duration = Duration::from_secs(30);

fn open(path: &Path) -> Files {
    Files::open(path, TestClock::at(1000).clock()).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// All below, folders too.
fn walk(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let inner = |path: PathBuf| if path.is_dir() { walk(&path) } else { Vec::new() };
    entries.flat_map(|path| [vec![path.clone()], inner(path)].concat()).collect()
}

#[test]
fn everything_is_private_and_what_was_opened_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/store");
    let key = Key::account(&crate::storage::Ca::of("https://ca.example/dir"), None);
    let store = open(&path);
    store.save(&key, b"secret", Expected::Any, None).unwrap();
    store.lock("a", TTL).unwrap().unwrap();
    assert_eq!(mode(&path), 0o700);
    for inner in walk(&path) {
        assert_eq!(mode(&inner), if inner.is_dir() { 0o700 } else { 0o600 }, "{}", inner.display());
    }
    let file = path.join(format!("{key}.json"));
    set_mode(&file, 0o644);
    set_mode(&path, 0o755);
    assert_eq!(open(&path).load(&key).unwrap().unwrap().value, b"secret");
    assert_eq!((mode(&file), mode(&path)), (0o600, 0o700));
}

/// Only root can try it: nobody else may give files away.
#[test]
fn what_root_writes_belongs_to_whom_the_folder_belongs_to() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(12_345), Some(54_321)).unwrap();
    let store = open(dir.path());
    store.save(&Key::schedule("a"), b"x", Expected::Any, None).unwrap();
    store.lock("a", TTL).unwrap().unwrap();
    for path in walk(dir.path()) {
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (12_345, 54_321), "{}", path.display());
    }
}

#[test]
fn a_folder_that_is_open_and_not_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (name, holds, before, refused) in [
        ("new", &[][..], 0o755, false),
        ("ours", &["accounts", "on-demand", ".cas"], 0o755, false),
        ("strange", &["accounts", "index.html"], 0o755, true),
        ("strange-but-closed", &["index.html"], 0o700, false),
        ("shared", &[], 0o1777, true),
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        holds.iter().for_each(|name| std::fs::write(path.join(name), "").unwrap());
        set_mode(&path, before);
        match Files::open(&path, TestClock::at(0).clock()) {
            Err(error) if refused => {
                assert!(matches!(error, StorageError::Insecure { .. }), "{error}");
                assert!(error.to_string().contains("a folder of its own"), "{error}");
                assert_eq!(mode(&path), before);
            }
            opened => assert_eq!((opened.is_err(), mode(&path)), (false, 0o700), "{name}"),
        }
    }
}

#[test]
fn strange_files_are_not_listed_and_large_ones_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let key = Key::schedule("a");
    store.save(&key, b"x", Expected::Any, None).unwrap();
    let folder = dir.path().join("schedule");
    for name in [".hidden.json", "a.json~", "b", "c d.json"] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    std::fs::create_dir(folder.join("d.json")).unwrap();
    let listed = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async { FileStore::open(dir.path()).unwrap().list("schedule").await.unwrap() });
    assert_eq!(listed, [key.clone(), Key::schedule("d")], "what stands in the place of a record is told");
    std::fs::write(folder.join("a.json"), vec![0; (1 << 20) + 1]).unwrap();
    for key in &listed {
        let refused = store.load(key).unwrap_err();
        assert!(matches!(refused, StorageError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains(".json"), "it names the file: {refused}");
    }
}

/// What makes something at a path that is no value.
type Damage = fn(&Path);

/// Whatever stands in its place, a record can be written and taken away, and nobody's files are lost.
#[test]
fn what_is_no_value_fails_for_itself_alone_and_is_replaced() {
    let link = |path: &Path| std::os::unix::fs::symlink("/etc/hostname", path).unwrap();
    let full = |path: &Path| {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("of somebody"), "").unwrap();
    };
    let damages: [(&str, Damage); 4] = [
        ("folder", |path| std::fs::create_dir(path).unwrap()),
        ("full folder", full),
        ("link", link),
        ("large", |path| std::fs::write(path, vec![b' '; (1 << 20) + 1]).unwrap()),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let (good, bad) = (Key::schedule("good"), Key::schedule("bad"));
        store.save(&good, b"good", Expected::Any, None).unwrap();
        let place = dir.path().join("schedule/bad.json");
        damage(&place);
        let many = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let keys = [bad.clone(), good.clone()];
            FileStore::open(dir.path()).unwrap().load_many(&keys).await.unwrap()
        });
        assert!(matches!(many[0], Err(StorageError::Damaged { .. })), "{name}: {many:?}");
        assert_eq!(many[1].as_ref().unwrap().as_ref().unwrap().value, b"good", "{name}");
        store.save(&bad, b"new", Expected::Any, None).unwrap();
        assert_eq!(store.load(&bad).unwrap().unwrap().value, b"new", "{name}");
        store.delete(&bad, Expected::Any, None).unwrap();
        damage(&place);
        store.delete(&bad, Expected::Any, None).unwrap();
        assert_eq!(store.load(&bad).unwrap(), None, "{name}");
        let kept = walk(dir.path()).iter().filter(|path| path.ends_with("of somebody")).count();
        assert_eq!(kept, if name == "full folder" { 2 } else { 0 });
    }
}

#[test]
fn what_stands_in_the_place_of_a_lock_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    std::fs::create_dir(dir.path().join(".locks/a.json")).unwrap();
    let lease = store.lock("a", TTL).unwrap().unwrap();
    store.unlock(&lease).unwrap();
}

#[test]
fn a_write_that_is_killed_leaves_the_old_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::schedule("a");
    let (mut seen, mut killed_at, mut done) = (Vec::new(), 0, false);
    while !done {
        let store = open(dir.path());
        store.save(&key, b"old", Expected::Any, None).unwrap();
        crash::after(Some(killed_at));
        done = store.save(&key, b"new and longer", Expected::Any, None).is_ok();
        drop(store);
        crash::after(None);
        let again = open(dir.path());
        seen.push(String::from_utf8(again.load(&key).unwrap().unwrap().value).unwrap());
        let left = std::fs::read_dir(dir.path().join(".tmp")).unwrap().count();
        assert_eq!(left, 0, "killed at step {killed_at}");
        again.save(&key, b"next", Expected::Any, None).unwrap();
        killed_at += 1;
    }
    let turn = seen.iter().position(|value| value == "new and longer").unwrap();
    let (old, new) = seen.split_at(turn);
    assert!(old.iter().all(|value| value == "old") && new.iter().all(|value| value == "new and longer"));
    assert!(old.len() > 4 && new.len() > 2, "{seen:?}");
}

#[test]
fn an_owner_that_dies_while_it_locks_leaves_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let other = open(dir.path());
    for killed_at in 0..8 {
        let store = open(dir.path());
        crash::after(Some(killed_at));
        store.lock("a", TTL).unwrap_or_default();
        drop(store);
        crash::after(None);
        let lease = other.lock("a", TTL).unwrap().unwrap();
        assert!(open(dir.path()).lock("a", TTL).unwrap().is_none());
        other.unlock(&lease).unwrap();
    }
}

#[test]
fn fences_rise_even_where_their_file_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = store.lock("a", TTL).unwrap().unwrap();
    store.unlock(&first).unwrap();
    let second = store.lock("b", TTL).unwrap().unwrap();
    assert!(second.fence > first.fence);
    std::fs::remove_file(dir.path().join(".cas")).unwrap();
    assert!(store.lock("b", TTL).unwrap().is_none());
    store.unlock(&second).unwrap();
    assert!(store.lock("b", TTL).unwrap().is_some());
}

#[test]
fn a_lock_file_that_a_power_cut_emptied_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let lease = store.lock("a", TTL).unwrap().unwrap();
    std::fs::write(dir.path().join(".locks/a.json"), "").unwrap();
    let refused = store.save(&Key::schedule("a"), b"x", Expected::Any, Some(&lease)).unwrap_err();
    assert!(matches!(refused, StorageError::Lost(_)), "{refused}");
    assert!(store.lock("a", TTL).unwrap().is_some());
}

//! The state directory: one owner at a time, private, and never a half-written file. A file is written beside its place
//! and renamed over it, so whoever reads finds the old or the new one, whenever the process was killed.

use crate::error::AcmeError;
use crate::regular::open;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TEMPORARY: &str = ".tmp";
/// What is in a state directory.
const OWN: [&str; 5] = ["lock", "internal-ca", "certificates", "last-good.json", "last-good.json.new"];
/// Of directories such as /tmp.
const STICKY: u32 = 0o1000;
/// Far above any file that is written here.
const FILE_BYTES: u64 = 1 << 20;
/// For the lock of a process that is ending.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two attempts: the kernel has no lock that waits for a while only.
const PAUSE: Duration = Duration::from_millis(10);

/// The state directory, locked for this process until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the directory (mode 0700) when there is none, tightens one that others may enter, and takes its lock.
    pub fn open(path: &Path) -> Result<Self, AcmeError> {
        make_private(path)?;
        tighten_own(path)?;
        let place = path.join("lock");
        let mut lock = open_lock(&place).map_err(|error| storage(&place, error))?;
        if !take(&lock).map_err(|error| storage(&place, error))? {
            return Err(AcmeError::InUse { path: path.to_owned(), owner: owner(&mut lock) });
        }
        // Only for the message above; the lock itself is the kernel's, and a full disk does not stand in its way.
        lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).unwrap_or_default();
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where nothing can be written, the lock that an earlier process made will do: what that stored can be served.
fn open_lock(place: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(place) {
        Err(error) if has_no_room(&error) => {
            let Ok(lock) = open(place) else { return Err(error) };
            tracing::error!(
                file = %place.display(), %error,
                "the state directory cannot be written to: what it holds is served, and nothing new is kept there \
                 until the disk is mended"
            );
            Ok(lock)
        }
        opened => opened,
    }
}

/// The disk cannot take anything now, while what it holds can be read.
pub(crate) fn has_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), ReadOnlyFilesystem | StorageFull | QuotaExceeded)
}

/// Whether it is ours. A supervisor starts the next process at once, while the kernel still takes the killed one apart.
fn take(lock: &File) -> io::Result<bool> {
    let began = Instant::now();
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() >= PATIENCE => return Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => std::thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
}

fn owner(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.take(20).read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => format!(" (process {})", text.trim()),
        _ => String::new(),
    }
}

/// A directory that only its owner enters, in which every file is private too.
#[derive(Debug, Clone)]
pub(crate) struct PrivateDir(PathBuf);

impl PrivateDir {
    /// Makes it when there is none, tightens it when others may enter, and clears what a killed process left.
    pub(crate) fn open(path: PathBuf) -> Result<Self, AcmeError> {
        make_private(&path)?;
        let mode = std::fs::metadata(&path).map_err(|error| storage(&path, error))?.permissions().mode();
        if mode & 0o777 != 0o700 {
            let tighten = std::fs::set_permissions(&path, Permissions::from_mode(0o700));
            tighten.map_err(|error| storage(&path, error))?;
        }
        let dir = Self(path);
        for name in dir.names()?.iter().filter(|name| name.ends_with(TEMPORARY)) {
            match dir.remove(name) {
                Err(AcmeError::Storage { source, .. }) if has_no_room(&source) => {}
                removed => removed?,
            }
        }
        Ok(dir)
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// `None` when there is no such file, or what it holds is no text.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, AcmeError> {
        let path = self.path_of(name);
        let file = match open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(storage(&path, error)),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(|error| storage(&path, error))?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// Mode 0600. `durable`: on the disk when this returns; otherwise a power cut may lose or empty the file.
    pub(crate) fn write(&self, name: &str, text: &str, durable: bool) -> Result<(), AcmeError> {
        let place = self.path_of(name);
        self.replace(name, text, durable).map_err(|error| {
            // What a full disk took of it. A killed process leaves it to the next one.
            step()
                .and_then(|()| std::fs::remove_file(self.path_of(&format!("{name}{TEMPORARY}"))))
                .unwrap_or_default();
            storage(&place, error)
        })
    }

    fn replace(&self, name: &str, text: &str, durable: bool) -> io::Result<()> {
        let temporary = self.path_of(&format!("{name}{TEMPORARY}"));
        step()?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        step()?;
        file.write_all(first)?;
        step()?;
        file.write_all(second)?;
        step()?;
        if durable {
            file.sync_all()?;
        }
        step()?;
        std::fs::rename(&temporary, self.path_of(name))?;
        step()?;
        if durable {
            File::open(&self.0)?.sync_all()?;
        }
        Ok(())
    }

    /// Puts a file that is not used any more aside, so that it can be looked at.
    pub(crate) fn set_aside(&self, name: &str) -> Result<(), AcmeError> {
        let path = self.path_of(name);
        std::fs::rename(&path, self.path_of(&format!("{name}.replaced")))
            .map_err(|error| storage(&path, error))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), AcmeError> {
        let path = self.path_of(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(&path, error)),
            _ => Ok(()),
        }
    }

    /// Names of its files. Those that are not UTF-8 are not ours.
    pub(crate) fn names(&self) -> Result<Vec<String>, AcmeError> {
        let listed = std::fs::read_dir(&self.0).and_then(|entries| {
            let names: io::Result<Vec<_>> =
                entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
            names
        });
        let listed = listed.map_err(|error| storage(&self.0, error))?;
        Ok(listed.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }
}

/// Closes a state directory to others. One that holds anything else is not ours to close (`--state-dir /srv`): there
/// only what is below it is private.
fn tighten_own(path: &Path) -> Result<(), AcmeError> {
    let mode = std::fs::metadata(path).map_err(|error| storage(path, error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(|error| storage(path, error))?;
    let strange = entries
        .filter_map(Result::ok)
        .any(|entry| !entry.file_name().to_str().is_some_and(|name| OWN.contains(&name)));
    if strange || mode & STICKY != 0 {
        tracing::warn!(
            directory = %path.display(),
            "the state directory is open to others, and holds what is not the proxy's: give the proxy one of its own"
        );
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|error| storage(path, error))
}

fn make_private(path: &Path) -> Result<(), AcmeError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| storage(path, error))
}

pub(crate) fn storage(path: &Path, source: io::Error) -> AcmeError {
    AcmeError::Storage { path: path.to_owned(), source }
}

/// Where a test may kill the process.
pub(crate) fn step() -> io::Result<()> {
    #[cfg(test)]
    crash::step()?;
    Ok(())
}

/// A process that dies at a step of its choice: from there on nothing is written.
#[cfg(test)]
pub(crate) mod crash {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Says how many steps of the order before were left; none also where it died at the last one.
    pub(crate) fn after(steps: Option<u32>) -> Option<u32> {
        STEPS_LEFT.replace(steps)
    }

    pub(super) fn step() -> io::Result<()> {
        match STEPS_LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("killed")),
            Some(left) => {
                STEPS_LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_second_instance_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let first = StateDir::open(&path).unwrap();
        let refused = StateDir::open(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by another proxy-now (process {})", std::process::id())));
        assert!(refused.contains("runtime.state-dir"), "{refused}");
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn everything_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/state");
        let state = StateDir::open(&path).unwrap();
        assert_eq!((mode(&path), mode(&path.join("lock"))), (0o700, 0o600));
        let inner = state.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        let private = PrivateDir::open(inner.clone()).unwrap();
        private.write("key", "secret", true).unwrap();
        assert_eq!((mode(&inner), mode(&inner.join("key"))), (0o700, 0o600));
    }

    #[test]
    fn an_own_directory_that_is_open_is_closed_and_a_strange_one_left() {
        let dir = tempfile::tempdir().unwrap();
        for (name, holds, mode_before, expected) in [
            ("new", &[][..], 0o755, 0o700),
            ("used", &["lock", "internal-ca", "certificates", "last-good.json"], 0o775, 0o700),
            ("strange", &["lock", "site.toml"], 0o755, 0o755),
            ("shared", &[], 0o1777, 0o777),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            holds.iter().for_each(|name| std::fs::write(path.join(name), "").unwrap());
            std::fs::set_permissions(&path, Permissions::from_mode(mode_before)).unwrap();
            let _state = StateDir::open(&path).unwrap();
            assert_eq!(mode(&path), expected, "{name}");
        }
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let private = PrivateDir::open(dir.path().join("files")).unwrap();
        // Renaming a file over a directory fails, after all of it was written.
        std::fs::create_dir(private.path_of("a")).unwrap();
        private.write("a", "text", false).unwrap_err();
        assert_eq!(private.names().unwrap(), ["a"]);
    }

    #[test]
    fn a_write_that_is_killed_leaves_the_old_or_the_new() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("files");
        let mut seen = Vec::new();
        for killed_at in 0..7 {
            let private = PrivateDir::open(path.clone()).unwrap();
            private.write("a", "old", true).unwrap();
            crash::after(Some(killed_at));
            let written = private.write("a", "new and longer", true);
            crash::after(None);
            let reopened = PrivateDir::open(path.clone()).unwrap();
            let text = reopened.read("a").unwrap().unwrap();
            assert!(text == "old" || text == "new and longer", "{text}");
            assert_eq!(reopened.names().unwrap(), ["a"], "nothing is left behind");
            seen.push((written.is_ok(), text));
        }
        assert_eq!(seen.first().unwrap(), &(false, "old".to_owned()));
        assert_eq!(seen.last().unwrap(), &(true, "new and longer".to_owned()));
    }
}

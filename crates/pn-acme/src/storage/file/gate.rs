//! The gate: one writer at a time, among threads and processes. It is the kernel's lock on a file, so it opens when its
//! holder dies. The file holds the last fence that was given.

use super::folder::{Folder, GATE, at};
use crate::storage::StorageError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// It is held for microseconds, so this long means that its holder does not run.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts: the kernel has no lock that waits for a while only.
const PAUSE: Duration = Duration::from_micros(500);
/// Of a u64 in decimal.
const DIGITS: usize = 20;

#[derive(Debug)]
pub(super) struct Gate {
    path: PathBuf,
    /// Threads of this process wait here, so that one of them only asks the kernel again and again.
    turn: Mutex<()>,
}

/// Being inside.
pub(super) struct Pass<'a> {
    _turn: MutexGuard<'a, ()>,
    file: File,
    path: &'a Path,
}

impl Gate {
    pub(super) fn new(folder: &Folder) -> Self {
        Self { path: folder.path().join(GATE), turn: Mutex::new(()) }
    }

    pub(super) fn enter(&self) -> Result<Pass<'_>, StorageError> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        loop {
            if let Some(file) = self.attempt().map_err(|error| at(&self.path, error))? {
                return Ok(Pass { _turn: turn, file, path: &self.path });
            }
            if began.elapsed() > PATIENCE {
                return Err(StorageError::Busy { path: self.path.clone(), waited: PATIENCE });
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn attempt(&self) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // If someone removed the file, others lock a new one.
        let is_it = std::fs::metadata(&self.path)
            .and_then(|there| Ok(there.ino() == file.metadata()?.ino()))
            .unwrap_or(false);
        Ok(is_it.then_some(file))
    }
}

impl Pass<'_> {
    /// A number above all that were given and above `least`.
    pub(super) fn next_fence(&self, least: u64) -> Result<u64, StorageError> {
        let mut text = [0; DIGITS];
        let read = self.file.read_at(&mut text, 0).map_err(|error| at(self.path, error))?;
        let last = text.get(..read).and_then(|text| std::str::from_utf8(text).ok());
        let last = last.and_then(|text| text.parse().ok()).unwrap_or(0u64);
        let next = last.max(least).saturating_add(1);
        let written = self.file.write_all_at(format!("{next:0DIGITS$}").as_bytes(), 0);
        written.map_err(|error| at(self.path, error)).map(|()| next)
    }
}

//! The writer: one thread a log file, behind a bounded queue.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Lines that wait for the disk: at most some tens of megabytes of the longest, and half a second of a busy proxy.
const QUEUE: usize = 8_192;
/// Gathered into one write.
const BATCH_BYTES: usize = 64 << 10;

/// An open log. Its last lines are written before it is gone.
#[derive(Debug)]
pub(crate) struct Log {
    path: Option<PathBuf>,
    lines: Option<SyncSender<String>>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    dropped: AtomicU64,
    reopen: AtomicBool,
}

impl Log {
    /// Opens the file for appending; `None` is standard output.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let target = Target::open(path)?;
        let (lines, queue) = sync_channel(QUEUE);
        let state = Arc::new(State::default());
        let (shared, own) = (Arc::clone(&state), path.map(Path::to_owned));
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || Writer { target, path: own, state: shared }.run(&queue))?;
        Ok(Self { path: path.map(Path::to_owned), lines: Some(lines), state, thread: Some(thread) })
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens the file anew before the next line: the old one has been moved away.
    pub(crate) fn reopen(&self) {
        self.state.reopen.store(true, Relaxed);
        // An empty line wakes the writer and writes nothing.
        self.push(String::new());
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.dropped.load(Relaxed)
    }

    /// Never waits.
    pub(crate) fn push(&self, line: String) {
        if self.lines.as_ref().is_none_or(|lines| lines.try_send(line).is_err()) {
            self.state.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        drop(self.lines.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of the access log panicked: this is a bug");
        }
    }
}

struct Writer {
    target: Target,
    path: Option<PathBuf>,
    state: Arc<State>,
}

enum Target {
    Stdout,
    File(File),
}

impl Writer {
    fn run(mut self, queue: &Receiver<String>) {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        while let Ok(first) = queue.recv() {
            let mut count = u64::from(!first.is_empty());
            batch.clear();
            batch.extend_from_slice(first.as_bytes());
            while batch.len() < BATCH_BYTES
                && let Ok(next) = queue.try_recv()
            {
                count += u64::from(!next.is_empty());
                batch.extend_from_slice(next.as_bytes());
            }
            self.write(&batch, count);
        }
    }

    /// What was queued before a reopening may go to either file; nothing is lost or cut in two.
    fn write(&mut self, batch: &[u8], count: u64) {
        if self.state.reopen.swap(false, Relaxed) {
            match Target::open(self.path.as_deref()) {
                Ok(target) => self.target = target,
                Err(error) => {
                    tracing::error!(%error, "the access log cannot be opened anew; the old file stays")
                }
            }
        }
        if let Err(error) = self.target.write(batch) {
            self.state.dropped.fetch_add(count, Relaxed);
            tracing::error!(%error, "the access log cannot be written");
        }
    }
}

impl Target {
    fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        OpenOptions::new().create(true).append(true).open(path).map(Self::File)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Self::File(file) => file.write_all(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pn_testkit::{Folder, wait_until};

    #[test]
    fn every_line_is_written_before_the_end() {
        let folder = Folder::new();
        let path = folder.path().join("access.log");
        let log = Log::open(Some(&path)).unwrap();
        let total = 10_000;
        for n in 0..total {
            log.push(format!("{n}\n"));
        }
        let dropped = log.dropped();
        drop(log);
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.lines().count() as u64 + dropped, total);
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = Folder::new();
        let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let log = Log::open(Some(&path)).unwrap();
        log.push("one\n".into());
        wait_until("the first line", || std::fs::read_to_string(&path).unwrap() == "one\n");
        std::fs::rename(&path, &moved).unwrap();
        log.push("two\n".into());
        wait_until("the second line", || std::fs::read_to_string(&moved).unwrap() == "one\ntwo\n");
        log.reopen();
        log.push("three\n".into());
        drop(log);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        assert!(Log::open(Some(Path::new("/nonexistent/access.log"))).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_written_is_counted() {
        let log = Log::open(Some(Path::new("/dev/full"))).unwrap();
        log.push("lost\n".into());
        wait_until("the line to be dropped", || log.dropped() == 1);
    }
}

//! The program under callgrind, told through valgrind's debugger channel when to count. It starts without counting, which
//! is ten times as fast; a dump takes the count and begins a new one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pn_testkit::{Folder, Peer, find_program};

use super::dump::Dump;

/// vgdb stops a program that waits in the kernel by ptrace; where that is forbidden, it waits for ever.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Callgrind {
    folder: Folder,
    /// Dumps are numbered from one.
    dumps: AtomicU32,
}

impl Callgrind {
    pub(super) fn new() -> Self {
        Self { folder: Folder::new(), dumps: AtomicU32::new(0) }
    }

    /// What comes between `valgrind` and the program.
    pub(super) fn arguments(&self) -> [String; 4] {
        let out = format!("--callgrind-out-file={}", self.out().display());
        ["--tool=callgrind".to_owned(), "--instr-atstart=no".to_owned(), "--quiet".to_owned(), out]
    }

    /// Counts from here on.
    pub(super) fn begin(&self, pid: u32) -> Result<()> {
        tell(pid, &["instrumentation", "on"])
    }

    /// What was counted since the last time, or the beginning.
    pub(super) fn take(&self, pid: u32) -> Result<Dump> {
        tell(pid, &["dump"])?;
        let number = self.dumps.fetch_add(1, Relaxed) + 1;
        let file = self.out().with_extension(number.to_string());
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Dump::parse(&text)
    }

    fn out(&self) -> PathBuf {
        self.folder.join("callgrind")
    }
}

fn tell(pid: u32, order: &[&str]) -> Result<()> {
    let mut vgdb = Command::new(find_program("vgdb"));
    vgdb.arg(format!("--pid={pid}")).args(order);
    let finished = Peer::run("vgdb", &vgdb, LIMIT);
    if !finished.status.success() {
        bail!("vgdb {}: {}{}", order.join(" "), finished.stdout, finished.stderr);
    }
    Ok(())
}

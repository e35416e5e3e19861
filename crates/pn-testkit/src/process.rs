//! Other programs as guarded children: what they print is kept, and they end with the test, however that ends.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::wait::{PATIENCE, wait_until};

type Order = (Command, Sender<io::Result<Child>>);

/// Linux ties a child to the thread that made it, not to its process; this thread lives as long as the process.
static NURSERY: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (sender, orders) = channel::<Order>();
    thread::spawn(move || {
        for (mut command, answer) in orders {
            answer.send(command.spawn()).ok();
        }
    });
    sender
});

/// A running program. Dropping it ends it.
pub struct Peer {
    name: String,
    child: Mutex<Child>,
    output: Arc<Output>,
}

/// What a program that ended left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The exit code; minus the signal's number when a signal ended it.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status.code().unwrap_or_else(|| -self.status.signal().unwrap_or(0))
    }

    /// Its standard output; panics with all it said when it failed.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }
}

/// Where a program is. Debian keeps servers in a folder that is not in every user's PATH.
pub fn find_program(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    let mut paths = folders.into_iter().map(|folder| folder.join(name));
    paths.find(|path| path.is_file()).unwrap_or_else(|| panic!("{name} is not installed: cargo xtask setup"))
}

impl Peer {
    /// Starts it, with no standard input, and its output kept. `name` is for messages.
    #[track_caller]
    pub fn start(name: &str, command: &Command) -> Self {
        let mut command = guarded(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (sender, answer) = channel();
        NURSERY.send((command, sender)).expect("the nursery lives as long as the process");
        let started = answer.recv().expect("an answer to each order");
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let output = Arc::new(Output::default());
        output.follow(child.stdout.take().expect("piped"), Kept::stdout);
        output.follow(child.stderr.take().expect("piped"), Kept::stderr);
        Self { name: name.to_owned(), child: Mutex::new(child), output }
    }

    /// Runs it to its end; panics when it has not ended after `limit`.
    #[track_caller]
    pub fn run(name: &str, command: &Command, limit: Duration) -> Finished {
        Self::start(name, command).finish(limit)
    }

    /// Waits for its end; panics when it has not ended after `limit`.
    #[track_caller]
    pub fn finish(self, limit: Duration) -> Finished {
        let status = self.wait(limit).unwrap_or_else(|| panic!("{self:?} has not ended after {limit:?}"));
        self.output.wait_for_end();
        let kept = self.output.kept();
        Finished { status, stdout: text(&kept.stdout), stderr: text(&kept.stderr) }
    }

    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    pub fn is_running(&self) -> bool {
        self.exited().is_none()
    }

    /// How it ended, if it did.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("the state of a child")
    }

    /// All it printed so far, both streams as they came.
    pub fn log(&self) -> String {
        text(&self.output.kept().both)
    }

    /// Waits until it printed this; panics when it ends before, or does not in [`PATIENCE`].
    #[track_caller]
    pub fn wait_for_log(&self, needle: &str) {
        assert!(self.output.wait_for(needle, || !self.is_running()), "{self:?} never printed {needle:?}");
    }

    /// Waits until something accepts connections there; panics when the program ends before.
    #[track_caller]
    pub fn wait_for_port(&self, address: SocketAddr) {
        wait_until("a port to open", || {
            assert!(self.is_running(), "{self:?} ended before it opened {address}");
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        });
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.unended() {
            kill_process(pid, signal).ok();
        }
    }

    /// Asks it to end and waits; panics when it does not within `limit`.
    #[track_caller]
    pub fn terminate(self, limit: Duration) -> Finished {
        self.signal(Signal::TERM);
        self.finish(limit)
    }

    /// How it ended; `None` when it has not after `limit`.
    pub fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.exited();
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory in KiB.
    #[track_caller]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
    }

    /// How many file descriptors it has open.
    #[track_caller]
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("a running process").count()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Its id, as long as nobody else can have it: a child keeps its id until it is waited for.
    fn unended(&self) -> Option<Pid> {
        let mut child = self.child();
        let id = child.id();
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return None;
        }
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.log();
        let from = log.lines().count().saturating_sub(60);
        write!(f, "{} (its last lines: {:#?})", self.name, log.lines().skip(from).collect::<Vec<_>>())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.child().wait().ok();
        if thread::panicking() {
            self.tell();
        }
    }
}

impl Peer {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failed test")]
    fn tell(&self) {
        eprintln!("{self:?}");
    }
}

/// The same command, killed by the kernel when this process dies without having dropped it.
fn guarded(command: &Command) -> Command {
    let mut guarded = Command::new("setpriv");
    guarded.args([OsStr::new("--pdeathsig"), OsStr::new("KILL"), OsStr::new("--"), command.get_program()]);
    guarded.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guarded.env(name, value),
            None => guarded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guarded.current_dir(folder);
    }
    guarded
}

/// What a program prints, as it comes.
#[derive(Default)]
struct Output {
    kept: Mutex<Kept>,
    news: Condvar,
}

#[derive(Default)]
struct Kept {
    both: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    ended: usize,
}

impl Kept {
    fn stdout(&mut self) -> &mut Vec<u8> {
        &mut self.stdout
    }

    fn stderr(&mut self) -> &mut Vec<u8> {
        &mut self.stderr
    }
}

impl Output {
    fn follow(self: &Arc<Self>, mut from: impl Read + Send + 'static, stream: fn(&mut Kept) -> &mut Vec<u8>) {
        let output = Arc::clone(self);
        thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                let mut kept = output.kept();
                stream(&mut kept).extend_from_slice(&chunk[..count]);
                kept.both.extend_from_slice(&chunk[..count]);
                output.news.notify_all();
            }
            output.kept().ended += 1;
            output.news.notify_all();
        });
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Both streams are closed; a grandchild that holds one open is not waited for.
    fn wait_for_end(&self) {
        let kept = self.kept();
        drop(self.news.wait_timeout_while(kept, Duration::from_secs(2), |kept| kept.ended < 2));
    }

    fn wait_for(&self, needle: &str, is_over: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = is_over();
            if ended {
                // What it printed last may be on its way still.
                self.wait_for_end();
            }
            let over = ended || Instant::now() > deadline;
            let kept = self.kept();
            if text(&kept.both).contains(needle) {
                return true;
            }
            if over {
                return false;
            }
            drop(self.news.wait_timeout(kept, Duration::from_millis(50)));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until no process has this id any more.
#[cfg(test)]
fn wait_until_gone(pid: u32) {
    wait_until("a process to be gone", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_exit_code_are_kept() {
        let finished = Peer::run("sh", &shell("echo out; echo err >&2; exit 3"), PATIENCE);
        assert_eq!(
            (finished.code(), finished.stdout.as_str(), finished.stderr.as_str()),
            (3, "out\n", "err\n")
        );
    }

    #[test]
    fn a_peer_ends_with_its_guard() {
        let peer = Peer::start("sh", &shell("echo ready; exec sleep 300"));
        peer.wait_for_log("ready");
        let pid = peer.pid();
        drop(peer);
        wait_until_gone(pid);
    }

    #[test]
    fn a_peer_ends_with_the_process_even_if_that_is_killed() {
        // The outer shell stands for a test process: setpriv ties the inner one to it.
        let script = "setpriv --pdeathsig KILL -- sh -c 'echo child $$; exec sleep 300' & wait";
        let peer = Peer::start("sh", &shell(script));
        peer.wait_for_log("\n");
        let log = peer.log();
        let pid = log.trim().trim_start_matches("child ").parse().unwrap();
        peer.signal(Signal::KILL);
        wait_until_gone(pid);
    }

    #[test]
    fn terminating_reports_the_signal() {
        let peer = Peer::start("sleep", Command::new("sleep").arg("300"));
        assert_eq!(peer.terminate(PATIENCE).code(), -15);
    }
}

//! Running other programs: found, given a limit, and ended with all their children when they exceed it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_child_subreaper};

/// Looked at this often while another program works; nothing here is in a hurry.
const POLL: Duration = Duration::from_millis(50);

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// A cargo command at the root, by the cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Whether cargo has this subcommand, `cargo nextest` for example.
pub(crate) fn cargo_has(subcommand: &str) -> bool {
    let mut command = cargo(&[subcommand, "--version"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where a program is. Debian keeps servers in a folder that is not in every user's PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Runs a command, its output passed through; fails when it does, or when `limit` is over.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let what = describe(command);
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {what}"))?;
    let status = wait(&mut child, limit).with_context(|| what.clone())?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}

/// Runs a command and returns what it wrote to its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let what = describe(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {what}"))?;
    if !output.status.success() {
        bail!("{what}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{what}: output is not UTF-8"))
}

/// From here on, orphans of the programs we start become our children, so that `end_leftovers` sees them.
pub(crate) fn adopt_orphans() -> Result<()> {
    let own = rustix::process::getpid();
    set_child_subreaper(Some(own)).context("cannot become the reaper of orphans")
}

/// Ends every process that descends from us and still runs; returns what they were.
pub(crate) fn end_leftovers() -> Vec<String> {
    let left = descendants(std::process::id());
    for process in &left {
        kill(process.pid);
    }
    left.into_iter().map(|process| format!("{} (pid {})", process.name, process.pid)).collect()
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            for process in descendants(child.id()) {
                kill(process.pid);
            }
            child.kill()?;
            child.wait()?;
            bail!("ended after its limit of {} s", limit.as_secs());
        }
        thread::sleep(POLL);
    }
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn kill(pid: u32) {
    // A process that ended meanwhile is what was wanted.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, Signal::KILL).ok();
    }
}

struct Process {
    pid: u32,
    parent: u32,
    name: String,
}

fn descendants(of: u32) -> Vec<Process> {
    let mut others = processes();
    let mut family = vec![of];
    let mut found = Vec::new();
    loop {
        let (ours, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|each| family.contains(&each.parent));
        if ours.is_empty() {
            return found;
        }
        family = ours.iter().map(|process| process.pid).collect();
        found.extend(ours);
        others = rest;
    }
}

/// Every process that is not a zombie.
fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let stats = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| parse_stat(&stat)).collect()
}

/// `pid (name) state parent ...`; the name may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(Process { pid: pid.parse().ok()?, parent, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_over_its_limit_is_ended_with_its_children() {
        let file = env::temp_dir().join(format!("xtask-limit-{}", std::process::id()));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("sleep 300 & echo $! >{}; wait", file.display()));
        let error = run(&mut shell, Duration::from_millis(500)).unwrap_err();
        assert!(format!("{error:#}").contains("limit"), "{error:#}");
        let pid: u32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        fs::remove_file(&file).unwrap();
        let deadline = Instant::now() + MINUTE;
        while processes().iter().any(|process| process.pid == pid) {
            assert!(Instant::now() < deadline, "{pid} still runs");
            thread::sleep(POLL);
        }
    }

    #[test]
    fn names_with_spaces_and_parentheses_are_read() {
        let process = parse_stat("12 (tmux: (x) y) S 7 12 12 0").unwrap();
        assert_eq!((process.pid, process.parent, process.name.as_str()), (12, 7, "tmux: (x) y"));
        assert!(parse_stat("12 (gone) Z 7 12").is_none());
    }
}

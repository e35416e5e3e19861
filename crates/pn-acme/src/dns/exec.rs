//! The presenter that runs a program as lego's `exec` provider does: `PROGRAM ARGS.. present|cleanup FQDN VALUE`, or
//! in raw mode `PROGRAM ARGS.. present|cleanup -- DOMAIN TOKEN KEYAUTH`. No shell, no inherited environment, one run
//! at a time, and an end to each.

use std::io::pipe;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::error::DnsError;
use super::presenter::{Change, DnsPresenter, TxtRecord};
use super::turn::turn_of;
use crate::storage::BoxFuture;

/// All that a program finds in its environment.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];
/// Longest run. Scripts that wait for a slow zone themselves take a minute or two.
const PATIENCE: Duration = Duration::from_secs(180);
/// What is kept of its output: enough for a stack trace's end.
const OUTPUT_BYTES: usize = 4 << 10;
/// How long its output is read once it has ended: a process that it left behind may hold it open.
const LINGER: Duration = Duration::from_secs(1);
/// Between two looks at whether it has ended; most close their output with their end, which is seen at once.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Exec {
    program: PathBuf,
    args: Vec<String>,
    raw: bool,
    patience: Duration,
    /// Scripts that edit a file are seldom made to run twice at once, for whichever issuer.
    turn: Arc<Mutex<()>>,
}

impl Exec {
    pub fn new(program: PathBuf, args: Vec<String>, raw: bool) -> Self {
        let turn = turn_of(&program.to_string_lossy());
        Self { program, args, raw, patience: PATIENCE, turn }
    }

    #[cfg(test)]
    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn run(&self, record: &TxtRecord, change: Change) -> Result<(), DnsError> {
        let fault = |reason: String| DnsError::Provider {
            provider: self.program.display().to_string(),
            action: change.verb(),
            fqdn: record.fqdn.clone(),
            reason,
        };
        let _turn = self.turn.lock().await;
        let mut command = self.command(record, change).map_err(fault)?;
        let cannot = |error| {
            fault(format!(
                "it cannot be started: {error}; check that it is there and executable for the proxy's user"
            ))
        };
        let mut running = Running::start(&mut command).map_err(cannot)?;
        // It holds the write end of the pipe, which would never end then.
        drop(command);
        let Ok(ended) = timeout(self.patience, running.watch()).await else {
            return Err(fault(format!(
                "it had not ended after {} s, and was killed",
                self.patience.as_secs()
            )));
        };
        match ended.map_err(|error| fault(error.to_string()))? {
            status if status.success() => Ok(()),
            status => Err(fault(running.said(status))),
        }
    }

    fn command(&self, record: &TxtRecord, change: Change) -> Result<Command, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).arg(change.lego());
        if self.raw {
            let raw = record.raw.as_ref().ok_or("it is called in raw mode, which is for dns-01 only")?;
            command.args(["--", &raw.domain, &raw.token, &raw.key_authorization]);
        } else {
            command.args([&record.fqdn, &record.value]);
        }
        command.env_clear().envs(ENVIRONMENT).process_group(0).stdin(Stdio::null());
        Ok(command)
    }
}

impl DnsPresenter for Exec {
    fn append<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.run(record, Change::Append))
    }

    fn remove<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.run(record, Change::Remove))
    }
}

/// A program that runs; dropping this ends it.
struct Running {
    child: Guarded,
    /// Both its outputs, as they come.
    pipe: Receiver,
    tail: Vec<u8>,
}

impl Running {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        let (ours, theirs) = pipe()?;
        let pipe = Receiver::from_owned_fd(ours.into())?;
        let child = Guarded(command.stdout(theirs.try_clone()?).stderr(theirs).spawn()?);
        Ok(Self { child, pipe, tail: Vec::new() })
    }

    /// Waits for its end, and keeps the end of what it prints.
    async fn watch(&mut self) -> std::io::Result<ExitStatus> {
        let mut reading = Box::pin(keep_tail(&mut self.pipe, &mut self.tail));
        let mut is_open = true;
        loop {
            if let Some(status) = self.child.0.try_wait()? {
                if is_open {
                    timeout(LINGER, reading).await.ok();
                }
                return Ok(status);
            }
            tokio::select! {
                () = &mut reading, if is_open => is_open = false,
                () = sleep(LOOK) => {}
            }
        }
    }

    fn said(&self, status: ExitStatus) -> String {
        let output = String::from_utf8_lossy(&self.tail);
        match output.trim() {
            "" => format!("{status}, and it printed nothing"),
            output => format!("{status}: {output}"),
        }
    }
}

/// A child that is ended when this is dropped, with whatever it started itself.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // One that has ended is waited for already, and its id may be another's.
        if let Ok(None) = self.0.try_wait() {
            group_of(&self.0).map(|group| kill_process_group(group, Signal::KILL));
            self.0.wait().ok();
        }
    }
}

/// It leads a process group of its own.
fn group_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

async fn keep_tail(from: &mut Receiver, kept: &mut Vec<u8>) {
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let excess = kept.len().saturating_sub(OUTPUT_BYTES);
        kept.drain(..excess);
    }
}

//! `hash-password`: never on the command line, where others can read it.

use crate::cli::HashPassword;
use crate::output;
use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Read, stdin};
use std::process::ExitCode;

/// bcrypt looks at no more of it, so that longer ones would be weaker than they look.
const BYTES: usize = 72;

pub(super) fn hash(options: &HashPassword) -> Result<ExitCode> {
    if options.user.as_ref().is_some_and(|user| user.is_empty() || user.contains(':')) {
        bail!("a user's name is not empty and holds no colon");
    }
    let password = if stdin().is_terminal() { asked_twice()? } else { line()? };
    if password.is_empty() {
        bail!("the password is empty");
    }
    if password.len() > BYTES {
        bail!("the password is longer than {BYTES} bytes, and bcrypt would ignore the rest");
    }
    let hash = bcrypt::hash(&password, options.cost).context("the password cannot be hashed")?;
    let name = options.user.as_ref().map(|user| format!("{user}:")).unwrap_or_default();
    output::print(&format!("{name}{hash}\n"));
    Ok(ExitCode::SUCCESS)
}

fn asked_twice() -> Result<String> {
    let first = asked("Password: ")?;
    let second = asked("Again: ")?;
    if first != second {
        bail!("the two are not the same");
    }
    Ok(first)
}

fn asked(prompt: &str) -> Result<String> {
    output::note(prompt);
    let _silence = Silence::new()?;
    let password = line();
    output::note("\n");
    password
}

fn line() -> Result<String> {
    let mut line = String::new();
    stdin().lock().take(4096).read_line(&mut line).context("no password could be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal shows nothing of what is typed for as long as this lives.
struct Silence(Termios);

impl Silence {
    fn new() -> Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        tcsetattr(stdin(), OptionalActions::Now, &self.0).unwrap_or_default();
    }
}

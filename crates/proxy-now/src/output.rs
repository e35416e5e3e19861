//! What goes to the terminal. A pipe that was closed (`| head`) ends the output, not the program in disorder.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Something was refused, or failed.
pub(crate) const FAILED: Code = Code(1);
/// The running process could not be reached.
pub(crate) const UNREACHABLE: Code = Code(3);

/// An exit code. 2, wrong usage, is clap's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(u8);

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        code.0.into()
    }
}

/// To standard output, as it is.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap_or_default();
}

/// To standard error, as it is.
pub(crate) fn note(text: &str) {
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).unwrap_or_default();
}

/// An error with its causes, each once: many name theirs already.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.is_empty() => cause,
        told if told.contains(&cause) => told,
        told => format!("{told}: {cause}"),
    })
}

pub(crate) fn error(message: &str) {
    let word = if coloured() { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    note(&format!("{word}: {message}\n"));
}

/// Whether standard error takes colours (<https://no-color.org>).
pub(crate) fn coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn each_cause_is_told_once() {
        let path = std::path::PathBuf::from("acme.json");
        let source = io::Error::other("permission denied");
        let named = pn_acme::exchange::ExchangeError::File { path, source };
        let plain = Err::<(), _>(io::Error::other("no room")).context("nothing was stored").unwrap_err();
        for (error, expected) in [
            (anyhow::Error::from(named), "`acme.json` cannot be read or written: permission denied"),
            (plain, "nothing was stored: no room"),
            (anyhow::anyhow!("alone"), "alone"),
        ] {
            assert_eq!(chain(&error), expected);
        }
    }
}

//! Which configuration a command line means: files, directories, standard input, or the places that are looked in when
//! none is named.

use anyhow::{Context, Result, bail};
use pn_config::{Format, Input};
use pn_model::limits::CONFIG_FILE_BYTES;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where a configuration is looked for, in this order.
const PLACES: [&str; 3] = ["proxy-now.toml", "/etc/proxy-now/proxy-now.toml", "/etc/proxy-now"];

/// The inputs, and how to call them.
pub(crate) struct Inputs {
    pub(crate) inputs: Vec<Input>,
    /// For messages: the paths as they were named.
    pub(crate) named: String,
}

impl Inputs {
    pub(crate) fn text(name: &str, text: String) -> Self {
        let input = Input::Text { name: name.to_owned(), text, format: Format::Auto };
        Self { inputs: vec![input], named: name.to_owned() }
    }

    /// With whole paths: a log is read elsewhere, and what is kept of the configuration is read from elsewhere.
    pub(crate) fn absolute(mut self) -> Self {
        for input in &mut self.inputs {
            if let Input::Path(path) = input {
                *path = std::path::absolute(&*path).unwrap_or_else(|_| path.clone());
            }
        }
        self
    }
}

/// `-` is standard input.
pub(crate) fn of(path: Option<&Path>) -> Result<Inputs> {
    match path {
        Some(path) if path == Path::new("-") => standard_input(),
        Some(path) => Ok(file(path)),
        None => match PLACES.iter().map(Path::new).find(|place| place.exists()) {
            Some(place) => Ok(file(place)),
            None => bail!(
                "no configuration: name a file or a directory, or write one of {}\n\nTwo lines are enough:\n\n  [sites.\"app.localhost\"]\n  to = \"http://127.0.0.1:3000\"\n\nOr see it work without any: proxy-now demo",
                PLACES.join(", ")
            ),
        },
    }
}

fn file(path: &Path) -> Inputs {
    Inputs { inputs: vec![Input::Path(path.to_owned())], named: path.display().to_string() }
}

fn standard_input() -> Result<Inputs> {
    let mut text = String::new();
    let taken = std::io::stdin().lock().take(CONFIG_FILE_BYTES + 1).read_to_string(&mut text);
    let length = taken.context("cannot read standard input")?;
    if length as u64 > CONFIG_FILE_BYTES {
        bail!("standard input is longer than {CONFIG_FILE_BYTES} bytes");
    }
    Ok(Inputs::text("standard input", text))
}

/// A variable of the environment, for `${env:NAME}`.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The system's place for the state of what root starts.
const SYSTEM_STATE: &str = "/var/lib/proxy-now";

/// Where certificates, keys and the last accepted configuration are kept: what was asked for, else the system's place
/// for what root starts (`by_root`, where it has become another user since) and the user's for others.
pub(crate) fn state_dir(asked: Option<&Path>, by_root: bool) -> Result<PathBuf> {
    let by_root = by_root || rustix::process::geteuid().is_root();
    place_of_state(asked, by_root, |name| std::env::var_os(name))
}

fn place_of_state(
    asked: Option<&Path>,
    by_root: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd's StateDirectory=; of several the first.
    if let Some(given) = env("STATE_DIRECTORY").and_then(|given| given.into_string().ok())
        && let Some(first) = given.split(':').next().filter(|first| !first.is_empty())
    {
        return Ok(PathBuf::from(first));
    }
    if by_root {
        return Ok(PathBuf::from(SYSTEM_STATE));
    }
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("proxy-now"))
        .context("there is neither HOME nor XDG_STATE_HOME: set `runtime.state-dir` or --state-dir")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_what_root_starts_is_the_systems_whoever_it_becomes() {
        let home: &[_] = &[("HOME", "/home/amy")];
        for (asked, by_root, env, expected) in [
            (Some("/x"), true, home, Some("/x")),
            (None, true, home, Some(SYSTEM_STATE)),
            (None, true, &[("HOME", "/root"), ("XDG_STATE_HOME", "/root/.state")], Some(SYSTEM_STATE)),
            (None, true, &[("STATE_DIRECTORY", "/run/a:/run/b")], Some("/run/a")),
            (None, false, home, Some("/home/amy/.local/state/proxy-now")),
            (None, false, &[("HOME", "/home/amy"), ("XDG_STATE_HOME", "/s")], Some("/s/proxy-now")),
            (None, false, &[("HOME", "relative")], None),
        ] {
            let found = place_of_state(asked.map(Path::new), by_root, |name| {
                env.iter().find(|(own, _)| *own == name).map(|(_, value)| OsString::from(value))
            });
            assert_eq!(found.ok().as_deref(), expected.map(Path::new), "{asked:?} {by_root} {env:?}");
        }
    }
}

//! Which configuration a command line means: files, directories, standard input, or the places that are looked in when
//! none is named.

use anyhow::{Context, Result, bail};
use pn_config::{Format, Input};
use pn_model::limits::CONFIG_FILE_BYTES;
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

/// Where certificates, keys and the last accepted configuration are kept: what was asked for, else the system's place
/// for root and the user's for others.
pub(crate) fn state_dir(asked: Option<&Path>) -> Result<PathBuf> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    // systemd's StateDirectory=; of several the first.
    if let Some(given) = std::env::var("STATE_DIRECTORY").ok().filter(|given| !given.is_empty()) {
        return Ok(PathBuf::from(given.split(':').next().unwrap_or_default()));
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/proxy-now"));
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("proxy-now"))
        .context("there is neither HOME nor XDG_STATE_HOME: set `runtime.state-dir` or --state-dir")
}

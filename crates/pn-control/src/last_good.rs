//! The last accepted configuration on disk, so that a start on broken files can fall back to it. Kept are the texts as
//! they were written: what `${env:}` and `${file:}` stand for is looked up again at the start and never stored. Texts
//! may hold secrets that somebody wrote out, so the file is its owner's alone.

use crate::candidate::Locate;
use crate::kept::input;
use pn_config::Input;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const FILE: &str = "last-good.json";
/// Of the file's shape; another one is not read.
const VERSION: u64 = 1;
/// All texts together; a configuration of this size is a mistake.
const BYTES: u64 = 256 << 20;

#[derive(Debug, Clone)]
pub struct LastGood {
    state_dir: PathBuf,
}

impl LastGood {
    /// To write, `state_dir` must be there already and its lock be held.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self { state_dir: state_dir.into() }
    }

    /// What was kept of these very inputs, as `Locate::keep` gave it. An error where it is of others: to serve them
    /// would be to serve a stranger's configuration.
    pub fn read_for(&self, inputs: &[Input]) -> io::Result<Value> {
        let kept = self.read()?;
        let of: Vec<Input> =
            kept.get("inputs").and_then(Value::as_array).into_iter().flatten().filter_map(input).collect();
        if of.len() == inputs.len() && of.iter().zip(inputs).all(|(kept, own)| same(kept, own)) {
            return Ok(kept);
        }
        let of: Vec<String> = of.iter().map(named).collect();
        Err(io::Error::other(format!(
            "it is of another configuration ({}); each instance needs a state directory of its own (`runtime.state-dir` or --state-dir)",
            of.join(", ")
        )))
    }

    /// What was kept, of whatever configuration.
    pub(crate) fn read(&self) -> io::Result<Value> {
        let mut text = String::new();
        File::open(self.path())?.take(BYTES).read_to_string(&mut text)?;
        let mut kept: Value = serde_json::from_str(&text)?;
        if kept.get("version").and_then(Value::as_u64) != Some(VERSION) {
            return Err(io::Error::other("it was written by another version"));
        }
        Ok(kept.get_mut("configuration").map(Value::take).unwrap_or_default())
    }

    pub fn path(&self) -> PathBuf {
        self.state_dir.join(FILE)
    }

    /// A failure is logged: not being able to fall back is no reason not to run.
    pub(crate) fn keep(&self, generation: u64, texts: &dyn Locate) {
        let Some(configuration) = texts.keep() else { return };
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let kept = json!({
            "version": VERSION,
            "generation": generation,
            "time": time,
            "configuration": configuration,
        });
        if let Err(error) = write(&self.path(), &kept.to_string()) {
            tracing::warn!(file = %self.path().display(), %error, "the accepted configuration was not kept");
        }
    }
}

/// By path, or by what the links on its way lead to now.
fn same(kept: &Input, own: &Input) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    match (kept, own) {
        (Input::Path(kept), Input::Path(own)) => {
            kept == own || real(kept).is_some_and(|kept| real(own) == Some(kept))
        }
        (Input::Text { name: kept, .. }, Input::Text { name: own, .. }) => kept == own,
        _ => false,
    }
}

fn named(input: &Input) -> String {
    match input {
        Input::Path(path) => path.display().to_string(),
        Input::Text { name, .. } => name.clone(),
    }
}

/// Whole or not at all: a crash leaves the old file.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("json.new");
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&draft, path)).inspect_err(|_| {
        // What a full disk took of it.
        std::fs::remove_file(&draft).unwrap_or_default();
    })
}

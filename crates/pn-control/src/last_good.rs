//! The last accepted configuration on disk, so that a start on broken files can fall back to it. Kept are the texts as
//! they were written: what `${env:}` and `${file:}` stand for is looked up again at the start and never stored. Texts
//! may hold secrets that somebody wrote out, so the file is its owner's alone.

use crate::candidate::Locate;
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
    /// `state_dir` is there already, and its lock is held.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self { state_dir: state_dir.into() }
    }

    /// What was kept, as `Locate::keep` gave it.
    pub fn read(&self) -> io::Result<Value> {
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

/// Whole or not at all: a crash leaves the old file.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("json.new");
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

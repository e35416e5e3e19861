//! A configuration's texts as they were read, and reading them again in place of the disk. What is kept is the files of
//! the configuration alone: secrets and certificates are read from the disk as they are then.

use pn_config::{Disk, FileSystem, Format, Input, Loaded, PathKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Texts and listings that stand in for the disk's.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) files: Files,
    directories: BTreeMap<PathBuf, Vec<String>>,
}

impl Kept {
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let files = value.get("files")?.as_object()?.iter();
        let directories = value.get("directories")?.as_object()?.iter();
        Some(Self {
            files: files
                .map(|(path, content)| Some((PathBuf::from(path), text(content)?.into_bytes())))
                .collect::<Option<_>>()?,
            directories: directories
                .map(|(path, names)| {
                    let names = names.as_array()?.iter().map(text).collect::<Option<_>>()?;
                    Some((PathBuf::from(path), names))
                })
                .collect::<Option<_>>()?,
        })
    }
}

/// The configuration files as they were read, by the paths they were read by. Secrets are not among them. Paths that are
/// not UTF-8 cannot be kept.
pub(crate) fn keep(inputs: &[Input], loaded: &Loaded, read: &Files) -> Value {
    let secrets: HashSet<&PathBuf> = loaded.secrets.iter().collect();
    let files: HashSet<&PathBuf> = loaded.files.iter().filter(|path| !secrets.contains(path)).collect();
    let own = |path: &&PathBuf| files.contains(path);
    let file = |path: &PathBuf| {
        let text = std::str::from_utf8(read.get(path)?).ok()?;
        Some((path.to_str()?.to_owned(), json!(text)))
    };
    let names = |directory: &PathBuf| {
        let within = loaded.files.iter().filter(|file| file.parent() == Some(directory));
        let names: Vec<_> = within.filter_map(|file| file.file_name()?.to_str()).collect();
        Some((directory.to_str()?.to_owned(), json!(names)))
    };
    json!({
        "inputs": inputs.iter().map(input_json).collect::<Vec<_>>(),
        "files": read.keys().filter(own).filter_map(file).collect::<serde_json::Map<_, _>>(),
        "directories": loaded.directories.iter().filter_map(names).collect::<serde_json::Map<_, _>>(),
    })
}

fn input_json(input: &Input) -> Value {
    match input {
        Input::Path(path) => json!({ "path": path.to_string_lossy() }),
        Input::Text { name, text, .. } => json!({ "name": name, "text": text }),
    }
}

pub(crate) fn input(value: &Value) -> Option<Input> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    match text("path") {
        Some(path) => Some(Input::Path(path.into())),
        None => Some(Input::Text { name: text("name")?, text: text("text")?, format: Format::Auto }),
    }
}

/// The disk, with kept texts before it, and a memory of what was read.
pub(crate) struct Recorder<'a> {
    kept: &'a Kept,
    read: Mutex<Files>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(kept: &'a Kept) -> Self {
        Self { kept, read: Mutex::default() }
    }

    pub(crate) fn into_read(self) -> Files {
        self.read.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileSystem for Recorder<'_> {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = match self.kept.files.get(path) {
            Some(bytes) => bytes.clone(),
            None => Disk.read(path, limit)?,
        };
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        match (self.kept.files.contains_key(path), self.kept.directories.contains_key(path)) {
            (true, _) => Ok(PathKind::File),
            (_, true) => Ok(PathKind::Directory),
            _ => Disk.kind(path),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.kept.directories.get(path).map_or_else(|| Disk.list(path), |names| Ok(names.clone()))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        if self.kept.files.contains_key(path) { Ok(path.to_owned()) } else { Disk.canonical(path) }
    }
}

impl fmt::Debug for Recorder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

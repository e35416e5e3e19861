//! Tests of the whole way from text to findings and effective values, on a file system in memory.

mod inheritance;
mod inputs;
mod reading;
mod schema;
mod syntax;
mod values;

use crate::load::Front;
use crate::{FileSystem, Format, Input, LoadOptions, Loaded, PathKind, load};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Files by path; a path that others lie under is a directory.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect())
    }
}

impl FileSystem for Memory {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(&self.canonical(path)?).ok_or(io::ErrorKind::IsADirectory)?;
        if bytes == b"denied" {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if bytes.len() as u64 > limit || bytes == b"huge" {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.clone())
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        let path = self.canonical(path)?;
        Ok(if self.0.contains_key(&path) { PathKind::File } else { PathKind::Directory })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let path = self.canonical(path)?;
        let names = self.0.keys().filter_map(|file| file.strip_prefix(&path).ok()?.components().next());
        let mut names: Vec<_> = names.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        names.dedup();
        Ok(names)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let mut out = PathBuf::new();
        for part in path.components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir => drop(out.pop()),
                part => out.push(part),
            }
        }
        if self.0.keys().any(|file| file.starts_with(&out)) {
            Ok(out)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

pub(crate) fn load_text(text: &str) -> Loaded {
    let input = Input::Text { name: "t.toml".to_owned(), text: text.to_owned(), format: Format::Auto };
    load_with(&Memory::default(), &[input], false)
}

pub(crate) fn load_files(files: &[(&str, &str)], inputs: &[&str]) -> Loaded {
    let inputs: Vec<_> = inputs.iter().map(|path| Input::Path(PathBuf::from(path))).collect();
    load_with(&Memory::of(files), &inputs, false)
}

/// Snippets do without a site.
pub(crate) fn load_with(fs: &Memory, inputs: &[Input], offline: bool) -> Loaded {
    let mut loaded = load(inputs, &options(fs, offline));
    loaded.diagnostics.retain(|found| found.code != "nothing-served");
    if !offline && !loaded.has_errors() {
        loaded.model = loaded.partial.clone();
    }
    loaded
}

/// Without lowering, so that a test sees only what reading, schema and inheritance find.
fn front(fs: &Memory, input: Input, offline: bool) -> Loaded {
    let options = options(fs, offline);
    Front::new(&[input], &options).finish(None, &options)
}

fn front_text(text: &str) -> Loaded {
    let input = Input::Text { name: "t.toml".to_owned(), text: text.to_owned(), format: Format::Auto };
    front(&Memory::default(), input, false)
}

fn front_files(files: &[(&str, &str)], input: &str) -> Loaded {
    front(&Memory::of(files), Input::Path(PathBuf::from(input)), false)
}

fn options(fs: &Memory, offline: bool) -> LoadOptions<'_> {
    let env = &|name: &str| (name != "UNSET").then(|| format!("env-of-{name}"));
    LoadOptions { offline, strict: false, env, fs }
}

/// The findings, one a line: `file:line:column severity code: message (help) [file:line:column label]`.
pub(crate) fn findings(loaded: &Loaded) -> String {
    let mut out = String::new();
    for found in &loaded.diagnostics {
        let mut labels = found.labels.iter();
        let place =
            |span| loaded.sources.place(span).map_or_else(|| "-".to_owned(), |place| place.to_string());
        let first = labels.next().map_or_else(|| "-".to_owned(), |label| place(label.span));
        out.push_str(&format!("{first} {:?} {}: {}", found.severity, found.code, found.message));
        if let Some(help) = &found.help {
            out.push_str(&format!(" ({help})"));
        }
        labels.for_each(|label| out.push_str(&format!(" [{} {}]", place(label.span), label.text)));
        out.push('\n');
    }
    out
}

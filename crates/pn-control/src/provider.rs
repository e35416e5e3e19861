//! The file provider: files, directories and texts by `pn-config`, with all that the control plane wants to know of
//! them. Also reads a configuration that was kept (`--last-good`).

use crate::candidate::{Candidate, Finding, Inputs, Loading, Locate, Place, Provider, Severity};
use pn_config::{Diagnostic, Disk, FileSystem, Format, Input, Label, LoadOptions, Loaded, PathKind};
use pn_model::site::{CertificateFiles, CertificateSource, PemSource};
use pn_model::{MiddlewareKind, Model, NodePath, limits};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Looks up a variable of the environment.
pub type Environment = fn(&str) -> Option<String>;

#[derive(Debug)]
pub struct FileProvider {
    inputs: Vec<Input>,
    env: Environment,
    /// Texts that stand in for the files of these paths.
    kept: Kept,
}

impl FileProvider {
    pub fn new(inputs: Vec<Input>, env: Environment) -> Self {
        Self { inputs, env, kept: Kept::default() }
    }

    /// Reads what [`Locate::keep`] gave. Environment, secrets and certificates are read as they are now.
    pub fn kept(value: &Value, env: Environment) -> Option<Self> {
        let inputs = value.get("inputs")?.as_array()?.iter().map(input).collect::<Option<_>>()?;
        Some(Self { inputs, env, kept: Kept::from_json(value)? })
    }

    fn read_through(&self, fs: &Recorder<'_>) -> Loaded {
        pn_config::load(&self.inputs, &LoadOptions { offline: false, strict: false, env: &self.env, fs })
    }
}

impl Provider for FileProvider {
    fn load(&self) -> Loading {
        let recorder = Recorder::new(&self.kept);
        let mut loaded = self.read_through(&recorder);
        let model = loaded.model.take();
        loaded.partial = None;
        let mut inputs = inputs(&loaded, model.as_ref());
        // What was kept is not what a file says now.
        inputs.watch &= self.kept.files.is_empty();
        let found = findings(&loaded);
        let Some(model) = model else { return Loading { inputs, outcome: Err(found) } };
        let read = recorder.into_read();
        let content = content(&self.inputs, &read, &named_files(&model));
        let texts = Texts { kept: keep(&self.inputs, &loaded, &read), loaded };
        let candidate =
            Candidate { model: Arc::new(model), warnings: found, content, texts: Arc::new(texts) };
        Loading { inputs, outcome: Ok(candidate) }
    }
}

/// The findings of a load, errors first.
pub fn findings(loaded: &Loaded) -> Vec<Finding> {
    loaded.diagnostics.iter().map(|diagnostic| finding(loaded, diagnostic, String::new())).collect()
}

fn finding(loaded: &Loaded, diagnostic: &Diagnostic, node: String) -> Finding {
    let place = diagnostic.labels.first().and_then(|label| loaded.sources.place(label.span));
    Finding {
        severity: match diagnostic.severity {
            pn_config::Severity::Error => Severity::Error,
            pn_config::Severity::Warning => Severity::Warning,
        },
        code: diagnostic.code.to_owned(),
        message: diagnostic.message.clone(),
        place: place.map(|place| Place { file: place.file, line: place.line, column: place.column }),
        node,
        help: diagnostic.help.clone(),
        rendered: pn_config::render::text(std::slice::from_ref(diagnostic), &loaded.sources, false)
            .trim_end()
            .to_owned(),
    }
}

/// The texts of one load.
#[derive(Debug)]
struct Texts {
    loaded: Loaded,
    kept: Value,
}

impl Locate for Texts {
    fn finding(&self, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding {
        let span = self.loaded.span(at).filter(|span| self.loaded.sources.place(*span).is_some());
        let node = at.to_string();
        let diagnostic = Diagnostic {
            severity: match severity {
                Severity::Error => pn_config::Severity::Error,
                Severity::Warning => pn_config::Severity::Warning,
            },
            code: "refused",
            // Where nobody wrote the value, its path has to say what is meant.
            message: if span.is_none() && !node.is_empty() {
                format!("{node}: {message}")
            } else {
                message.to_owned()
            },
            labels: span.map(|span| Label { span, text: String::new() }).into_iter().collect(),
            help: help.map(str::to_owned),
        };
        finding(&self.loaded, &diagnostic, node)
    }

    fn effective(&self) -> Option<Value> {
        Some(self.loaded.effective())
    }

    fn keep(&self) -> Option<Value> {
        Some(self.kept.clone())
    }
}

fn inputs(loaded: &Loaded, model: Option<&Model>) -> Inputs {
    let mut files = loaded.files.clone();
    files.extend(loaded.secrets.iter().cloned());
    files.extend(model.map(named_files).unwrap_or_default());
    files.sort();
    files.dedup();
    Inputs { files, directories: loaded.directories.clone(), watch: loaded.watches_files() }
}

/// Files that keys of the model name, and that are read when its graph is built.
fn named_files(model: &Model) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pem = |source: &PemSource| {
        if let PemSource::File(path) = source {
            files.push(path.clone());
        }
    };
    let pairs = |pairs: &[CertificateFiles], pem: &mut dyn FnMut(&PemSource)| {
        for pair in pairs {
            pem(&pair.cert);
            pem(&pair.key);
        }
    };
    for site in model.sites.values() {
        if let CertificateSource::Files(files) = &site.certificate {
            pairs(files, &mut pem);
        }
    }
    for auth in model.tls_policies.values().filter_map(|policy| policy.client_auth.as_ref()) {
        auth.roots.iter().chain(&auth.crls).for_each(&mut pem);
    }
    for transport in model.transports.values() {
        transport.roots.iter().for_each(&mut pem);
        pairs(transport.client_certificate.as_slice(), &mut pem);
    }
    for middleware in model.middlewares.values() {
        if let MiddlewareKind::BasicAuth(auth) = &middleware.kind {
            files.extend(auth.users_file.clone());
        }
    }
    files
}

/// Stands for the content of everything that the configuration is made of.
fn content(inputs: &[Input], read: &Files, named: &[PathBuf]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut add = |name: &[u8], bytes: &[u8]| {
        for part in [name, bytes] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
    };
    for input in inputs {
        if let Input::Text { name, text, .. } = input {
            add(name.as_bytes(), text.as_bytes());
        }
    }
    for (path, bytes) in read {
        add(path.as_os_str().as_encoded_bytes(), bytes);
    }
    for path in named {
        let bytes = Disk.read(path, limits::USERS_FILE_BYTES).unwrap_or_default();
        add(path.as_os_str().as_encoded_bytes(), &bytes);
    }
    hasher.finalize().into()
}

// === what is kept ===

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Texts and listings that stand in for the disk's.
#[derive(Debug, Default)]
struct Kept {
    files: Files,
    directories: BTreeMap<PathBuf, Vec<String>>,
}

impl Kept {
    fn from_json(value: &Value) -> Option<Self> {
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
fn keep(inputs: &[Input], loaded: &Loaded, read: &Files) -> Value {
    let own = |path: &&PathBuf| loaded.files.contains(path) && !loaded.secrets.contains(path);
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

fn input(value: &Value) -> Option<Input> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    match text("path") {
        Some(path) => Some(Input::Path(path.into())),
        None => Some(Input::Text { name: text("name")?, text: text("text")?, format: Format::Auto }),
    }
}

/// The disk, with kept texts before it, and a memory of what was read.
struct Recorder<'a> {
    kept: &'a Kept,
    read: Mutex<Files>,
}

impl<'a> Recorder<'a> {
    fn new(kept: &'a Kept) -> Self {
        Self { kept, read: Mutex::default() }
    }

    fn into_read(self) -> Files {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env(_: &str) -> Option<String> {
        None
    }

    fn load(provider: &FileProvider) -> Candidate {
        provider.load().outcome.unwrap()
    }

    #[test]
    fn what_was_kept_reads_the_same_when_the_files_are_broken() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("conf");
        std::fs::create_dir_all(root.join("more")).unwrap();
        std::fs::write(root.join("a.toml"), "include = [\"more/*.toml\"]\n[logs]\nlevel = \"debug\"\n")
            .unwrap();
        std::fs::write(root.join("more/b.toml"), "[issuers.lan]\ninternal-ca = { lifetime = \"2d\" }\n")
            .unwrap();
        let provider = FileProvider::new(vec![Input::Path(root.clone())], no_env);
        let first = load(&provider);
        assert_eq!(load(&provider).content, first.content, "the same files are the same content");
        let kept = first.texts.keep().unwrap();
        std::fs::write(root.join("a.toml"), "[[[broken").unwrap();
        std::fs::write(root.join("more/c.toml"), "also broken").unwrap();
        let broken = provider.load();
        assert!(
            broken.inputs.watch && broken.inputs.files.contains(&root.join("a.toml")),
            "{:?}",
            broken.inputs
        );
        let found = broken.outcome.unwrap_err();
        assert!(
            found.iter().any(|finding| finding.place.as_ref().is_some_and(|place| place.line == 1)),
            "{found:?}"
        );
        let stand_in = load(&FileProvider::kept(&kept, no_env).unwrap());
        assert_eq!(stand_in.model, first.model);
    }

    #[test]
    fn secrets_are_looked_up_again_and_never_kept() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "hunter2").unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(
            &file,
            "[services.a]\nrespond = { status = 200, body = \"${file:token}\" }\n[sites.\"a.localhost\"]\nto = \"a\"\n",
        )
        .unwrap();
        let provider = FileProvider::new(vec![Input::Path(file)], no_env);
        let loading = provider.load();
        assert!(loading.inputs.files.contains(&dir.path().join("token")), "{:?}", loading.inputs);
        let first = loading.outcome.unwrap();
        let kept = first.texts.keep().unwrap().to_string();
        assert!(kept.contains("${file:token}") && !kept.contains("hunter2"), "{kept}");
        std::fs::write(dir.path().join("token"), "hunter3").unwrap();
        assert_ne!(load(&provider).content, first.content, "a changed secret is a change");
    }

    #[test]
    fn findings_of_later_stages_lead_to_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(&file, "[logs]\nlevel = \"debug\"\n").unwrap();
        let texts = load(&FileProvider::new(vec![Input::Path(file.clone())], no_env)).texts;
        for (at, line) in [(["logs", "level"], Some(2)), (["listeners", "web"], None)] {
            let found = texts.finding(Severity::Error, &NodePath::of(at), "does not do", Some("do it"));
            assert_eq!(
                found.place.map(|place| (place.file, place.line)),
                line.map(|line| (file.display().to_string(), line))
            );
            assert!(
                found.rendered.contains("does not do") && found.rendered.contains("do it"),
                "{}",
                found.rendered
            );
        }
    }
}

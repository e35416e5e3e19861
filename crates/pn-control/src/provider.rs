//! The file provider: files, directories and texts by `pn-config`, with all that the control plane wants to know of
//! them. Also reads a configuration that was kept (`--last-good`).

use crate::candidate::{Candidate, Inputs, Loading, Provider};
use crate::kept::{Files, Kept, Recorder, input, keep};
use crate::texts::{KeptTexts, Texts, findings};
use pn_config::{Disk, FileSystem, Input, LoadOptions, Loaded};
use pn_model::site::{CertificateFiles, CertificateSource, PemSource};
use pn_model::{MiddlewareKind, Model, limits};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;

/// Looks up a variable of the environment.
pub type Environment = fn(&str) -> Option<String>;

#[derive(Debug)]
pub struct FileProvider {
    inputs: Vec<Input>,
    env: Environment,
    /// Texts that stand in for the files of these paths.
    pub(crate) kept: Kept,
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

    pub(crate) fn read_through(&self, fs: &Recorder<'_>) -> Loaded {
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
        let (found, runtime) = (findings(&loaded), loaded.runtime.clone());
        let Some(model) = model else { return Loading { inputs, runtime, outcome: Err(found) } };
        let read = recorder.into_read();
        let content = content(&self.inputs, &read, &named_files(&model));
        let kept = KeptTexts { value: Arc::new(keep(&self.inputs, &loaded, &read)), env: self.env };
        let texts = Texts { kept, loaded };
        let candidate =
            Candidate { model: Arc::new(model), warnings: found, content, texts: Arc::new(texts) };
        Loading { inputs, runtime, outcome: Ok(candidate) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Severity;
    use pn_model::NodePath;

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
        std::fs::write(root.join("a.toml"), "include = [\"more/*.toml\"]\n[sites.\"a.localhost\"]\nto = \"@ping\"\n[logs]\nlevel = \"debug\"\n")
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
        let text = "[logs]\nlevel = \"debug\"\n[sites.\"a.localhost\"]\nto = \"@ping\"\n";
        std::fs::write(&file, text).unwrap();
        let texts = load(&FileProvider::new(vec![Input::Path(file.clone())], no_env)).texts;
        let light = texts.lighten().unwrap();
        assert_eq!(light.effective(), texts.effective());
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

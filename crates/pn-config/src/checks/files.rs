//! Files that the running proxy will read: there, readable, and what they should be.

use super::{certificates, pem};
use crate::diagnostic::Diagnostic;
use crate::htpasswd;
use crate::lower::{Context, FileUse, FileWhat};
use crate::value::Span;
use crate::{fs, load::LoadOptions};
use pn_model::limits::{PEM_FILE_BYTES, USERS_FILE_BYTES};
use pn_model::site::{CertificateFiles, PemSource};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) fn run(cx: &mut Context<'_>) {
    if cx.around.options.offline {
        return;
    }
    let uses = std::mem::take(&mut cx.files);
    let mut checker = Checker {
        secret: false,

        options: cx.around.options,
        now: SystemTime::now(),
        pairs: HashMap::new(),
        out: Vec::new(),
    };
    uses.iter().for_each(|one| checker.check(one));
    let mut seen = HashSet::new();
    for diagnostic in checker.out {
        if seen.insert((
            diagnostic.code,
            diagnostic.message.clone(),
            diagnostic.labels.first().map(|label| label.span),
        )) {
            cx.push(diagnostic);
        }
    }
}

struct Checker<'a> {
    /// Whether the path at hand must not be shown.
    secret: bool,
    options: &'a LoadOptions<'a>,
    now: SystemTime,
    /// Certificates by their files: many sites may share one.
    pairs: HashMap<(PathBuf, PathBuf), Option<certificates::Leaf>>,
    out: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn check(&mut self, one: &FileUse) {
        self.secret = one.secret;
        match &one.what {
            FileWhat::Pair(pair, key_at, hosts) => {
                let leaf = match (&pair.cert, &pair.key) {
                    (PemSource::File(cert), PemSource::File(key)) => {
                        let at = (cert.clone(), key.clone());
                        match self.pairs.get(&at) {
                            Some(known) => known.clone(),
                            None => {
                                let leaf = self.leaf(pair, one.span, *key_at);
                                self.pairs.insert(at, leaf.clone());
                                leaf
                            }
                        }
                    }
                    _ => self.leaf(pair, one.span, *key_at),
                };
                if let Some(leaf) = leaf {
                    let found = certificates::judge(&leaf, hosts, self.now);
                    self.out.extend(found.into_iter().map(|diagnostic| diagnostic.at(one.span, "")));
                }
            }
            FileWhat::Roots(source) => self.pem(source, one.span, pem::roots),
            FileWhat::Revocations(source) => self.pem(source, one.span, pem::revocations),
            FileWhat::Users(path) => self.users(path, one.span),
        }
    }

    /// The leaf of a chain whose key fits it.
    fn leaf(&mut self, pair: &CertificateFiles, cert_at: Span, key_at: Span) -> Option<certificates::Leaf> {
        let chain = self.bytes(&pair.cert, cert_at);
        let key = self.bytes(&pair.key, key_at);
        match certificates::load(&chain?, &key?) {
            Ok(leaf) => Some(leaf),
            Err(error) => {
                let span = if error.is_of_key() { key_at } else { cert_at };
                let found = Diagnostic::error(error.code(), error.to_string()).at(span, "");
                self.out.push(found.help(error.help()));
                None
            }
        }
    }

    fn pem(&mut self, source: &PemSource, span: Span, check: fn(&[u8]) -> Result<(), String>) {
        let Some(bytes) = self.bytes(source, span) else { return };
        if let Err(wrong) = check(&bytes) {
            self.error("invalid-certificate", span, wrong, "the file holds PEM (`-----BEGIN ..-----`)");
        }
    }

    fn users(&mut self, path: &Path, span: Span) {
        let Some(bytes) = self.read(path, USERS_FILE_BYTES, span) else { return };
        let Ok(text) = String::from_utf8(bytes) else {
            return self.error(
                "invalid-users",
                span,
                format!("`{}` is not UTF-8", path.display()),
                "save it as UTF-8",
            );
        };
        let lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let mut names = HashSet::new();
        for (index, line) in lines {
            let place = format!("line {} of `{}`", index + 1, path.display());
            match htpasswd::user(line.trim()) {
                Ok(name) if !names.insert(name.to_owned()) => {
                    self.error(
                        "duplicate-user",
                        span,
                        format!("{place}: this user was there before"),
                        "keep one line",
                    );
                }
                Ok(_) => {}
                Err(wrong) => self.error(wrong.code(), span, format!("{place}: {wrong}"), wrong.help()),
            }
        }
        if names.is_empty() {
            self.error(
                "invalid-users",
                span,
                format!("`{}` names no user", path.display()),
                "nobody would get in",
            );
        }
    }

    fn bytes(&mut self, source: &PemSource, span: Span) -> Option<Vec<u8>> {
        match source {
            PemSource::File(path) => self.read(path, PEM_FILE_BYTES, span),
            PemSource::Inline(text) => Some(text.expose().as_bytes().to_vec()),
        }
    }

    fn read(&mut self, path: &Path, limit: u64, span: Span) -> Option<Vec<u8>> {
        match self.options.fs.read(path, limit) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let (reason, help) = fs::explain(&error, limit);
                let help = format!("{help}; `check --offline` skips it");
                let shown = if self.secret { "***".to_owned() } else { path.display().to_string() };
                self.error("missing-file", span, format!("cannot read `{shown}`: {reason}"), &help);
                None
            }
        }
    }

    fn error(&mut self, code: &'static str, span: Span, message: String, help: &str) {
        self.out.push(Diagnostic::error(code, message).at(span, "").help(help));
    }
}

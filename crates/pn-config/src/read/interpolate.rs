//! `${env:NAME}` and `${file:PATH}` in strings. What comes so is a secret.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::fs;
use crate::load::LoadOptions;
use crate::sources::Sources;
use crate::value::{Kind, Span, Table, Value};
use pn_model::Secret;
use pn_model::limits::SECRET_BYTES;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Interpolation<'a> {
    options: &'a LoadOptions<'a>,
    sources: &'a Sources,
    out: &'a mut Diagnostics,
    /// Files that were read, for watching.
    pub secrets: Vec<PathBuf>,
    /// What came out of all sources.
    pub fetched: Vec<Secret>,
}

enum Source<'t> {
    Environment(&'t str),
    File(&'t str),
}

impl<'a> Interpolation<'a> {
    pub(super) fn new(options: &'a LoadOptions<'a>, sources: &'a Sources, out: &'a mut Diagnostics) -> Self {
        Self { options, sources, out, secrets: Vec::new(), fetched: Vec::new() }
    }

    pub(super) fn table(&mut self, table: &mut Table) {
        table.iter_mut().for_each(|(_, entry)| self.value(&mut entry.value));
    }

    fn value(&mut self, value: &mut Value) {
        match &mut value.kind {
            Kind::Table(table) => self.table(table),
            Kind::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Kind::String(text) if text.contains("${") => {
                let text = Arc::clone(text);
                self.string(value, &text);
            }
            _ => {}
        }
    }

    fn string(&mut self, value: &mut Value, text: &str) {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            }
            out.push_str(before);
            let Some((inner, tail)) = after.split_once('}') else {
                out.push_str("${");
                rest = after;
                continue;
            };
            match self.source(inner, value.span) {
                Some(source) => {
                    value.secret = true;
                    match self.fetch(&source, value.span) {
                        Some(text) => {
                            out.push_str(&text);
                            self.fetched.push(Secret::new(text));
                        }
                        // What was written stays, for one stand-in to be told from another.
                        None => {
                            out.push_str(&format!("${{{inner}}}"));
                            value.absent = true;
                        }
                    }
                    rest = tail;
                }
                None => {
                    out.push_str("${");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        value.kind = Kind::String(Arc::from(out));
    }

    /// `None`: not an interpolation, such as the `${name}` of a regex's replacement.
    fn source<'t>(&mut self, inner: &'t str, span: Span) -> Option<Source<'t>> {
        let (scheme, name) = inner.split_once(':')?;
        match scheme {
            "env" => Some(Source::Environment(name)),
            "file" => Some(Source::File(name)),
            _ => {
                let message = format!("`${{{scheme}:}}` is no source of values");
                let help =
                    "use `${env:NAME}` or `${file:PATH}`, or write `$${` for the characters themselves";
                self.out.push(Diagnostic::error("interpolation", message).at(span, "").help(help));
                None
            }
        }
    }

    /// `None`: not there, which is an error unless the run is offline.
    fn fetch(&mut self, source: &Source<'_>, span: Span) -> Option<String> {
        if self.options.offline {
            return None;
        }
        match source {
            Source::Environment(name) => self.environment(name, span),
            Source::File(path) => self.file(path, span),
        }
    }

    fn environment(&mut self, name: &str, span: Span) -> Option<String> {
        let found = (self.options.env)(name);
        if found.is_none() {
            let message = format!("the environment variable `{name}` is not set");
            let help = format!(
                "set it where proxy-now starts (`{name}=.. proxy-now ..`); `check --offline` skips it"
            );
            self.out
                .push(Diagnostic::error("missing-variable", message).at(span, "asked for here").help(help));
        }
        found
    }

    fn file(&mut self, path: &str, span: Span) -> Option<String> {
        let base = self.sources.get(span.file).map(|source| source.base.clone()).unwrap_or_default();
        let path = base.join(path);
        self.secrets.push(path.clone());
        let text = match self.options.fs.read(&path, SECRET_BYTES) {
            Ok(bytes) => {
                String::from_utf8(bytes).map_err(|_| ("it is not UTF-8".to_owned(), "check the file"))
            }
            Err(error) => Err(fs::explain(&error, SECRET_BYTES)),
        };
        match text {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
            }
            Err((reason, help)) => {
                let message = format!("cannot read the secret `{}`: {reason}", path.display());
                let help = format!("{help}; `check --offline` skips it");
                self.out
                    .push(Diagnostic::error("missing-secret", message).at(span, "asked for here").help(help));
                None
            }
        }
    }
}

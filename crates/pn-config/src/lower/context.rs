//! What every part of lowering works with: the tree, the model so far, references and the way to report.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::load::LoadOptions;
use crate::parse::Invalid;
use crate::resolved::{Node, Resolved, Section};
use crate::schema::suggest::nearest;
use crate::sources::Sources;
use crate::value::{Span, Table, Value};
use pn_model::listener::BindAddress;
use pn_model::site::{CertificateFiles, PemSource};
use pn_model::{HostPattern, MiddlewareName, Model, Secret, SiteName};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) struct Context<'a> {
    pub(crate) resolved: &'a Resolved,
    pub(crate) around: Surroundings<'a>,
    pub(crate) model: Model,
    /// Named nodes that something refers to.
    pub(crate) used: HashSet<(Section, Arc<str>)>,
    /// Who owns a host pattern, and where it was said.
    pub(crate) hosts: BTreeMap<HostPattern, (SiteName, Span)>,
    /// Middlewares of each site itself.
    pub(crate) site_use: BTreeMap<SiteName, Vec<MiddlewareName>>,
    /// Every address that is listened on.
    pub(crate) bound: Vec<(BindAddress, String, Span)>,
    /// Files that the running proxy will read.
    pub(crate) files: Vec<FileUse>,
    out: &'a mut Diagnostics,
}

/// What lies outside the tree.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) options: &'a LoadOptions<'a>,
}

/// A file that a key names, or the text that stands for one.
pub(crate) struct FileUse {
    pub(crate) what: FileWhat,
    pub(crate) span: Span,
    /// The path came from a secret place, and may be what was meant to be the text.
    pub(crate) secret: bool,
}

pub(crate) enum FileWhat {
    /// With the place of its key, and the hosts that it must cover; none for client certificates.
    Pair(CertificateFiles, Span, Vec<HostPattern>),
    Roots(PemSource),
    Revocations(PemSource),
    Users(PathBuf),
}

impl<'a> Context<'a> {
    pub(super) fn new(resolved: &'a Resolved, around: Surroundings<'a>, out: &'a mut Diagnostics) -> Self {
        Self {
            resolved,
            around,
            model: Model::default(),
            used: HashSet::new(),
            hosts: BTreeMap::new(),
            site_use: BTreeMap::new(),
            bound: Vec::new(),
            files: Vec::new(),
            out,
        }
    }

    // === reporting ===

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// Whether the model will not run, so that what it lacks may be filled in with something harmless.
    pub(crate) fn has_errors(&self) -> bool {
        self.out.has_errors()
    }

    pub(crate) fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: &str) {
        self.out.push(helped(Diagnostic::error(code, message).at(span, ""), help));
    }

    pub(crate) fn warn(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: &str) {
        self.out.push(helped(Diagnostic::warning(code, message).at(span, ""), help));
    }

    /// A scalar that its parser refused. Secrets are not repeated; of what only stands in for a value all was said.
    pub(crate) fn invalid(&mut self, code: &'static str, value: &Value, error: Invalid) {
        if value.absent {
            return;
        }
        let span = error.at.as_ref().and_then(|at| part(value, at)).unwrap_or(value.span);
        let diagnostic = if value.secret {
            Diagnostic::error(code, "this value is refused; it is secret and not shown").at(span, "")
        } else {
            helped(Diagnostic::error(code, error.message).at(span, ""), &error.help.unwrap_or_default())
        };
        self.out.push(diagnostic);
    }

    /// The value of a key by its parser; `None` when it is absent or was refused.
    pub(crate) fn scalar<T>(
        &mut self,
        table: &Table,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        self.parsed(table.get(key)?, parse)
    }

    pub(crate) fn parsed<T>(
        &mut self,
        value: &Value,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        match parse(value.as_str()?) {
            Ok(parsed) => Some(parsed),
            // What is not there is taken for something that its parser likes, so that nothing else goes missing.
            Err(_) if value.absent => {
                ["x", "/x", "https://stand-in.invalid/"].into_iter().find_map(|text| parse(text).ok())
            }
            Err(error) => {
                self.invalid("invalid-value", value, error);
                None
            }
        }
    }

    /// Every element of a list by its parser; those that are refused are left out.
    pub(crate) fn scalars<T>(
        &mut self,
        table: &Table,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Vec<T> {
        table.items(key).iter().filter_map(|item| self.parsed(item, &parse)).collect()
    }

    // === references ===

    /// Whether the node that a value names can be referred to; says why not.
    pub(crate) fn refer(&mut self, section: Section, value: &Value) -> bool {
        let Some(name) = value.as_str() else { return false };
        if let Some(node) = self.resolved.get(section, name) {
            self.used.insert((section, Arc::clone(&node.name)));
            return true;
        }
        let (wanted, shown) = (one(section), if value.secret { "***" } else { name });
        if let Some(parent) = self.resolved.abstract_span(section, name) {
            let message = format!("the {wanted} `{shown}` is abstract");
            let found = Diagnostic::error("abstract-reference", message).at(value.span, "referred to here");
            self.push(found.at(parent, "only a parent").help("name one that extends it"));
            return false;
        }
        let other = Section::ALL.into_iter().find(|&other| self.resolved.get(other, name).is_some());
        let names = self.resolved.of(section).map(|node| &*node.name);
        let near = nearest(name, names).filter(|_| !value.secret).map(Arc::<str>::from);
        let found = match other {
            Some(other) => {
                let message = format!("`{shown}` is {}, not {}", article(one(other)), article(wanted));
                Diagnostic::error("wrong-kind", message)
            }
            None => Diagnostic::error("unknown-reference", format!("there is no {wanted} `{shown}`")),
        };
        let help = match (&near, other) {
            (_, Some(_)) => format!("name a node of `{}`", section.name()),
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, None) => format!("define it in `{}`", section.name()),
        };
        // What was meant is not called unused besides.
        self.used.extend(other.map(|other| (other, Arc::from(name))));
        self.used.extend(near.map(|near| (section, near)));
        self.push(found.at(value.span, "").help(help));
        false
    }

    /// A key that names one node.
    pub(crate) fn reference(&mut self, table: &Table, key: &str, section: Section) -> Option<Arc<str>> {
        let value = table.get(key)?;
        let name = value.as_str()?;
        self.refer(section, value).then(|| Arc::from(name))
    }

    /// `use` and its like, in order.
    pub(crate) fn middlewares(&mut self, table: &Table, key: &str) -> Vec<MiddlewareName> {
        let mut names = Vec::new();
        for item in table.items(key) {
            let Some(name) = item.as_str() else { continue };
            if self.refer(Section::Middlewares, item) {
                names.push(MiddlewareName::new(name));
            }
        }
        names
    }

    // === files ===

    /// A path, relative ones from the file that names them.
    pub(crate) fn path(&self, value: &Value) -> Option<PathBuf> {
        let base = self.around.sources.get(value.span.file).map(|source| source.base.as_path());
        Some(base.unwrap_or_else(|| "".as_ref()).join(value.as_str()?))
    }

    /// PEM by path, or the text itself.
    pub(crate) fn pem(&self, value: &Value) -> Option<PemSource> {
        let text = value.as_str()?;
        if text.contains("-----BEGIN") {
            return Some(PemSource::Inline(Secret::new(text)));
        }
        self.path(value).map(PemSource::File)
    }

    /// A `{ cert, key }` table; both are checked against each other and the hosts later.
    pub(crate) fn certificate(&mut self, value: &Value, hosts: &[HostPattern]) -> Option<CertificateFiles> {
        let table = value.as_table()?;
        let (cert, key) = (table.get("cert")?, table.get("key")?);
        if !key.secret && key.as_str().is_some_and(|text| text.contains("-----BEGIN")) {
            let help = "keep it in a file of its own, or bring it by `${file:}` or `${env:}`";
            self.warn("plaintext-credentials", key.span, "a private key in plain text", help);
        }
        let files = CertificateFiles { cert: self.pem(cert)?, key: self.pem(key)? };
        if !cert.absent && !key.absent {
            let what = FileWhat::Pair(files.clone(), key.span, hosts.to_vec());
            self.files.push(FileUse { what, span: cert.span, secret: cert.secret || key.secret });
        }
        Some(files)
    }

    /// PEM files of a list: roots, revocation lists.
    pub(crate) fn pems(
        &mut self,
        table: &Table,
        key: &str,
        what: fn(PemSource) -> FileWhat,
    ) -> Vec<PemSource> {
        let mut sources = Vec::new();
        for item in table.items(key) {
            let Some(source) = self.pem(item) else { continue };
            if !item.absent {
                self.files.push(FileUse { what: what(source.clone()), span: item.span, secret: item.secret });
            }
            sources.push(source);
        }
        sources
    }
}

/// What a node of the section is called.
pub(crate) fn one(section: Section) -> &'static str {
    match section {
        Section::Listeners => "listener",
        Section::Sites => "site",
        Section::Routes => "route",
        Section::Services => "service",
        Section::Transports => "transport",
        Section::Middlewares => "middleware",
        Section::Issuers => "issuer",
        Section::TlsPolicies => "TLS policy",
        Section::Asserts => "assertion",
        Section::Runtime | Section::Admin | Section::Logs | Section::Metrics | Section::Providers => {
            "section"
        }
    }
}

fn article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {word}", if vowel { "an" } else { "a" })
}

/// Bytes of a string in the source, where the text stands there as it is: in quotes, without escapes, nothing replaced.
fn part(value: &Value, at: &std::ops::Range<usize>) -> Option<Span> {
    let text = value.as_str()?;
    let length = usize::try_from(value.span.end.checked_sub(value.span.start)?).ok()?;
    if value.secret || length != text.len() + 2 {
        return None;
    }
    let start = usize::try_from(value.span.start).ok()? + 1;
    // An empty range stands for what is missing: the character after it, be it the quote, is shown.
    let end = at.end.max(at.start + 1);
    Some(Span::new(value.span.file, start + at.start..start + end))
}

fn helped(diagnostic: Diagnostic, help: &str) -> Diagnostic {
    if help.is_empty() { diagnostic } else { diagnostic.help(help) }
}

impl Node {
    /// Where a key's value stands, or the node's own name when nobody wrote it.
    pub(crate) fn at(&self, key: &str) -> Span {
        let span = self.table.span(key);
        if span.is_none() { self.span } else { span }
    }
}

//! From files, directories and texts to one merged tree: formats, `include`, interpolation, bounds. Nothing here
//! knows what a key means.

mod glob;
mod interpolate;
mod json;
mod merge;
mod toml;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::fs::{self, FileSystem, PathKind};
use crate::load::{Format, Input, LoadOptions};
use crate::sources::Sources;
use crate::value::{FileId, Span, Table, Value};
use pn_model::Secret;
use pn_model::limits::{CONFIG_FILE_BYTES, CONFIG_FILES};
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub root: Table,
    /// Every file that was read or should have been.
    pub files: Vec<PathBuf>,
    /// Directories whose listing decides on the files.
    pub directories: Vec<PathBuf>,
    /// Files that `${file:}` read.
    pub secrets: Vec<PathBuf>,
    /// What `${env:}` and `${file:}` stood for.
    pub fetched: Vec<Secret>,
    /// A file could not be read at all, so a name that is missing may well be there.
    pub incomplete: bool,
    /// Files whose tree is not to be trusted after a syntax error.
    pub broken: HashSet<FileId>,
    /// Places of syntax errors that were recovered from.
    pub recovered: Vec<Span>,
}

/// One text, parsed.
struct Parsed {
    root: Table,
    diagnostics: Vec<Diagnostic>,
    /// Where syntax errors are.
    lines: Vec<Span>,
    /// Whether what follows an error may have been misread.
    broken: bool,
}

pub(crate) fn read(
    inputs: &[Input],
    options: &LoadOptions<'_>,
    sources: &mut Sources,
    out: &mut Diagnostics,
) -> Tree {
    let mut reader =
        Reader { options, sources, out, tree: Tree::default(), seen: HashSet::new(), open: Vec::new() };
    for input in inputs {
        match input {
            Input::Path(path) => reader.input(path),
            Input::Text { name, text, format } => {
                reader.text(name.clone(), PathBuf::new(), text.clone(), *format);
            }
        }
    }
    reader.tree
}

struct Reader<'a> {
    options: &'a LoadOptions<'a>,
    sources: &'a mut Sources,
    out: &'a mut Diagnostics,
    tree: Tree,
    /// Canonical paths, so that a file is read once.
    seen: HashSet<PathBuf>,
    /// Canonical paths of the files that are being read, for include cycles.
    open: Vec<PathBuf>,
}

impl Reader<'_> {
    fn fs(&self) -> &dyn FileSystem {
        self.options.fs
    }

    /// A path of the command line: a file or a directory.
    fn input(&mut self, path: &Path) {
        if !matches!(self.fs().kind(path), Ok(PathKind::Directory)) {
            return self.file(path, Span::NONE);
        }
        self.tree.directories.push(path.to_owned());
        let names = match self.fs().list(path) {
            Ok(names) => names,
            Err(error) => return self.unreadable(path, &error, Span::NONE),
        };
        let mut names: Vec<_> = names
            .into_iter()
            .filter(|name| ["*.toml", "*.json"].iter().any(|p| glob::matches(p, name)))
            .collect();
        names.sort();
        if names.is_empty() {
            let message = format!("the directory `{}` holds no *.toml or *.json", path.display());
            self.out.push(Diagnostic::error("empty-directory", message).help("check the path"));
            self.tree.incomplete = true;
        }
        for name in names {
            self.file(&path.join(name), Span::NONE);
        }
    }

    /// `from` is what named the file.
    fn file(&mut self, path: &Path, from: Span) {
        self.tree.files.push(path.to_owned());
        let canonical = match self.fs().canonical(path) {
            Ok(canonical) => canonical,
            Err(error) => return self.unreadable(path, &error, from),
        };
        if self.open.contains(&canonical) {
            let message = format!("`{}` includes itself", path.display());
            let found = Diagnostic::error("include-cycle", message).at(from, "this include leads back to it");
            return self.out.push(found.help("remove this include"));
        }
        if !self.seen.insert(canonical.clone()) {
            return;
        }
        if self.seen.len() > CONFIG_FILES {
            if self.seen.len() == CONFIG_FILES + 1 {
                let message = format!("more than {CONFIG_FILES} files");
                self.out.push(
                    Diagnostic::error("too-many-files", message).at(from, "").help("narrow the include"),
                );
            }
            self.tree.incomplete = true;
            return;
        }
        match self.fs().read(path, CONFIG_FILE_BYTES) {
            Ok(bytes) => self.bytes(path, bytes, from, canonical),
            Err(error) => self.unreadable(path, &error, from),
        }
    }

    fn bytes(&mut self, path: &Path, bytes: Vec<u8>, from: Span, canonical: PathBuf) {
        match String::from_utf8(bytes) {
            Ok(text) => {
                self.open.push(canonical);
                let base = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
                let format =
                    if path.extension().is_some_and(|e| e == "json") { Format::Json } else { Format::Auto };
                self.text(path.display().to_string(), base, text, format);
                self.open.pop();
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let line = error.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1;
                let message = format!("`{}` is not UTF-8: line {line}, byte {at}", path.display());
                self.out.push(
                    Diagnostic::error("not-utf8", message).at(from, "named here").help("save it as UTF-8"),
                );
                self.tree.incomplete = true;
            }
        }
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error, from: Span) {
        let (reason, help) = fs::explain(error, CONFIG_FILE_BYTES);
        let message = format!("cannot read `{}`: {reason}", path.display());
        self.out.push(Diagnostic::error("unreadable-file", message).at(from, "named here").help(help));
        self.tree.incomplete = true;
    }

    fn text(&mut self, name: String, base: PathBuf, mut text: String, format: Format) {
        // A byte order mark says nothing in UTF-8; some editors write one.
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let json = match format {
            Format::Json => true,
            Format::Toml => false,
            // No TOML document starts with a brace, every JSON one does.
            Format::Auto => text.trim_start().starts_with('{'),
        };
        let file = self.sources.add(name, base, text);
        let text = self.sources.get(file).map_or("", |source| source.text.as_str());
        let parsed = if json { json::parse(file, text) } else { toml::parse(file, text) };
        self.tree.incomplete |= json && parsed.broken;
        if parsed.broken {
            self.tree.broken.insert(file);
        }
        self.tree.recovered.extend(parsed.lines);
        parsed.diagnostics.into_iter().for_each(|diagnostic| self.out.push(diagnostic));
        let mut root = parsed.root;
        let mut interpolation = interpolate::Interpolation::new(self.options, self.sources, self.out);
        interpolation.table(&mut root);
        self.tree.secrets.append(&mut interpolation.secrets);
        self.tree.fetched.append(&mut interpolation.fetched);
        let include = root.remove("include");
        merge::merge(&mut self.tree.root, root, &mut Vec::new(), self.out);
        if let Some(include) = include {
            self.includes(file, &include.value);
        }
    }

    fn includes(&mut self, file: FileId, include: &Value) {
        let base = self.sources.get(file).map(|source| source.base.clone()).unwrap_or_default();
        for item in include.items() {
            let Some(pattern) = item.as_str().filter(|pattern| !pattern.is_empty()) else {
                let message = format!("`include` takes paths of files, not {}", item.type_name());
                let help = "write `include = [\"conf.d/*.toml\"]`";
                self.out.push(Diagnostic::error("wrong-type", message).at(item.span, "").help(help));
                continue;
            };
            self.include(&base.join(pattern), item.span);
        }
    }

    fn include(&mut self, pattern: &Path, from: Span) {
        let is_wild = |part: Component<'_>| part.as_os_str().to_str().is_some_and(glob::wild);
        if !pattern.components().any(is_wild) {
            return self.file(pattern, from);
        }
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            found = match part.as_os_str().to_str().filter(|part| glob::wild(part)) {
                Some(part) => found.iter().flat_map(|directory| self.listed(directory, part)).collect(),
                None => found.iter().map(|directory| directory.join(part)).collect(),
            };
        }
        for path in found {
            let again = self.fs().canonical(&path).is_ok_and(|canonical| self.open.contains(&canonical));
            if !again && matches!(self.fs().kind(&path), Ok(PathKind::File)) {
                self.file(&path, from);
            }
        }
    }

    /// The entries of a directory that fit a pattern, sorted; a directory that is not there has none.
    fn listed(&mut self, directory: &Path, pattern: &str) -> Vec<PathBuf> {
        let real = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        self.tree.directories.push(real.to_owned());
        let mut names = self.fs().list(real).unwrap_or_default();
        names.retain(|name| glob::matches(pattern, name));
        names.sort();
        names.into_iter().map(|name| directory.join(name)).collect()
    }
}

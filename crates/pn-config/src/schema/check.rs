//! Holds what was written against the schema: keys, types, units, ranges, words. A value that is wrong is reported
//! where it stands and replaced by something harmless, so that later stages find only what is wrong besides.

use super::{COMMON, KINDS, Kind as NodeKind, suggest, traps};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::sources::Sources;
use crate::value::{Entry, Kind, Span, Table, Value};
use pn_model::NodePath;
use std::collections::HashSet;
use std::sync::Arc;

/// Kinds that `[defaults.KIND]` may set.
pub(super) const DEFAULTS: &[&str] = &["listeners", "sites", "services", "transports"];

/// What the check found besides errors.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Where secrets stand in the sources.
    pub redact: Vec<Span>,
    /// Nodes, and tables in them, of which something was left out.
    pub(super) faulty: HashSet<NodePath>,
}

impl Checked {
    /// Whether something of this very table was left out.
    pub(crate) fn faulty(&self, path: &NodePath) -> bool {
        self.faulty.contains(path)
    }
}

/// Checks a whole file tree, and takes out or replaces what is wrong.
pub(crate) fn root(root: &mut Table, sources: &Sources, out: &mut Diagnostics) -> Checked {
    let mut check = Check { sources, out, path: Vec::new(), checked: Checked::default() };
    root.retain(|key, entry| {
        check.path.push(Arc::clone(key));
        let keep = check.section(key, entry);
        check.path.pop();
        keep
    });
    check.checked
}

pub(super) struct Check<'a> {
    pub(super) sources: &'a Sources,
    pub(super) out: &'a mut Diagnostics,
    pub(super) path: Vec<Arc<str>>,
    pub(super) checked: Checked,
}

impl Check<'_> {
    fn section(&mut self, key: &str, entry: &mut Entry) -> bool {
        if key == "defaults" {
            return self.each(entry, Self::defaults);
        }
        let Some(kind) = super::kind(key) else {
            let known = KINDS.iter().map(|kind| kind.table).chain(["defaults", "include"]);
            let help = suggest::did_you_mean(key, known).or_else(|| suggest::belongs(key));
            let message = format!("unknown table or key `{key}` at the top of the file");
            self.report("unknown-key", message, entry.key_span, help);
            return false;
        };
        if kind.section.is_none() {
            self.later(key, entry.key_span);
            return false;
        }
        if !kind.named {
            return self.node(kind, entry);
        }
        self.each(entry, |check, name, entry| check.named(kind, name, entry))
    }

    /// Every entry of a table, each with its key on the path.
    fn each(
        &mut self,
        entry: &mut Entry,
        mut step: impl FnMut(&mut Self, &Arc<str>, &mut Entry) -> bool,
    ) -> bool {
        let Kind::Table(table) = &mut entry.value.kind else {
            self.wrong_type(&entry.value, "a table", None);
            return false;
        };
        table.retain(|key, entry| {
            self.path.push(Arc::clone(key));
            let keep = step(self, key, entry);
            self.path.pop();
            keep
        });
        true
    }

    fn defaults(&mut self, name: &Arc<str>, entry: &mut Entry) -> bool {
        let known = super::kind(name).filter(|kind| DEFAULTS.contains(&kind.table));
        let Some(kind) = known else {
            if super::kind(name).is_some_and(|kind| kind.section.is_none()) {
                self.later(name, entry.key_span);
                return false;
            }
            let help = suggest::did_you_mean(name, DEFAULTS.iter().copied())
                .unwrap_or_else(|| format!("there are defaults of {}", DEFAULTS.join(", ")));
            self.report("unknown-key", format!("`{name}` have no defaults"), entry.key_span, Some(help));
            return false;
        };
        if let Some(table) = entry.value.as_table() {
            for key in ["extends", "abstract", "unset", "hosts"] {
                if let Some(found) = table.entry(key).filter(|_| key != "hosts" || kind.table == "sites") {
                    let message = format!("`{key}` cannot be a default");
                    self.report(
                        "unknown-key",
                        message,
                        found.key_span,
                        Some("write it in the nodes themselves".into()),
                    );
                }
            }
        }
        self.node(kind, entry)
    }

    fn named(&mut self, kind: &'static NodeKind, name: &Arc<str>, entry: &mut Entry) -> bool {
        if kind.table != "sites" && !is_name(name) {
            let message = format!("`{name}` is not a name");
            let help =
                "names are lower-case letters, digits and hyphens, and do not start with a hyphen".to_owned();
            self.report("bad-name", message, entry.key_span, Some(help));
        }
        if kind.table == "sites" && traps::unquoted_host(self, name, entry) {
            return false;
        }
        self.node(kind, entry)
    }

    pub(super) fn node(&mut self, kind: &'static NodeKind, entry: &mut Entry) -> bool {
        let Kind::Table(table) = &mut entry.value.kind else {
            let help =
                kind.named.then(|| format!("write `[{}]` and its keys below", NodePath(self.path.clone())));
            self.wrong_type(&entry.value, "a table", help);
            return false;
        };
        let common = if kind.inherits { COMMON } else { &[] };
        self.keys(table, kind.keys, common, Some(kind));
        self.exclusive(kind, table);
        self.unset(kind, table);
        true
    }

    /// Two keys of a group in one node.
    fn exclusive(&mut self, kind: &'static NodeKind, table: &mut Table) {
        for group in kind.groups {
            let mut own: Vec<_> =
                group.keys.iter().filter_map(|&key| Some((table.entry(key)?.key_span, key))).collect();
            own.sort();
            let [(first_span, first), rest @ ..] = own.as_slice() else { continue };
            for (span, key) in rest {
                let message = format!("`{first}` and `{key}` exclude each other in `{}`", self.here());
                let found = Diagnostic::error("kind-key", message)
                    .at(*span, "this one")
                    .at(*first_span, "and this one");
                self.out.push(found.help("keep one of them"));
                table.remove(key);
            }
        }
    }

    fn unset(&mut self, kind: &'static NodeKind, table: &Table) {
        for item in table.items("unset") {
            let Some(name) = item.as_str().filter(|name| kind.key(name).is_none()) else { continue };
            let help = suggest::did_you_mean(name, kind.keys.iter().map(|key| key.name));
            self.report(
                "unknown-key",
                format!("`unset` names `{name}`, which is no key here"),
                item.span,
                help,
            );
        }
    }

    pub(super) fn later(&mut self, what: &str, span: Span) {
        let help = "remove it; a key that does nothing would promise what is not kept".to_owned();
        self.report("not-in-this-version", format!("`{what}` is not in this version"), span, Some(help));
    }

    pub(super) fn wrong_type(&mut self, value: &Value, wanted: &str, help: Option<String>) {
        let shown = match value.kind {
            Kind::Array(_) | Kind::Table(_) => value.type_name().to_owned(),
            _ => format!(
                "{} {}",
                value.type_name().trim_start_matches("an ").trim_start_matches("a "),
                value.shown()
            ),
        };
        let message = format!("`{}` must be {wanted}, not {shown}", self.here());
        self.report("wrong-type", message, value.span, help);
    }

    pub(super) fn report(&mut self, code: &'static str, message: String, span: Span, help: Option<String>) {
        let found = Diagnostic::error(code, message).at(span, "");
        self.out.push(Diagnostic { help, ..found });
    }

    pub(super) fn here(&self) -> String {
        NodePath(self.path.clone()).to_string()
    }

    pub(super) fn path(&self) -> &[Arc<str>] {
        &self.path
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain) && name.chars().all(|c| plain(c) || c == '-')
}

//! Rule 2: defaults, parents and the node itself as one table of effective values, each with the place it came from.

mod complete;
mod merge;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resolved::{Node, Resolved, Section};
use crate::schema::check::Checked;
use crate::schema::{self, KINDS, Kind as NodeKind, SITE_ROUTE, suggest};
use crate::value::{Entry, Kind, Span, Table, Value};
use complete::Completion;
#[cfg(test)]
pub(crate) use complete::default;
use indexmap::{IndexMap, IndexSet};
use pn_model::NodePath;
use pn_model::limits::NESTING;
use std::sync::Arc;

/// From the checked tree of all files to effective nodes.
pub(crate) fn resolve(mut root: Table, checked: &Checked, out: &mut Diagnostics) -> Resolved {
    let defaults = take_table(&mut root, "defaults");
    let mut resolved = Resolved::default();
    for kind in KINDS {
        let Some(section) = kind.section else { continue };
        let entry = root.remove(kind.table);
        if kind.named {
            let nodes = entry.map_or_else(Table::default, |entry| into_table(entry.value));
            let family = Family::new(kind, nodes, defaults.table(kind.table));
            named(section, family, checked, out, &mut resolved);
        } else {
            resolved.singles.insert(section, single(kind, entry, checked, out));
        }
    }
    resolved
}

fn single(kind: &'static NodeKind, entry: Option<Entry>, checked: &Checked, out: &mut Diagnostics) -> Node {
    let span = entry.as_ref().map_or(Span::NONE, |entry| entry.key_span);
    let mut node = Node {
        name: Arc::from(kind.table),
        span,
        path: NodePath::of([kind.table]),
        table: entry.map_or_else(Table::default, |entry| into_table(entry.value)),
        unset: Vec::new(),
        routes: Vec::new(),
    };
    Completion { kind, checked, out, is_abstract: false, faulty: false }.node(&mut node, &Table::default());
    node
}

/// The nodes of one kind, as they were written.
struct Family<'a> {
    kind: &'static NodeKind,
    own: IndexMap<Arc<str>, (Span, Table)>,
    /// What every node starts from.
    base: Table,
    defaults: Option<&'a Table>,
    /// With everything inherited, but not yet completed.
    effective: IndexMap<Arc<str>, Table>,
}

impl<'a> Family<'a> {
    fn new(kind: &'static NodeKind, nodes: Table, defaults: Option<&'a Table>) -> Self {
        let mut own = IndexMap::new();
        if kind.table == "listeners" {
            own.insert(Arc::from("web"), (Span::NONE, Table::default()));
            own.insert(Arc::from("websecure"), (Span::NONE, Table::default()));
        }
        for (name, entry) in nodes.into_entries() {
            own.insert(name, (entry.key_span, into_table(entry.value)));
        }
        Self { kind, own, base: defaults.cloned().unwrap_or_default(), defaults, effective: IndexMap::new() }
    }

    /// What a node without a parent starts from.
    fn start(&self, name: &str) -> Table {
        let mut start = Table::default();
        if self.kind.table == "listeners" {
            let (address, tls) = match name {
                "web" => (":80", false),
                "websecure" => (":443", true),
                _ => return self.base.clone(),
            };
            start.insert(Arc::from("address"), built_in(Value::string(address, Span::NONE)));
            start.insert(Arc::from("tls"), built_in(Value::new(Kind::Bool(tls), Span::NONE)));
        }
        merge::node(self.kind, &mut start, &self.base);
        start
    }

    /// The parent that a node names, if it is there.
    fn parent(&self, name: &str) -> Option<&str> {
        let parent = self.own.get(name)?.1.str("extends")?;
        self.own.contains_key(parent).then_some(parent)
    }

    /// Works out the effective table of a node and of all its parents.
    fn settle(&mut self, name: &Arc<str>) {
        let mut chain: IndexSet<Arc<str>> = IndexSet::new();
        let mut next = Some(Arc::clone(name));
        while let Some(current) = next.filter(|current| !self.effective.contains_key(current)) {
            if !chain.insert(Arc::clone(&current)) {
                break;
            }
            next = self.parent(&current).map(Arc::from);
        }
        for current in chain.iter().rev() {
            let inherited = self.parent(current).and_then(|parent| self.effective.get(parent)).cloned();
            let mut table = match inherited {
                Some(mut parent) => {
                    parent.remove("hosts");
                    parent
                }
                None => self.start(current),
            };
            if let Some((_, own)) = self.own.get(current) {
                merge::node(self.kind, &mut table, own);
            }
            self.effective.insert(Arc::clone(current), table);
        }
    }

    /// Parents that are not there, and circles.
    fn parents(&self, out: &mut Diagnostics) {
        let mut done: IndexMap<&str, usize> = IndexMap::new();
        for (name, (_, table)) in &self.own {
            let Some(extends) = table.get("extends") else { continue };
            let parent = extends.as_str().unwrap_or("");
            if !self.own.contains_key(parent) {
                let message = format!("`{}.{name}` extends `{parent}`, which is not there", self.kind.table);
                let names = self.own.keys().map(|name| &**name).filter(|own| *own != &**name);
                let help = suggest::did_you_mean(parent, names)
                    .unwrap_or_else(|| format!("a parent is another node of `{}`", self.kind.table));
                out.push(Diagnostic::error("unknown-parent", message).at(extends.span, "").help(help));
                continue;
            }
            self.circle(name, &mut done, out);
        }
    }

    /// Follows parents up to one that was followed before. `done` holds how many parents a node has.
    fn circle<'s>(&'s self, name: &'s str, done: &mut IndexMap<&'s str, usize>, out: &mut Diagnostics) {
        let span = |name: &str| self.own.get(name).map_or(Span::NONE, |(_, table)| table.span("extends"));
        let mut chain: IndexSet<&str> = IndexSet::new();
        let mut current = name;
        while !done.contains_key(current) {
            if let (at, false) = chain.insert_full(current) {
                let circle: Vec<_> =
                    chain.iter().skip(at).chain([&current]).map(|name| format!("`{name}`")).collect();
                let message = format!("`extends` goes in a circle: {}", circle.join(" → "));
                let found = Diagnostic::error("extends-cycle", message).at(span(current), "");
                out.push(found.help("remove one `extends`"));
                break;
            }
            let Some(parent) = self.parent(current) else { break };
            current = parent;
        }
        let first = done.get(current).map_or(0, |depth| depth + 1);
        for (depth, name) in (first..).zip(chain.into_iter().rev()) {
            if depth == NESTING + 1 {
                let message = format!("`{}.{name}` has more than {NESTING} parents", self.kind.table);
                let found = Diagnostic::error("extends-depth", message).at(span(name), "");
                out.push(found.help("shorten the chain"));
            }
            done.insert(name, depth);
        }
    }

    /// Whether a parent is not there, or a value of the node, of a parent or of the defaults was left out as wrong,
    /// so that what is missing may be a consequence.
    fn faulty(&self, name: &str, checked: &Checked) -> bool {
        let table = self.kind.table;
        if self.defaults.is_some() && checked.faulty(&NodePath::of(["defaults", table])) {
            return true;
        }
        let mut current = Some(name);
        for _ in 0..NESTING {
            let Some(name) = current else { return false };
            if checked.faulty(&NodePath::of([table, name])) {
                return true;
            }
            let parent = self.parent(name);
            if parent.is_none() && self.own.get(name).is_some_and(|(_, table)| table.has("extends")) {
                return true;
            }
            current = parent;
        }
        // A circle, or a chain that is too long, was reported; what is missing is its consequence.
        true
    }
}

fn named(
    section: Section,
    mut family: Family<'_>,
    checked: &Checked,
    out: &mut Diagnostics,
    resolved: &mut Resolved,
) {
    family.parents(out);
    let names: Vec<Arc<str>> = family.own.keys().map(Arc::clone).collect();
    for name in &names {
        family.settle(name);
        let Some(table) = family.effective.get(name).cloned() else { continue };
        let Some((span, own)) = family.own.get(name) else { continue };
        let path = NodePath::of([Arc::from(section.name()), Arc::clone(name)]);
        let mut node =
            Node { name: Arc::clone(name), span: *span, path, table, unset: Vec::new(), routes: Vec::new() };
        let faulty = family.faulty(name, checked);
        let is_abstract = own.bool("abstract") == Some(true);
        let mut completion = Completion { kind: family.kind, checked, out, is_abstract, faulty };
        completion.node(&mut node, own);
        let into = if is_abstract { &mut resolved.abstracts } else { &mut resolved.nodes };
        into.entry(section).or_default().insert(Arc::clone(name), node);
    }
    templates(section, &family, checked, out, resolved);
}

/// What a node that nobody wrote has: an address in place of a service, a site that only a rule names. One for each
/// kind key that such a node may have.
fn templates(
    section: Section,
    family: &Family<'_>,
    checked: &Checked,
    out: &mut Diagnostics,
    resolved: &mut Resolved,
) {
    let keys: &[&'static str] = match section {
        Section::Services => &["servers", "respond", "redirect"],
        Section::Sites => &["to"],
        _ => return,
    };
    for &key in keys {
        let mut own = Table::default();
        if section == Section::Services {
            own.insert(Arc::from(key), built_in(Value::new(Kind::Table(Table::default()), Span::NONE)));
        }
        let mut table = family.start("");
        merge::node(family.kind, &mut table, &own);
        let (name, path) = (Arc::from(""), NodePath::of([section.name()]));
        let mut node = Node { name, span: Span::NONE, path, table, unset: Vec::new(), routes: Vec::new() };
        Completion { kind: family.kind, checked, out, is_abstract: true, faulty: false }
            .node(&mut node, &own);
        resolved.templates.insert((section, key), node);
    }
}

/// The routes of a site as nodes; each starts with the site's own `use`.
fn routes(site: &mut Node, checked: &Checked, out: &mut Diagnostics, is_abstract: bool, faulty: bool) {
    let Some(entry) = site.table.remove("routes") else { return };
    let base = site.path.child("routes");
    for (pattern, entry) in into_table(entry.value).into_entries() {
        let path = base.child(Arc::clone(&pattern));
        match entry.value.kind {
            Kind::Array(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    let path = path.child(format!("[{index}]"));
                    let span = item.span;
                    let route = route(site, Arc::clone(&pattern), path, span, into_table(item));
                    site.routes.push(route);
                }
            }
            Kind::Table(table) => {
                let route = route(site, pattern, path, entry.key_span, table);
                site.routes.push(route);
            }
            _ => {}
        }
    }
    for route in &mut site.routes {
        let faulty = faulty || checked.faulty(&route.path);
        Completion { kind: &SITE_ROUTE, checked, out, is_abstract, faulty }.node(route, &Table::default());
    }
}

fn route(site: &Node, pattern: Arc<str>, path: NodePath, span: Span, mut table: Table) -> Node {
    let drops = table.items("unset").iter().any(|item| item.as_str() == Some("use"));
    if !drops {
        let mut with_site = Table::default();
        if let Some(entry) = site.table.entry("use") {
            with_site.insert(Arc::from("use"), entry.clone());
        }
        merge::append_use(&mut with_site, &table);
        if let Some(entry) = with_site.remove("use") {
            table.insert(Arc::from("use"), entry);
        }
    }
    Node { name: pattern, span, path, table, unset: Vec::new(), routes: Vec::new() }
}

fn built_in(value: Value) -> Entry {
    Entry { key_span: Span::NONE, value }
}

fn take_table(table: &mut Table, key: &str) -> Table {
    table.remove(key).map_or_else(Table::default, |entry| into_table(entry.value))
}

fn into_table(value: Value) -> Table {
    match value.kind {
        Kind::Table(table) => table,
        _ => Table::default(),
    }
}

/// The keys of a kind that are of no use to lowering: inheritance has used them up.
pub(crate) fn is_common(key: &str) -> bool {
    schema::COMMON.iter().any(|common| common.name == key)
}

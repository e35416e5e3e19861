//! The tree that lowering reads: every node with its effective values, each with the place it came from.
//!
//! What holds of it, so that lowering need not look again: only keys of the schema are there, each of the schema's
//! type, unit and range; choices are of the listed words; regexes parse; networks parse; exactly one kind key where
//! a kind asks for one; what is required is there; defaults are filled in (at `Span::NONE`). Inheritance is done:
//! no `extends`, `abstract` or `unset` is left, `use` holds the defaults', the parents' and the node's own names in
//! the order they run, and that of a site's route starts with the site's.
//! What lowering still checks: references, hosts, paths, addresses, rules, and whatever spans more than one node.

use crate::value::{Kind, Span, Table, Value};
use indexmap::IndexMap;
use pn_model::NodePath;
use std::sync::Arc;

/// The tables of a file that this version runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Section {
    Listeners,
    Sites,
    Routes,
    Services,
    Transports,
    Middlewares,
    Issuers,
    TlsPolicies,
    Asserts,
    Runtime,
    Admin,
    Logs,
    Metrics,
    Providers,
}

#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// Named nodes, abstract ones left out.
    pub(crate) nodes: IndexMap<Section, IndexMap<Arc<str>, Node>>,
    /// Nodes that are only parents; nothing is required of them.
    pub(crate) abstracts: IndexMap<Section, IndexMap<Arc<str>, Node>>,
    /// What nodes that nobody wrote start from, by the kind key that they get.
    pub(crate) templates: IndexMap<(Section, &'static str), Node>,
    /// Process-wide sections: present even where nobody wrote them.
    pub(crate) singles: IndexMap<Section, Node>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// As its key was written; for a route of a site the path pattern.
    pub name: Arc<str>,
    /// The key that names it; `Span::NONE` for built-in nodes.
    pub span: Span,
    pub path: NodePath,
    pub table: Table,
    /// Keys that its own `unset` names.
    pub unset: Vec<Arc<str>>,
    /// Routes of a site in the order written: one node for each table of `routes`, so a path may occur twice.
    pub routes: Vec<Self>,
}

impl Section {
    /// The name of the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Listeners => "listeners",
            Self::Sites => "sites",
            Self::Routes => "routes",
            Self::Services => "services",
            Self::Transports => "transports",
            Self::Middlewares => "middlewares",
            Self::Issuers => "issuers",
            Self::TlsPolicies => "tls-policies",
            Self::Asserts => "asserts",
            Self::Runtime => "runtime",
            Self::Admin => "admin",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Providers => "providers",
        }
    }

    pub(crate) const ALL: [Self; 14] = [
        Self::Listeners,
        Self::Sites,
        Self::Routes,
        Self::Services,
        Self::Transports,
        Self::Middlewares,
        Self::Issuers,
        Self::TlsPolicies,
        Self::Asserts,
        Self::Runtime,
        Self::Admin,
        Self::Logs,
        Self::Metrics,
        Self::Providers,
    ];
}

impl Resolved {
    /// The nodes of a section in the order written; built-in ones come first.
    pub(crate) fn of(&self, section: Section) -> impl Iterator<Item = &Node> {
        self.nodes.get(&section).into_iter().flat_map(IndexMap::values)
    }

    pub(crate) fn get(&self, section: Section, name: &str) -> Option<&Node> {
        self.nodes.get(&section)?.get(name)
    }

    /// A node that nobody wrote, to be given the key: the defaults of its section, complete.
    pub(crate) fn template(&self, section: Section, key: &'static str) -> Node {
        let found = self.templates.get(&(section, key)).cloned();
        found.unwrap_or_else(|| Node {
            name: Arc::from(""),
            span: Span::NONE,
            path: NodePath::of([section.name()]),
            table: Table::default(),
            unset: Vec::new(),
            routes: Vec::new(),
        })
    }

    /// Where the node of this name stands if it is abstract, so that a reference to it can say so.
    pub(crate) fn abstract_span(&self, section: Section, name: &str) -> Option<Span> {
        self.abstracts.get(&section)?.get(name).map(|node| node.span)
    }

    /// Where the value at a path was written, or what is nearest around it. `None` where nobody wrote anything.
    pub(crate) fn locate(&self, path: &NodePath) -> Option<Span> {
        let (table, rest) = path.0.split_first()?;
        let section = Section::ALL.into_iter().find(|section| section.name() == &**table)?;
        let found = match (self.singles.get(&section), rest.split_first()) {
            (Some(node), _) => node.locate(rest),
            (None, Some((name, rest))) => {
                let abstracts = || self.abstracts.get(&section)?.get(&**name);
                self.get(section, name).or_else(abstracts)?.locate(rest)
            }
            _ => Span::NONE,
        };
        (!found.is_none()).then_some(found)
    }

    /// A process-wide section; its table is empty of what has no default.
    pub(crate) fn single(&self, section: Section) -> Option<&Node> {
        self.singles.get(&section)
    }
}

impl Node {
    fn locate(&self, path: &[Arc<str>]) -> Span {
        if let [routes, rest @ ..] = path
            && &**routes == "routes"
        {
            let own = |route: &&Self| route.path.0.get(3..).is_some_and(|tail| rest.starts_with(tail));
            let route = self.routes.iter().find(own);
            return route
                .map_or(self.span, |route| route.locate(rest.get(route.path.0.len() - 3..).unwrap_or(&[])));
        }
        descend(&self.table, path, self.span)
    }

    pub(crate) fn unsets(&self, key: &str) -> bool {
        self.unset.iter().any(|own| &**own == key)
    }
}

/// The span of the deepest value along a path; `around` where there is none.
fn descend(table: &Table, path: &[Arc<str>], around: Span) -> Span {
    let Some((key, rest)) = path.split_first() else { return around };
    table.get(key).map_or(around, |value| within(value, rest, around))
}

fn within(value: &Value, path: &[Arc<str>], around: Span) -> Span {
    let here = if value.span.is_none() { around } else { value.span };
    match (&value.kind, path.split_first()) {
        (Kind::Table(table), _) => descend(table, path, here),
        (Kind::Array(items), Some((index, rest))) => {
            let index = index.trim_matches(['[', ']']).parse::<usize>().ok();
            index.and_then(|index| items.get(index)).map_or(here, |item| within(item, rest, here))
        }
        _ => here,
    }
}

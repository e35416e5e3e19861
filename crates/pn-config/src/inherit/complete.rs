//! The last touch on an effective node: keys that do not fit its kind, what is required, defaults.

use super::{is_common, routes};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resolved::Node;
use crate::schema::check::Checked;
use crate::schema::{Default, Key, Kind as NodeKind, Type, types};
use crate::value::{Entry, Kind, Span, Table, Value};
use pn_model::NodePath;
use std::sync::Arc;

pub(super) struct Completion<'a> {
    pub kind: &'static NodeKind,
    pub checked: &'a Checked,
    pub out: &'a mut Diagnostics,
    /// Only a parent: nothing is required of it.
    pub is_abstract: bool,
    /// Something of the node was left out as wrong, so what is missing may be a consequence.
    pub faulty: bool,
}

impl Completion<'_> {
    /// `own` is what the node itself says.
    pub(super) fn node(&mut self, node: &mut Node, own: &Table) {
        node.unset =
            node.table.items("unset").iter().filter_map(|item| item.as_str().map(Arc::from)).collect();
        node.table.retain(|key, _| !is_common(key));
        let chosen = self.chosen(node);
        self.misfits(node, own, chosen);
        let place = if node.span.is_none() { Span::NONE } else { node.span };
        self.fill(&mut node.table, self.kind.keys, &node.path, place, chosen);
        let place = |key: &str| self.kind.keys.iter().position(|own| own.name == key);
        node.table.sort_by_key(place);
        if self.kind.table == "sites" {
            routes(node, self.checked, self.out, self.is_abstract, self.faulty);
        }
    }

    /// Whether what is missing is no finding. Without another error it always is one: nothing made up may run.
    fn silent(&self) -> bool {
        self.is_abstract || (self.faulty && self.out.has_errors())
    }

    /// The kind key that the node has, of the group that asks for one.
    fn chosen(&mut self, node: &mut Node) -> Option<&'static str> {
        let group = self.kind.groups.iter().find(|group| group.required)?;
        if let Some(chosen) = group.keys.iter().find(|key| node.table.has(key)) {
            return Some(chosen);
        }
        if self.is_abstract {
            return None;
        }
        if !self.silent() {
            let later = |name: &str| self.kind.key(name).is_some_and(|key| key.later);
            let names: Vec<_> =
                group.keys.iter().filter(|name| !later(name)).map(|name| format!("`{name}`")).collect();
            let lack = if self.kind.table == "routes" { "leads nowhere" } else { "has no kind" };
            let message = format!("`{}` {lack}", node.path);
            let help = format!("give it one of {}", names.join(", "));
            self.out.push(Diagnostic::error("kind-key", message).at(node.span, "").help(help));
        }
        let (key, value) = stand_in(self.kind.table)?;
        node.table.insert(Arc::from(key), Entry { key_span: Span::NONE, value });
        Some(key)
    }

    /// Keys that another kind of the node would take: an error on what it says itself, nothing on what it inherits.
    fn misfits(&mut self, node: &mut Node, own: &Table, chosen: Option<&'static str>) {
        let Some(chosen) = chosen else { return };
        for key in self.kind.keys.iter().filter(|key| !key.only.is_empty() && !key.only.contains(&chosen)) {
            if node.table.remove(key.name).is_some()
                && let Some(entry) = own.entry(key.name)
                && !self.silent()
            {
                let fits: Vec<_> = key.only.iter().map(|only| format!("`{only}`")).collect();
                let message = format!("`{}` is for {}, not for `{chosen}`", key.name, fits.join(" and "));
                self.out
                    .push(Diagnostic::error("kind-key", message).at(entry.key_span, "").help("remove it"));
            }
        }
    }

    /// Defaults and required keys of a table and of the tables in it.
    fn fill(
        &mut self,
        table: &mut Table,
        keys: &'static [Key],
        path: &NodePath,
        place: Span,
        chosen: Option<&str>,
    ) {
        for key in keys {
            if let Some(entry) = table.entry_mut(key.name) {
                let path = path.child(key.name);
                self.inside(&mut entry.value, &key.ty, &path);
                continue;
            }
            if chosen.is_some_and(|chosen| !key.only.is_empty() && !key.only.contains(&chosen)) {
                continue;
            }
            if let Some(mut value) = default(key) {
                self.inside(&mut value, &key.ty, path);
                table.insert(Arc::from(key.name), Entry { key_span: Span::NONE, value });
            } else if key.required {
                self.missing(key, path, place);
                if let Some(value) = types::stand_in(&key.ty, Span::NONE) {
                    table.insert(Arc::from(key.name), Entry { key_span: Span::NONE, value });
                }
            }
        }
    }

    fn missing(&mut self, key: &Key, path: &NodePath, place: Span) {
        let explained = self.checked.faulty(path) && self.out.has_errors();
        if !self.silent() && !explained {
            let message = format!("`{path}` lacks `{}`", key.name);
            let help = format!("add `{} = ..`: {}", key.name, types::describe(&key.ty));
            self.out.push(Diagnostic::error("missing-key", message).at(place, "").help(help));
        }
    }

    fn inside(&mut self, value: &mut Value, ty: &'static Type, path: &NodePath) {
        let span = value.span;
        match (ty, &mut value.kind) {
            (Type::Table(keys) | Type::Short(_, keys), Kind::Table(table)) => {
                self.fill(table, keys, path, span, None)
            }
            (Type::Inline(kind), Kind::Table(table)) => self.fill(table, kind.keys, path, span, None),
            (Type::List(inner) | Type::OneOrMany(inner), Kind::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.inside(item, inner, &path.child(format!("[{index}]")));
                }
            }
            (Type::OneOrMany(inner), _) => self.inside(value, inner, path),
            (Type::Either(types), _) => {
                if let Some(ty) = types.iter().find(|ty| types::fits(ty, value)) {
                    self.inside(value, ty, path);
                }
            }
            _ => {}
        }
    }
}

/// The default of a key as a value that nobody wrote.
pub(crate) fn default(key: &Key) -> Option<Value> {
    let value = |kind| Some(Value::new(kind, Span::NONE));
    match key.default {
        Default::None(_) => None,
        Default::Str(text) => value(Kind::String(Arc::from(text))),
        Default::Int(number) => value(Kind::Integer(number)),
        Default::Float(number) => value(Kind::Float(number)),
        Default::Bool(flag) => value(Kind::Bool(flag)),
        Default::Strings(items) => {
            value(Kind::Array(items.iter().map(|&s| Value::string(s, Span::NONE)).collect()))
        }
        Default::Floats(items) => {
            value(Kind::Array(items.iter().map(|&n| Value::new(Kind::Float(n), Span::NONE)).collect()))
        }
        Default::Table => value(Kind::Table(Table::default())),
    }
}

/// A kind key for a node that has none, so that lowering has something to go on.
fn stand_in(table: &str) -> Option<(&'static str, Value)> {
    let empty = || Value::new(Kind::Table(Table::default()), Span::NONE);
    match table {
        "services" => Some(("respond", empty())),
        "middlewares" => Some(("headers", empty())),
        "issuers" => Some(("internal-ca", empty())),
        "routes" => Some(("to", types::stand_in(&Type::Service, Span::NONE)?)),
        _ => None,
    }
}

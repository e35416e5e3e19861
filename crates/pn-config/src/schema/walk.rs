//! The check within a node: its keys, and their values down to the last.

use super::check::Check;
use super::types::{self, Wrong};
use super::{Key, Kind as NodeKind, SITE_ROUTE, Type, suggest, traps};
use crate::value::{Entry, Kind, Table, Value};
use pn_model::NodePath;
use std::sync::Arc;

impl Check<'_> {
    /// The keys of one table. `kind` is the node's, for messages about misplaced keys.
    pub(super) fn keys(
        &mut self,
        table: &mut Table,
        keys: &'static [Key],
        common: &'static [Key],
        kind: Option<&'static NodeKind>,
    ) {
        table.retain(|name, entry| {
            let Some(key) = keys.iter().chain(common).find(|key| *key.name == **name) else {
                self.unknown(name, entry, keys.iter().chain(common).map(|key| key.name), kind);
                self.checked.faulty.insert(NodePath(self.path.clone()));
                return false;
            };
            self.path.push(Arc::clone(name));
            let keep = self.key(key, entry);
            self.path.pop();
            if !keep {
                self.checked.faulty.insert(NodePath(self.path.clone()));
            }
            keep
        });
    }

    fn key(&mut self, key: &'static Key, entry: &mut Entry) -> bool {
        if key.later {
            self.later(&self.here(), entry.key_span);
            return false;
        }
        if key.secret {
            self.hide(&mut entry.value);
        }
        self.value(&mut entry.value, &key.ty)
    }

    fn unknown<'k>(
        &mut self,
        name: &str,
        entry: &Entry,
        known: impl Iterator<Item = &'k str> + Clone,
        kind: Option<&NodeKind>,
    ) {
        if kind.is_some_and(|kind| std::ptr::eq(kind, &SITE_ROUTE)) && traps::site_key(self, name, entry) {
            return;
        }
        let listed = || {
            let all: Vec<_> = known.clone().map(|key| format!("`{key}`")).collect();
            (all.len() <= 12).then(|| format!("its keys are {}", all.join(", ")))
        };
        let help =
            suggest::did_you_mean(name, known.clone()).or_else(|| suggest::belongs(name)).or_else(listed);
        let message = format!("unknown key `{name}` in `{}`", self.here());
        self.report("unknown-key", message, entry.key_span, help);
    }

    /// Whether the value is kept.
    fn value(&mut self, value: &mut Value, ty: &'static Type) -> bool {
        if value.absent && matches!(value.kind, Kind::String(_)) {
            return Self::replace(value, ty);
        }
        if value.secret {
            types::coerce(ty, value);
        }
        if !types::fits(ty, value) {
            self.wrong_type(value, &types::describe(ty), hint(ty, value));
            return Self::replace(value, ty);
        }
        match ty {
            Type::Either(types) => self.either(value, types, ty),
            Type::List(inner) => self.items(value, inner),
            Type::OneOrMany(inner) if value.as_array().is_some() => self.items(value, inner),
            Type::OneOrMany(inner) => self.value(value, inner),
            Type::Table(keys) => self.table(value, keys),
            Type::Short(key, keys) => {
                expand(value, key);
                self.table(value, keys)
            }
            Type::Inline(kind) => self.table(value, kind.keys),
            Type::Map(inner) | Type::RefMap(_, inner) => self.map(value, inner),
            Type::Routes => self.routes(value),
            Type::LaterTable => {
                self.later(&self.here(), value.span);
                false
            }
            _ => self.scalar(value, ty),
        }
    }

    fn scalar(&mut self, value: &mut Value, ty: &'static Type) -> bool {
        let outcome =
            traps::regex_escape(self.sources, value, ty).map_or_else(|| types::scalar(ty, value), Err);
        if let Err(Wrong { code, message, help }) = outcome {
            let message = format!("`{}` {message}", self.here());
            self.report(code, message, value.span, help);
            return Self::replace(value, ty);
        }
        one_form(value, ty);
        true
    }

    fn either(&mut self, value: &mut Value, types: &'static [Type], whole: &'static Type) -> bool {
        let mut fitting = types.iter().filter(|ty| types::fits(ty, value));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => self.value(value, only),
            _ => {
                let right =
                    types.iter().find(|ty| types::fits(ty, value) && types::scalar(ty, value).is_ok());
                if let Some(ty) = right {
                    return self.scalar(value, ty);
                }
                let message =
                    format!("`{}` is {}, but must be {}", self.here(), value.shown(), types::describe(whole));
                self.report("wrong-value", message, value.span, None);
                Self::replace(value, whole)
            }
        }
    }

    fn items(&mut self, value: &mut Value, ty: &'static Type) -> bool {
        if let Kind::Array(items) = &mut value.kind {
            let mut index = 0;
            items.retain_mut(|item| {
                self.path.push(Arc::from(format!("[{index}]")));
                let keep = self.value(item, ty);
                self.path.pop();
                index += 1;
                keep
            });
        }
        true
    }

    fn table(&mut self, value: &mut Value, keys: &'static [Key]) -> bool {
        if let Kind::Table(table) = &mut value.kind {
            self.keys(table, keys, &[], None);
        }
        true
    }

    fn map(&mut self, value: &mut Value, ty: &'static Type) -> bool {
        if let Kind::Table(table) = &mut value.kind {
            table.retain(|key, entry| {
                self.path.push(Arc::clone(key));
                let keep = self.value(&mut entry.value, ty);
                self.path.pop();
                keep
            });
        }
        true
    }

    fn routes(&mut self, value: &mut Value) -> bool {
        let Kind::Table(table) = &mut value.kind else { return false };
        table.retain(|pattern, entry| {
            self.path.push(Arc::clone(pattern));
            let keep = self.route(entry);
            self.path.pop();
            keep
        });
        true
    }

    fn route(&mut self, entry: &mut Entry) -> bool {
        let Kind::Array(items) = &mut entry.value.kind else { return self.node(&SITE_ROUTE, entry) };
        if items.is_empty() {
            self.report("wrong-value", format!("`{}` has no entry", self.here()), entry.value.span, None);
            return false;
        }
        let mut index = 0;
        items.retain_mut(|item| {
            self.path.push(Arc::from(format!("[{index}]")));
            let placeholder = Value::new(Kind::Bool(false), item.span);
            let mut route = Entry { key_span: item.span, value: std::mem::replace(item, placeholder) };
            let keep = self.node(&SITE_ROUTE, &mut route);
            *item = route.value;
            self.path.pop();
            index += 1;
            keep
        });
        !items.is_empty()
    }

    /// Puts something harmless in; `false` where there is nothing.
    fn replace(value: &mut Value, ty: &Type) -> bool {
        match types::stand_in_for(ty, value) {
            Some(harmless) => {
                *value = harmless;
                true
            }
            None => false,
        }
    }

    /// Everything below a key that is secret.
    fn hide(&mut self, value: &mut Value) {
        match &mut value.kind {
            Kind::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Kind::Table(table) => table.iter_mut().for_each(|(_, entry)| self.hide(&mut entry.value)),
            _ => {
                if !value.secret {
                    self.checked.redact.push(value.span);
                }
                value.secret = true;
            }
        }
    }
}

/// What a wrong type is often a slip for.
fn hint(ty: &Type, value: &Value) -> Option<String> {
    match (ty, &value.kind) {
        (Type::Duration(..), Kind::Integer(number)) => Some(format!("write the unit: \"{number}s\"")),
        (Type::Integer(..) | Type::Bool | Type::Float(..), Kind::String(text)) if !value.secret => {
            let mut bare = value.clone();
            types::coerce(ty, &mut bare);
            types::fits(ty, &bare).then(|| format!("without quotes: {text}"))
        }
        (Type::List(_), Kind::String(text)) if !value.secret => Some(format!("write an array: [\"{text}\"]")),
        (Type::Choice(..) | Type::Text, Kind::Integer(_) | Kind::Float(_)) => {
            Some("put it in quotes".to_owned())
        }
        _ => None,
    }
}

/// A string in place of a table with one key.
fn expand(value: &mut Value, key: &str) {
    if matches!(value.kind, Kind::String(_)) {
        let inner = value.clone();
        let mut table = Table::default();
        table.insert(Arc::from(key), Entry { key_span: value.span, value: inner });
        value.kind = Kind::Table(table);
    }
}

/// A single status code as an integer, one of several or a range as a string.
fn one_form(value: &mut Value, ty: &Type) {
    let kind = match (&value.kind, ty) {
        (Kind::String(text), Type::Status) => text.parse().ok().map(Kind::Integer),
        (Kind::Integer(number), Type::Statuses) => Some(Kind::String(Arc::from(number.to_string()))),
        _ => None,
    };
    if let Some(kind) = kind {
        value.kind = kind;
    }
}

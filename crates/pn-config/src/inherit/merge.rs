//! One node over what it inherits: tables merge, scalars and arrays replace, `use` appends, a kind key replaces the
//! parent's and takes away what only the parent's could have, `unset` removes.

use super::is_common;
use crate::schema::{Kind as NodeKind, SITE_ROUTE};
use crate::value::{Entry, Kind, Table};
use std::sync::Arc;

pub(super) fn node(kind: &'static NodeKind, into: &mut Table, own: &Table) {
    for key in own.items("unset").iter().filter_map(|item| item.as_str()) {
        into.remove(key);
    }
    for group in kind.groups {
        let Some(chosen) = group.keys.iter().find(|key| own.has(key)) else { continue };
        group.keys.iter().for_each(|key| drop(into.remove(key)));
        let out_of_place = kind.keys.iter().filter(|key| !key.only.is_empty() && !key.only.contains(chosen));
        out_of_place.for_each(|key| drop(into.remove(key.name)));
    }
    append_use(into, own);
    for (key, entry) in own.iter() {
        match &**key {
            "use" => {}
            "unset" => append(into, key, entry),
            "routes" if kind.table == "sites" => routes(into, key, entry),
            key if is_common(key) => {}
            _ => over(into, key, entry),
        }
    }
}

/// `use` of `own` after that of `into`.
pub(super) fn append_use(into: &mut Table, own: &Table) {
    if let Some(entry) = own.entry("use") {
        append(into, &Arc::from("use"), entry);
    }
}

fn append(into: &mut Table, key: &Arc<str>, entry: &Entry) {
    let (Some(Kind::Array(earlier)), Kind::Array(later)) =
        (into.entry_mut(key).map(|entry| &mut entry.value.kind), &entry.value.kind)
    else {
        into.insert(Arc::clone(key), entry.clone());
        return;
    };
    if earlier.is_empty() {
        into.insert(Arc::clone(key), entry.clone());
    } else {
        earlier.extend(later.iter().cloned());
    }
}

fn routes(into: &mut Table, key: &Arc<str>, entry: &Entry) {
    let (Some(Kind::Table(earlier)), Kind::Table(later)) =
        (into.entry_mut(key).map(|entry| &mut entry.value.kind), &entry.value.kind)
    else {
        into.insert(Arc::clone(key), entry.clone());
        return;
    };
    for (pattern, route) in later.iter() {
        match (
            earlier.entry_mut(pattern).map(|entry| (&mut entry.key_span, &mut entry.value.kind)),
            &route.value.kind,
        ) {
            (Some((span, Kind::Table(parent))), Kind::Table(own)) => {
                *span = route.key_span;
                node(&SITE_ROUTE, parent, own);
            }
            _ => drop(earlier.insert(Arc::clone(pattern), route.clone())),
        }
    }
}

fn over(into: &mut Table, key: &Arc<str>, entry: &Entry) {
    match (into.entry_mut(key).map(|entry| &mut entry.value.kind), &entry.value.kind) {
        (Some(Kind::Table(earlier)), Kind::Table(later)) => {
            later.iter().for_each(|(key, entry)| over(earlier, key, entry));
        }
        _ => drop(into.insert(Arc::clone(key), entry.clone())),
    }
}

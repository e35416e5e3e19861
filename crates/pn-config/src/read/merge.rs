//! Several files as one tree, by key. Sections, nodes and a site's routes may be spread over files; a key that two
//! files define is an error that names both places.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::{Entry, Kind, Table};
use pn_model::NodePath;
use std::sync::Arc;

/// Takes `from` into `into`. `path` is where both stand.
pub(super) fn merge(into: &mut Table, from: Table, path: &mut Vec<Arc<str>>, out: &mut Diagnostics) {
    for (key, entry) in from.into_entries() {
        path.push(Arc::clone(&key));
        match into.entry_mut(&key) {
            None => drop(into.insert(key, entry)),
            Some(earlier) => both(earlier, entry, path, out),
        }
        path.pop();
    }
}

fn both(earlier: &mut Entry, later: Entry, path: &mut Vec<Arc<str>>, out: &mut Diagnostics) {
    let Entry { key_span, value } = later;
    match (&mut earlier.value.kind, value.kind) {
        (Kind::Table(into), Kind::Table(from)) if spreads(path) => merge(into, from, path, out),
        _ => out.push(
            Diagnostic::error("duplicate-key", format!("`{}` is defined twice", NodePath(path.clone())))
                .at(key_span, "again here")
                .at(earlier.key_span, "first here")
                .help("keep one of them"),
        ),
    }
}

/// Whether the table at `path` may be written in parts: what lies in a node is a value, but for a site's routes.
fn spreads(path: &[Arc<str>]) -> bool {
    match path {
        [_] | [_, _] => true,
        [sites, _, routes] | [sites, _, routes, _] => &**sites == "sites" && &**routes == "routes",
        _ => false,
    }
}

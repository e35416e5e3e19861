//! What a change of configuration means: nodes that come, go or change, and which running state outlives it. Of two
//! models, so a change of spelling alone is no change. Values are never shown: some are secret.

mod fields;
mod render;
mod state;
#[cfg(test)]
mod tests;

use pn_model::{Model, Route, RouteName, SiteName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The difference between two models.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Diff {
    pub changes: Vec<Change>,
}

/// What happens to one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `service`, `site`, `route`..
    pub kind: &'static str,
    /// Empty for process-wide sections.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub what: What,
    /// Keys whose meaning changes, of an altered node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<&'static str>,
    /// What becomes of the node's running state, where there is any to speak of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Added,
    Dropped,
    Altered,
}

/// Running state of a changed node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    pub of: String,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Goes on as it is.
    Kept,
    /// Starts anew.
    Reset,
    /// Ends, after those that use it are done.
    Drained,
    /// Applies when the process starts again.
    Restart,
}

/// Compares two models. State that is not mentioned survives.
pub fn diff(old: &Model, new: &Model) -> Diff {
    let mut changes = fields::sections(old, new);
    changes.extend(nodes("listener", &old.listeners, &new.listeners, fields::listener, state::listener));
    changes.extend(nodes("issuer", &old.issuers, &new.issuers, fields::issuer, state::none));
    changes.extend(nodes(
        "tls-policy",
        &old.tls_policies,
        &new.tls_policies,
        fields::tls_policy,
        state::tls_policy,
    ));
    changes.extend(nodes("site", &old.sites, &new.sites, fields::site, state::site));
    changes.extend(nodes("route", &routes(old), &routes(new), fields::route, state::none));
    changes.extend(nodes(
        "middleware",
        &old.middlewares,
        &new.middlewares,
        fields::middleware,
        state::middleware,
    ));
    changes.extend(nodes("service", &old.services, &new.services, fields::service, state::service));
    changes.extend(nodes("transport", &old.transports, &new.transports, fields::transport, state::transport));
    Diff { changes }
}

/// A node before and after; one of them may be missing.
type Pair<'a, T> = (Option<&'a T>, Option<&'a T>);

fn nodes<K: Ord + ToString, T>(
    kind: &'static str,
    old: &BTreeMap<K, T>,
    new: &BTreeMap<K, T>,
    fields: impl Fn(&T, &T) -> Vec<&'static str>,
    state: impl Fn(Pair<'_, T>) -> Vec<State>,
) -> Vec<Change> {
    let names: BTreeSet<&K> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let pair = (old.get(name), new.get(name));
        let (what, fields) = match pair {
            (Some(before), Some(after)) => match fields(before, after) {
                fields if fields.is_empty() => continue,
                fields => (What::Altered, fields),
            },
            (Some(_), None) => (What::Dropped, Vec::new()),
            _ => (What::Added, Vec::new()),
        };
        changes.push(Change { kind, name: name.to_string(), what, fields, state: state(pair) });
    }
    changes
}

/// Routes by site and name; a free-form one stands once under each of its sites.
fn routes(model: &Model) -> BTreeMap<RouteKey, &Route> {
    let of_site = |(site, node): (&SiteName, &'_ pn_model::Site)| {
        let key = |route: &Route| RouteKey { site: site.clone(), route: route.name.clone() };
        node.routes.iter().map(key).collect::<Vec<_>>()
    };
    let keys = model.sites.iter().flat_map(of_site);
    keys.zip(model.sites.values().flat_map(|site| &site.routes)).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RouteKey {
    site: SiteName,
    route: RouteName,
}

/// `HOST/PATH` tells the site; the name of a free-form route does not.
impl std::fmt::Display for RouteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.route.as_str().starts_with(self.site.as_str()) {
            write!(f, "{}", self.route)
        } else {
            write!(f, "{} on {}", self.route, self.site)
        }
    }
}

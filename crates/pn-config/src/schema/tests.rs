//! The description itself: what it says of each key must hold together.

use super::{COMMON, KINDS, Key, Kind, SITE_ROUTE, Type, check, types};
use crate::inherit::default;
use crate::tests::{findings, load_text};
use std::collections::HashSet;

/// Every key with the path that leads to it.
fn keys() -> Vec<(String, &'static Key)> {
    fn below(ty: &'static Type, path: &str, out: &mut Vec<(String, &'static Key)>) {
        match ty {
            Type::Table(keys) | Type::Short(_, keys) => keys.iter().for_each(|key| one(key, path, out)),
            Type::List(inner) | Type::OneOrMany(inner) | Type::Map(inner) | Type::RefMap(_, inner) => {
                below(inner, path, out);
            }
            Type::Either(types) => types.iter().for_each(|ty| below(ty, path, out)),
            _ => {}
        }
    }
    fn one(key: &'static Key, path: &str, out: &mut Vec<(String, &'static Key)>) {
        let path = format!("{path}.{}", key.name);
        below(&key.ty, &path, out);
        out.push((path, key));
    }
    let mut out = Vec::new();
    for kind in kinds() {
        kind.keys.iter().for_each(|key| one(key, kind.table, &mut out));
    }
    out
}

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().chain([&SITE_ROUTE])
}

/// `pn-middleware` registers what the model lists, so that what may be written can be built, and the other way round.
#[test]
fn middlewares_are_those_of_the_model() {
    let kind = super::kind("middlewares").unwrap();
    let keys: Vec<_> = kind.keys.iter().filter(|key| !key.later).map(|key| key.name).collect();
    assert_eq!(keys, pn_model::MiddlewareKind::KEYS);
}

#[test]
fn keys_are_described() {
    for (path, key) in keys() {
        assert!(check::is_name(key.name), "{path} is not kebab-case");
        assert!(key.doc.ends_with('.') && key.doc.len() > 5, "{path} has no doc");
        assert!(!key.required || default(key).is_none(), "{path} is required and has a default");
        if let Type::Choice(words, later) = key.ty {
            let all: HashSet<_> = words.iter().chain(later).collect();
            assert!(!words.is_empty() && all.len() == words.len() + later.len(), "{path} repeats a word");
        }
    }
}

#[test]
fn defaults_are_of_their_own_type() {
    for (path, key) in keys() {
        let Some(value) = default(key) else { continue };
        let text = format!("{path} = {}", crate::explain::inline(&value));
        assert!(types::fits(&key.ty, &value), "{text}");
        for item in value.items() {
            let inner = match key.ty {
                Type::List(inner) | Type::OneOrMany(inner) => inner,
                ref own => own,
            };
            assert!(types::scalar(inner, item).is_ok(), "{text}");
        }
    }
}

#[test]
fn groups_and_conditions_name_keys() {
    for kind in kinds() {
        let names: HashSet<_> = kind.keys.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), kind.keys.len(), "{} repeats a key", kind.table);
        assert!(COMMON.iter().all(|key| !names.contains(key.name) || !kind.inherits), "{}", kind.table);
        let grouped = kind.groups.iter().flat_map(|group| group.keys);
        let only = kind.keys.iter().flat_map(|key| key.only);
        grouped.chain(only).for_each(|name| assert!(names.contains(name), "{}.{name}", kind.table));
    }
}

/// The spellings that are promised: all of them are known, and those of later versions are refused by name.
#[test]
fn promised_spellings_are_known() {
    let found = findings(&load_text(include_str!("../../tests/spelling.toml")));
    let unknown: Vec<_> = found
        .lines()
        .filter(|line| {
            ["unknown-key", "wrong-", "kind-key", "missing-key"].iter().any(|code| line.contains(code))
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    let later: Vec<_> = found
        .lines()
        .filter_map(|line| line.split_once("not-in-this-version: `").map(|(_, rest)| rest))
        .filter_map(|rest| rest.split_once('`').map(|(name, _)| name))
        .collect();
    let expected = [
        "services.shadowed.mirror",
        "services.safe.failover",
        "streams",
        "tls-policies.modern.signals",
        "plugins",
    ];
    assert_eq!(later, expected);
}

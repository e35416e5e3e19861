//! The reference of every key as Markdown. Generated, so that it cannot drift from what is checked.

use super::{COMMON, Default, KINDS, Key, Kind, SITE_ROUTE, Type, types};
use crate::inherit::default;
use crate::value;

/// The whole reference, one section a kind.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration reference\n\nGenerated from the schema. Keys are kebab-case; durations and sizes carry units \
         (`\"10s\"`, `\"2MiB\"`). In any string `${env:NAME}` and `${file:PATH}` are replaced by a secret; `$${` is \
         a literal `${`. `include = [\"conf.d/*.toml\"]` at the top of a file takes in others. `[defaults.KIND]` \
         holds what every node of `listeners`, `sites`, `services` and `transports` starts from.\n",
    );
    out.push_str("\n## Keys of every named node\n\nOf the kinds that inherit.\n");
    rows(&mut out, COMMON, "");
    for kind in KINDS {
        section(&mut out, kind);
        if kind.table == "sites" {
            section(&mut out, &SITE_ROUTE);
        }
    }
    out
}

fn section(out: &mut String, kind: &'static Kind) {
    let title = match (kind.table, kind.named) {
        ("routes", _) if kind.section.is_none() => "sites.\"HOST\".routes.\"PATH\"".to_owned(),
        ("sites", _) => "sites.\"HOST\"".to_owned(),
        (table, true) => format!("{table}.NAME"),
        (table, false) => table.to_owned(),
    };
    out.push_str(&format!("\n## {title}\n\n{}\n", kind.doc));
    if kind.keys.is_empty() {
        out.push_str("\n*Not in this version: refused by name.*\n");
        return;
    }
    let none = !super::check::DEFAULTS.contains(&kind.table) && kind.inherits;
    if none {
        out.push_str("\nThis kind has no `[defaults]`.\n");
    }
    for group in kind.groups {
        let now = |key: &&&str| kind.key(key).is_some_and(|key| !key.later);
        let keys: Vec<_> = group.keys.iter().filter(now).map(|key| format!("`{key}`")).collect();
        let count = if group.required { "Exactly" } else { "At most" };
        out.push_str(&format!("\n{count} one of {}.\n", keys.join(", ")));
    }
    rows(out, kind.keys, "");
    let later: Vec<_> =
        kind.keys.iter().filter(|key| key.later).map(|key| format!("`{}`", key.name)).collect();
    if !later.is_empty() {
        out.push_str(&format!("\nNot in this version, refused by name: {}.\n", later.join(", ")));
    }
    out.push_str(&format!("\n```toml\n{}```\n", kind.example));
}

fn rows(out: &mut String, keys: &'static [Key], prefix: &str) {
    if prefix.is_empty() {
        out.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    }
    for key in keys.iter().filter(|key| !key.later) {
        let doc = key.doc.replace('|', "\\|");
        let ty = type_name(&key.ty).replace('|', "\\|");
        out.push_str(&format!("| `{prefix}{}` | {ty} | {} | {doc} |\n", key.name, default_text(key)));
        inner_keys(&key.ty).into_iter().for_each(|keys| rows(out, keys, &format!("{prefix}{}.", key.name)));
    }
}

/// The keys of the tables that a type may be.
fn inner_keys(ty: &'static Type) -> Vec<&'static [Key]> {
    match ty {
        Type::Table(keys) | Type::Short(_, keys) => vec![keys],
        Type::List(inner) | Type::OneOrMany(inner) => inner_keys(inner),
        Type::Either(types) => types.iter().flat_map(inner_keys).collect(),
        _ => Vec::new(),
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Choice(words, _) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Type::Duration(min, max) => {
            let show = |millis| types::show_duration(std::time::Duration::from_millis(millis));
            format!("duration, {} to {}", show(*min), show(*max))
        }
        Type::Size(min, max) => format!("size, {} to {}", types::show_size(*min), types::show_size(*max)),
        Type::List(inner) => format!("array: {}", type_name(inner)),
        Type::OneOrMany(inner) => format!("{}, or array", type_name(inner)),
        Type::Either(types) => {
            let types = types.iter().filter(|ty| !matches!(ty, Type::LaterTable));
            types.map(type_name).collect::<Vec<_>>().join(", or ")
        }
        Type::Inline(kind) => format!("table of `{}`", kind.table),
        other => types::describe(other).trim_start_matches("an ").trim_start_matches("a ").to_owned(),
    }
}

fn default_text(key: &Key) -> String {
    match key.default {
        _ if key.required => "required".to_owned(),
        Default::None(text) => text.to_owned(),
        Default::Table => String::new(),
        _ => default(key)
            .map_or_else(String::new, |value: value::Value| format!("`{}`", crate::explain::inline(&value))),
    }
}

//! The reference of every key, as Markdown: one page a kind of node.

use crate::schema::types::{describe, show_duration, show_size};
use crate::schema::{COMMON, Default, Group, KINDS, Key, Kind, SITE_ROUTE, Type};
use std::time::Duration;

/// One file of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `sites.md`
    pub name: String,
    pub text: String,
}

const NOTE: &str = "<!-- Generated from the schema by `cargo xtask docs`. Do not edit. -->\n\n";

/// The pages of the reference, the index `README.md` first.
pub fn reference() -> Vec<Page> {
    let kinds = KINDS.iter().filter(|kind| kind.section.is_some());
    std::iter::once(index()).chain(kinds.map(|kind| page(kind))).collect()
}

fn index() -> Page {
    let mut text = format!("{NOTE}# Configuration reference\n\n");
    text.push_str(
        "A file is TOML, or JSON of the same shape. Keys are kebab-case, durations and sizes carry units, and in any \
         string `${env:NAME}` and `${file:PATH}` are replaced. `include = [\"conf.d/*.toml\"]` adds files; \
         `[defaults.KIND]` holds fields that every node of a kind starts from.\n\n| table | what it is |\n|---|---|\n",
    );
    for kind in KINDS {
        text.push_str(&match kind.section {
            Some(_) => format!("| [`{0}`]({0}.md) | {1} |\n", kind.table, cell(kind.doc)),
            None => format!("| `{}` | {} Not in this version. |\n", kind.table, cell(kind.doc)),
        });
    }
    Page { name: "README.md".to_owned(), text }
}

fn page(kind: &Kind) -> Page {
    let title = if kind.named { format!("{}.NAME", kind.table) } else { kind.table.to_owned() };
    let mut text = format!("{NOTE}# `{title}`\n\n{}\n", kind.doc);
    text.push_str(&example(kind));
    groups(&mut text, kind.groups);
    text.push_str("\n## Keys\n");
    table(&mut text, kind.keys, "");
    if kind.inherits {
        text.push_str("\nAs of every kind with inheritance:\n");
        table(&mut text, COMMON, "");
    }
    if kind.table == "sites" {
        text.push_str(&format!("\n## `routes.\"PATH\"`\n\n{}\n{}", SITE_ROUTE.doc, example(&SITE_ROUTE)));
        groups(&mut text, SITE_ROUTE.groups);
        table(&mut text, SITE_ROUTE.keys, "routes.\"PATH\".");
    }
    Page { name: format!("{}.md", kind.table), text }
}

fn example(kind: &Kind) -> String {
    if kind.example.is_empty() {
        return String::new();
    }
    format!("\n```toml\n{}\n```\n", kind.example.trim_end())
}

fn groups(text: &mut String, groups: &[Group]) {
    for group in groups {
        let keys: Vec<_> = group.keys.iter().map(|key| format!("`{key}`")).collect();
        let count = if group.required { "Exactly one of" } else { "At most one of" };
        text.push_str(&format!("\n{count} {}.\n", keys.join(", ")));
    }
}

/// The keys of a table, then the tables below it, each with its own heading.
fn table(text: &mut String, keys: &[Key], prefix: &str) {
    text.push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for key in keys.iter().filter(|key| !key.later) {
        let default = if key.required { "required".to_owned() } else { show(key.default) };
        let (value, meaning) = (cell(&value(&key.ty)), cell(&meaning(key)));
        text.push_str(&format!("| `{}` | {value} | {} | {meaning} |\n", key.name, cell(&default)));
    }
    let later: Vec<_> = keys.iter().filter(|key| key.later).map(|key| format!("`{}`", key.name)).collect();
    if !later.is_empty() {
        text.push_str(&format!("\nNot in this version: {}.\n", later.join(", ")));
    }
    for key in keys.iter().filter(|key| !key.later) {
        for inner in tables(&key.ty) {
            text.push_str(&format!("\n### `{prefix}{}`\n", key.name));
            table(text, inner, &format!("{prefix}{}.", key.name));
        }
    }
}

fn meaning(key: &Key) -> String {
    let mut meaning = key.doc.to_owned();
    if !key.only.is_empty() {
        let only: Vec<_> = key.only.iter().map(|name| format!("`{name}`")).collect();
        meaning.push_str(&format!(" Only beside {}.", only.join(" or ")));
    }
    if key.secret {
        meaning.push_str(" Never shown.");
    }
    meaning
}

/// Tables of keys inside a type.
fn tables(ty: &Type) -> Vec<&'static [Key]> {
    match ty {
        Type::Table(keys) | Type::Short(_, keys) => vec![keys],
        Type::List(inner) | Type::OneOrMany(inner) | Type::Map(inner) => tables(inner),
        Type::Either(types) => types.iter().flat_map(tables).collect(),
        _ => Vec::new(),
    }
}

fn value(ty: &Type) -> String {
    match ty {
        Type::Duration(min, max) => {
            let show = |millis: u64| show_duration(Duration::from_millis(millis));
            format!("{}, {} to {}", describe(ty), show(*min), show(*max))
        }
        Type::Size(min, max) => format!("{}, {} to {}", describe(ty), show_size(*min), show_size(*max)),
        Type::Choice(words, later) => {
            let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            let later =
                if later.is_empty() { String::new() } else { format!("; later {}", later.join(", ")) };
            format!("{}{later}", words.join(", "))
        }
        Type::Inline(kind) => format!("a table with the keys of [`{0}`]({0}.md)", kind.table),
        Type::Ref(section) => format!("the name of one of [`{0}`]({0}.md)", section.name()),
        Type::List(inner) => format!("an array, each {}", value(inner)),
        Type::OneOrMany(inner) => format!("{}, or an array of such", value(inner)),
        Type::Either(types) => {
            let known = types.iter().filter(|ty| !matches!(ty, Type::LaterTable));
            known.map(value).collect::<Vec<_>>().join(", or ")
        }
        other => describe(other),
    }
}

fn show(default: Default) -> String {
    match default {
        Default::None(text) => text.to_owned(),
        Default::Str("") => "empty".to_owned(),
        Default::Str(text) => format!("`\"{text}\"`"),
        Default::Int(number) => format!("`{number}`"),
        Default::Float(number) => format!("`{number}`"),
        Default::Bool(flag) => format!("`{flag}`"),
        Default::Strings(items) => format!("`{items:?}`"),
        Default::Floats(items) => format!("`{items:?}`"),
        Default::Table => "by its keys".to_owned(),
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

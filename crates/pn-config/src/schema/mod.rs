//! The one description of every node kind and key. The check of types and ranges, did-you-mean, defaults, the
//! reference, the JSON schema, CUE, `explain` and the key order of `fmt` all derive from it.

mod acme;
pub(crate) mod check;
mod edge;
mod middlewares;
mod process;
pub(crate) mod suggest;
mod tls;
mod traps;
pub(crate) mod types;
mod upstream;
mod walk;

use crate::resolved::Section;

/// A table at the top of a file: the nodes of one kind, or one process-wide setting.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The name of the table: `services`.
    pub table: &'static str,
    /// `None`: not in this version, or (a site's route) no table of its own.
    pub section: Option<Section>,
    /// Whether the table holds named nodes, or is the node itself.
    pub named: bool,
    /// Whether `extends`, `abstract`, `unset` and `[defaults.KIND]` apply.
    pub inherits: bool,
    /// What it is: one sentence.
    pub doc: &'static str,
    pub keys: &'static [Key],
    pub groups: &'static [Group],
    /// TOML that loads by itself.
    pub example: &'static str,
}

/// Keys that exclude each other. A node's own one replaces an inherited one.
#[derive(Debug)]
pub(crate) struct Group {
    pub keys: &'static [&'static str],
    /// Whether one of them must be there.
    pub required: bool,
}

#[derive(Debug)]
pub(crate) struct Key {
    pub name: &'static str,
    pub ty: Type,
    pub default: Default,
    /// Meaning, units, bounds: one or two sentences.
    pub doc: &'static str,
    pub required: bool,
    /// Never shown, however it was written.
    pub secret: bool,
    /// Known, and refused by name.
    pub later: bool,
    /// The key applies only beside one of these (of a group); empty: always.
    pub only: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    /// Absent is absent; the text, if any, says what that means.
    None(&'static str),
    Str(&'static str),
    Int(i64),
    Float(f64),
    Bool(bool),
    Strings(&'static [&'static str]),
    Floats(&'static [f64]),
    /// A table that is there even when nobody wrote it, filled by its own keys' defaults.
    Table,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// Anything: keys of what this version does not run.
    Any,
    Text,
    Bool,
    Integer(i64, i64),
    Float(f64, f64),
    /// Inclusive bounds in milliseconds.
    Duration(u64, u64),
    /// Inclusive bounds in bytes; an integer is bytes.
    Size(u64, u64),
    /// `"100/s"`
    Rate,
    /// `"404"`, `"500-599"` or the integer `404`
    Statuses,
    /// One of these words; the second list is of a later version.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A status code: `404` or `"404"`.
    Status,
    /// RE2-like syntax of the regex crate.
    Regex,
    /// An address or a network in CIDR notation.
    Network,
    /// A host pattern.
    Host,
    /// Where to listen: `"0.0.0.0:80"`, `":80"`, `"unix:/path"`, `"fd:web"`.
    Bind,
    /// A file path.
    File,
    /// PEM: a file path, or the text itself from a secret.
    Pem,
    /// The URL or address of an upstream server.
    Server,
    /// A service by its name, a built-in one, or an address.
    Service,
    /// A Traefik rule.
    Rule,
    /// The name of a node of this kind.
    Ref(Section),
    List(&'static Self),
    /// A list, or one value in place of a list of one.
    OneOrMany(&'static Self),
    Table(&'static [Key]),
    /// A table, or a string that stands for the table with only this key; lowering sees only tables.
    Short(&'static str, &'static [Key]),
    /// Free keys, values of one type.
    Map(&'static Self),
    /// Free keys that are names of nodes of this kind.
    RefMap(Section, &'static Self),
    Either(&'static [Self]),
    /// A table with the keys of this kind, written inline.
    Inline(&'static Kind),
    /// A table of a later version.
    LaterTable,
    /// Routes of a site: tables, or arrays of tables, by path.
    Routes,
}

/// Every kind, in the order in which the reference and `fmt` list them.
pub(crate) static KINDS: &[&Kind] = &[
    &process::RUNTIME,
    &process::ADMIN,
    &process::LOGS,
    &process::METRICS,
    &process::TRACING,
    &process::PROVIDERS,
    &process::CLUSTER,
    &edge::LISTENERS,
    &tls::ISSUERS,
    &tls::TLS_POLICIES,
    &edge::SITES,
    &edge::ROUTES,
    &edge::STREAMS,
    &middlewares::MIDDLEWARES,
    &middlewares::PLUGINS,
    &upstream::SERVICES,
    &upstream::TRANSPORTS,
    &edge::ASSERTS,
];

/// Keys of a site's route; `routes` of a site is not a table of its own at the top of a file.
pub(crate) use edge::SITE_ROUTE;

/// Built-in services of a later version.
pub(crate) const LATER_BUILTINS: &[&str] = &["@dashboard"];

/// Keys that every kind with inheritance has besides its own.
pub(crate) const COMMON: &[Key] = &[
    Key::new("extends", Type::Text, "The node of the same kind that this one starts from."),
    Key::new(
        "abstract",
        Type::Bool,
        "Marks a node that is only a parent: it does not run and nothing may refer to it.",
    )
    .or(Default::Bool(false)),
    Key::new(
        "unset",
        Type::List(&Type::Text),
        "Inherited keys that do not apply here; `use` among them drops inherited middlewares.",
    ),
];

pub(crate) fn kind(table: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.table == table)
}

pub(crate) const DAY_MS: u64 = 86_400_000;
/// Longer than any timeout makes sense, and far from overflow.
pub(crate) const YEAR_MS: u64 = 365 * DAY_MS;

// === impl Key ===

impl Key {
    pub(crate) const fn new(name: &'static str, ty: Type, doc: &'static str) -> Self {
        let default = Default::None("");
        Self { name, ty, default, doc, required: false, secret: false, later: false, only: &[] }
    }

    /// A key of a later version.
    pub(crate) const fn later(name: &'static str, doc: &'static str) -> Self {
        Self { later: true, ..Self::new(name, Type::Any, doc) }
    }

    pub(crate) const fn or(self, default: Default) -> Self {
        Self { default, ..self }
    }

    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(crate) const fn only(self, only: &'static [&'static str]) -> Self {
        Self { only, ..self }
    }
}

// === impl Kind ===

impl Kind {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        let common = if self.inherits { COMMON } else { &[] };
        self.keys.iter().chain(common).find(|key| key.name == name)
    }

    /// A kind of a later version: known, and refused by name.
    const fn later(table: &'static str, named: bool, doc: &'static str) -> Self {
        Self { table, section: None, named, inherits: false, doc, keys: &[], groups: &[], example: "" }
    }
}

#[cfg(test)]
mod tests;

//! The same as CUE definitions, so that `cue vet` and `cue export` know the configuration. Defaults stay out: exported
//! ones would override what a node inherits.

use super::{DURATION, INTERPOLATED, NODE_NAME, RATE, SIZE, STATUS, STATUSES};
use crate::schema::{COMMON, KINDS, Key, Kind, SITE_ROUTE, Type};

/// The schema of a configuration, as a CUE file: `#Config` is the whole.
pub fn cue() -> String {
    let mut out = String::from("// The configuration of proxy-now.\n\npackage proxynow\n\n#Config: {\n");
    line(&mut out, 1, "// Further files, by path or pattern.");
    line(&mut out, 1, "include?: string | [...string]");
    let mut defaults = String::new();
    for kind in KINDS.iter().filter(|kind| kind.section.is_some()) {
        comment(&mut out, 1, kind.doc);
        let (key, one) = (label(kind.table), definition_name(kind.table));
        let names =
            if kind.table == "sites" { "string".to_owned() } else { format!("=~{}", quote(NODE_NAME)) };
        match kind.named {
            true => line(&mut out, 1, &format!("{key}?: {{[{names}]: {one}}}")),
            false => line(&mut out, 1, &format!("{key}?: {one}")),
        }
        if kind.inherits {
            line(&mut defaults, 2, &format!("{key}?: {one}"));
        }
    }
    comment(&mut out, 1, "Fields that every node of a kind starts from.");
    out.push_str(&format!("\tdefaults?: {{\n{defaults}\t}}\n}}\n"));
    for kind in KINDS.iter().filter(|kind| kind.section.is_some()) {
        definition(&mut out, kind, &definition_name(kind.table));
    }
    definition(&mut out, &SITE_ROUTE, "#Route");
    out.push_str(&format!("\n#interpolated: =~{}\n", quote(INTERPOLATED)));
    out
}

fn definition(out: &mut String, kind: &Kind, name: &str) {
    out.push('\n');
    comment(out, 0, kind.doc);
    line(out, 0, &format!("{name}: {{"));
    let common = if kind.inherits { COMMON } else { &[] };
    fields(out, kind.keys.iter().chain(common), 1, !kind.inherits);
    line(out, 0, "}");
}

/// `whole`: nothing of it can be inherited, so what is required must be there.
fn fields<'k>(out: &mut String, keys: impl Iterator<Item = &'k Key>, level: usize, whole: bool) {
    for key in keys.filter(|key| !key.later) {
        comment(out, level, key.doc);
        let mark = if key.required && whole { "!" } else { "?" };
        line(out, level, &format!("{}{mark}: {}", label(key.name), ty(&key.ty, level)));
    }
}

fn ty(of: &Type, level: usize) -> String {
    let string = |regex: &str| format!("=~{}", quote(regex));
    match of {
        Type::Any | Type::LaterTable => "_|_".to_owned(),
        Type::Bool => "bool | #interpolated".to_owned(),
        Type::Integer(min, max) => format!("int & >={min} & <={max} | #interpolated"),
        Type::Float(min, max) => format!("number & >={min} & <={max} | #interpolated"),
        Type::Duration(..) => format!("{} | #interpolated", string(DURATION)),
        Type::Size(..) => format!("int & >=0 | {} | #interpolated", string(SIZE)),
        Type::Rate => format!("{} | #interpolated", string(RATE)),
        Type::Status => format!("int & >=100 & <=599 | {} | #interpolated", string(STATUS)),
        Type::Statuses => format!("int & >=100 & <=599 | {} | #interpolated", string(STATUSES)),
        Type::Choice(words, _) => {
            let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
            format!("{} | #interpolated", words.join(" | "))
        }
        Type::List(inner) => format!("[...{}]", item(inner, level)),
        Type::OneOrMany(inner) => format!("{0} | [...{0}]", item(inner, level)),
        Type::Table(keys) => table(keys, level, false),
        Type::Short(_, keys) => format!("string | {}", table(keys, level, false)),
        Type::Map(inner) | Type::RefMap(_, inner) => format!("{{[string]: {}}}", ty(inner, level)),
        Type::Either(types) => types.iter().map(|of| ty(of, level)).collect::<Vec<_>>().join(" | "),
        Type::Inline(kind) => definition_name(kind.table),
        Type::Routes => "{[string]: #Route | [...#Route]}".to_owned(),
        Type::Text
        | Type::Regex
        | Type::Network
        | Type::Host
        | Type::Bind
        | Type::File
        | Type::Pem
        | Type::Server
        | Type::Service
        | Type::Rule
        | Type::Ref(_) => "string".to_owned(),
    }
}

/// Of an array, whose tables are whole; in parentheses where it is a choice.
fn item(of: &Type, level: usize) -> String {
    let text = match of {
        Type::Table(keys) => table(keys, level, true),
        Type::Short(_, keys) => format!("string | {}", table(keys, level, true)),
        other => ty(other, level),
    };
    let choice = text.contains(" | ") && !text.starts_with('{');
    if choice { format!("({text})") } else { text }
}

fn table(keys: &[Key], level: usize, whole: bool) -> String {
    let mut out = "{\n".to_owned();
    fields(&mut out, keys.iter(), level + 1, whole);
    out.push_str(&"\t".repeat(level));
    out.push('}');
    out
}

/// `tls-policies` is `#TlsPolicies`.
fn definition_name(table: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    format!("#{}", table.split('-').map(capital).collect::<String>())
}

/// A key is quoted unless it is an identifier.
fn label(key: &str) -> String {
    if key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') { key.to_owned() } else { quote(key) }
}

/// In CUE's raw form where a backslash stands for itself.
fn quote(text: &str) -> String {
    if text.contains(['\\', '"']) { format!("#\"{text}\"#") } else { format!("\"{text}\"") }
}

fn comment(out: &mut String, level: usize, text: &str) {
    if !text.is_empty() {
        line(out, level, &format!("// {text}"));
    }
}

fn line(out: &mut String, level: usize, text: &str) {
    out.push_str(&"\t".repeat(level));
    out.push_str(text);
    out.push('\n');
}

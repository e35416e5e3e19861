//! CUE definitions: `cue vet -d '#Config' schema.cue site.cue`, and `cue export` for the proxy.

use super::pattern;
use crate::schema::check::DEFAULTS;
use crate::schema::{COMMON, KINDS, Key, Kind, SITE_ROUTE, Type};

/// Closed definitions of a whole file. What this version does not run is not in them.
pub fn cue() -> String {
    let kinds = || KINDS.iter().filter(|kind| kind.section.is_some());
    let mut out = String::from("package proxynow\n\n#Config: {\n\tinclude?: [...string]\n\tdefaults?: {\n");
    for kind in kinds().filter(|kind| DEFAULTS.contains(&kind.table)) {
        out.push_str(&format!("\t\t{}?: {}\n", label(kind.table), name(kind)));
    }
    out.push_str("\t}\n");
    for kind in kinds() {
        let node = if kind.named { format!("[string]: {}", name(kind)) } else { String::new() };
        let node = if kind.named { format!("{{{node}}}") } else { name(kind) };
        out.push_str(&format!("\t{}?: {node}\n", label(kind.table)));
    }
    out.push_str("}\n");
    kinds().for_each(|kind| definition(&mut out, kind));
    definition(&mut out, &SITE_ROUTE);
    out
}

fn name(kind: &Kind) -> String {
    if std::ptr::eq(kind, &SITE_ROUTE) {
        return "#SiteRoute".to_owned();
    }
    let words = kind.table.split('-').map(|word| {
        let (head, tail) = word.split_at(1);
        format!("{}{tail}", head.to_ascii_uppercase())
    });
    format!("#{}", words.collect::<String>())
}

fn definition(out: &mut String, kind: &Kind) {
    out.push_str(&format!("\n// {}\n{}: {{\n", kind.doc, name(kind)));
    let common = if kind.inherits { COMMON } else { &[] };
    keys(out, kind.keys.iter().chain(common), 1);
    out.push_str("}\n");
}

fn keys(out: &mut String, keys: impl Iterator<Item = &'static Key>, depth: usize) {
    let tabs = "\t".repeat(depth);
    for key in keys.filter(|key| !key.later) {
        out.push_str(&format!("{tabs}// {}\n{tabs}{}?: {}\n", key.doc, label(key.name), of(&key.ty, depth)));
    }
}

fn label(name: &str) -> String {
    if name.contains('-') { format!("{name:?}") } else { name.to_owned() }
}

fn of(ty: &'static Type, depth: usize) -> String {
    let string = || pattern(ty).map_or_else(|| "string".to_owned(), |pattern| format!("=~#\"{pattern}\"#"));
    match ty {
        Type::Any | Type::LaterTable => "_".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Integer(min, max) => format!("int & >={min} & <={max}"),
        Type::Float(min, max) => format!("number & >={min:?} & <={max:?}"),
        Type::Size(min, max) => format!("({}) | (int & >={min} & <={max})", string()),
        Type::Status | Type::Statuses => format!("({}) | (int & >=100 & <=599)", string()),
        Type::Choice(words, _) => {
            words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" | ")
        }
        Type::List(inner) => format!("[...({})]", of(inner, depth)),
        Type::OneOrMany(inner) => format!("({0}) | [...({0})]", of(inner, depth)),
        Type::Table(keys) => table(keys, depth),
        Type::Short(_, keys) => format!("string | {}", table(keys, depth)),
        Type::Map(inner) | Type::RefMap(_, inner) => format!("{{[string]: {}}}", of(inner, depth)),
        Type::Either(types) => {
            let types = types.iter().filter(|ty| !matches!(ty, Type::LaterTable));
            types.map(|ty| format!("({})", of(ty, depth))).collect::<Vec<_>>().join(" | ")
        }
        Type::Inline(kind) => name(kind),
        Type::Routes => "{[string]: #SiteRoute | [#SiteRoute, ...#SiteRoute]}".to_owned(),
        _ => string(),
    }
}

fn table(inner: &'static [Key], depth: usize) -> String {
    let mut out = "{\n".to_owned();
    keys(&mut out, inner.iter(), depth + 1);
    out.push_str(&"\t".repeat(depth));
    out.push('}');
    out
}

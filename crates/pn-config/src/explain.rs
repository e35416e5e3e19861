//! `explain NODE`: every effective value as TOML, with the place it came from, or `default`.

use crate::resolved::{Node, Resolved, Section};
use crate::schema::{KINDS, suggest};
use crate::sources::Sources;
use crate::value::{Kind, Span, Table, Value};
use pn_model::NodePath;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Comments stand here where the values leave room for it.
const COLUMN: usize = 48;

/// The node named as in a table header: `services.api`, `sites."a.b".routes."/x/*"`. The error is a sentence.
pub(crate) fn explain(resolved: &Resolved, sources: &Sources, name: &str) -> Result<String, String> {
    let path = parse(name)?;
    let page = Page { sources, out: String::new() };
    let (first, rest) = path.split_first().ok_or("name a node, such as `services.api`")?;
    let section = Section::ALL.into_iter().find(|section| section.name() == first).ok_or_else(|| {
        let tables = KINDS.iter().filter(|kind| kind.section.is_some()).map(|kind| kind.table);
        hint(&format!("there are no nodes `{first}`"), suggest::did_you_mean(first, tables))
    })?;
    if let Some(node) = resolved.single(section) {
        return Ok(page.whole(node, false));
    }
    let Some((own, tail)) = rest.split_first() else {
        let names = resolved.of(section).map(|node| node.path.to_string()).collect::<Vec<_>>();
        return Err(hint("name one node", Some(format!("there are {}", names.join(", ")))));
    };
    if let [routes, pattern @ ..] = tail
        && routes == "routes"
        && let Some(site) = resolved.get(section, own)
    {
        return page.routes(site, pattern);
    }
    // Hosts are often named without quotes here.
    let joined = rest.join(".");
    let abstracts = resolved.abstracts.get(&section);
    for name in [own.as_str(), &joined] {
        if let Some(node) = resolved.get(section, name) {
            return Ok(page.whole(node, false));
        }
        if let Some(node) = abstracts.and_then(|nodes| nodes.get(name)) {
            return Ok(page.whole(node, true));
        }
    }
    let names = resolved.of(section).map(|node| &*node.name);
    Err(hint(&format!("there is no `{}.{joined}`", section.name()), suggest::did_you_mean(&joined, names)))
}

fn hint(message: &str, help: Option<String>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}: {help}"))
}

/// The keys of a table header.
fn parse(name: &str) -> Result<Vec<String>, String> {
    let text = format!("[{name}]");
    let document = DeTable::parse(&text).map_err(|_| {
        format!("`{name}` is not a path: write it as in a table header, `sites.\"app.internal\"`")
    })?;
    let mut path = Vec::new();
    let mut table = document.get_ref();
    while let Some((key, value)) = table.iter().next() {
        path.push(key.get_ref().to_string());
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    Ok(path)
}

struct Page<'a> {
    sources: &'a Sources,
    out: String,
}

impl Page<'_> {
    fn whole(mut self, node: &Node, is_abstract: bool) -> String {
        if is_abstract {
            self.out.push_str("# abstract: only a parent, does not run\n");
        }
        self.node(node, false);
        for route in &node.routes {
            self.out.push('\n');
            self.route(node, route);
        }
        self.out
    }

    fn routes(mut self, site: &Node, pattern: &[String]) -> Result<String, String> {
        let wanted = pattern.first().map(String::as_str);
        let mut found =
            site.routes.iter().filter(|route| wanted.is_none_or(|wanted| *route.name == *wanted)).peekable();
        if found.peek().is_none() {
            let names = site.routes.iter().map(|route| &*route.name);
            let help = suggest::did_you_mean(wanted.unwrap_or(""), names);
            return Err(hint(&format!("`{}` has no such route", site.path), help));
        }
        for route in found {
            self.route(site, route);
        }
        Ok(self.out)
    }

    fn route(&mut self, site: &Node, route: &Node) {
        let one_of_many = route.path.0.len() > site.path.0.len() + 2;
        self.node(route, one_of_many);
    }

    fn node(&mut self, node: &Node, one_of_many: bool) {
        let keys = if one_of_many {
            node.path.0.split_last().map_or(&[][..], |(_, keys)| keys)
        } else {
            &node.path.0
        };
        let header = NodePath(keys.to_vec());
        let header = if one_of_many { format!("[[{header}]]") } else { format!("[{header}]") };
        self.line(&header, node.span);
        self.table(&node.table, &NodePath::default());
    }

    fn table(&mut self, table: &Table, path: &NodePath) {
        for (key, entry) in table.iter() {
            self.value(&entry.value, &path.child(Arc::clone(key)));
        }
    }

    /// A leaf on one line; a table as dotted keys, so that each has its own place.
    fn value(&mut self, value: &Value, path: &NodePath) {
        match &value.kind {
            Kind::Table(table) if !table.is_empty() => self.table(table, path),
            Kind::Array(items) if items.iter().any(|item| !inside(item.span, value.span)) => {
                self.out.push_str(&format!("{path} = [\n"));
                for item in items {
                    let item_text = format!("    {},", inline(item));
                    self.line(&item_text, item.span);
                }
                self.out.push_str("]\n");
            }
            _ => self.line(&format!("{path} = {}", inline(value)), value.span),
        }
    }

    fn line(&mut self, text: &str, span: Span) {
        let place = self.sources.place(span).map_or_else(|| "default".to_owned(), |place| place.to_string());
        self.out.push_str(&format!("{text:<COLUMN$}  # {place}\n"));
    }
}

/// Elements that were collected from several places are shown one a line.
fn inside(inner: Span, outer: Span) -> bool {
    inner == Span::NONE || (inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end)
}

/// As TOML on one line; secrets as stars.
pub(crate) fn inline(value: &Value) -> String {
    if value.secret && !matches!(value.kind, Kind::Array(_) | Kind::Table(_)) {
        return "\"***\"".to_owned();
    }
    match &value.kind {
        Kind::String(text) => toml::Value::from(&**text).to_string(),
        Kind::Integer(number) => number.to_string(),
        Kind::Float(number) => toml::Value::from(*number).to_string(),
        Kind::Bool(flag) => flag.to_string(),
        Kind::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Kind::Table(table) if table.is_empty() => "{}".to_owned(),
        Kind::Table(table) => {
            let entry = |(key, entry): (&Arc<str>, &crate::value::Entry)| {
                format!("{} = {}", NodePath::of([Arc::clone(key)]), inline(&entry.value))
            };
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

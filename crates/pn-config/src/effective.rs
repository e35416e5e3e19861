//! The resolved tree as JSON, in the shape of the configuration: every value that holds, wherever it came from. For
//! people and tools that ask what runs; secrets are covered.

use crate::resolved::{Node, Resolved, Section};
use crate::value::{Kind, Table, Value};
use serde_json::{Map, Value as Json, json};

pub(crate) fn json(resolved: &Resolved) -> Json {
    let mut root = Map::new();
    for section in Section::ALL {
        if let Some(node) = resolved.single(section) {
            root.insert(section.name().to_owned(), node_json(node));
            continue;
        }
        let nodes: Map<_, _> =
            resolved.of(section).map(|node| (node.name.to_string(), node_json(node))).collect();
        if !nodes.is_empty() {
            root.insert(section.name().to_owned(), Json::Object(nodes));
        }
    }
    Json::Object(root)
}

/// Routes of one path are an array, as they are written where one path splits by condition.
fn node_json(node: &Node) -> Json {
    let mut object = table(&node.table);
    let mut routes = Map::new();
    for route in &node.routes {
        let entry = routes.entry(route.name.to_string()).or_insert_with(|| json!([]));
        if let Json::Array(list) = entry {
            list.push(node_json(route));
        }
    }
    if !routes.is_empty() {
        object.insert("routes".to_owned(), Json::Object(routes));
    }
    Json::Object(object)
}

fn table(table: &Table) -> Map<String, Json> {
    table.iter().map(|(key, entry)| (key.to_string(), value(&entry.value, false))).collect()
}

/// `covered`: something above it is secret.
fn value(value: &Value, covered: bool) -> Json {
    let covered = covered || value.secret;
    match &value.kind {
        Kind::Table(inner) => {
            inner.iter().map(|(key, entry)| (key.to_string(), self::value(&entry.value, covered))).collect()
        }
        Kind::Array(items) => items.iter().map(|item| self::value(item, covered)).collect(),
        _ if covered => json!("***"),
        Kind::String(text) => json!(**text),
        Kind::Integer(number) => json!(number),
        Kind::Float(number) => json!(number),
        Kind::Bool(flag) => json!(flag),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Disk, Format, Input, LoadOptions, load};

    #[test]
    fn defaults_and_inherited_values_are_there_and_secrets_are_not() {
        let text = r#"
            [sites."a.localhost"]
            routes."/x" = { to = "one" }
            to = "two"
            [services.one]
            servers = ["http://127.0.0.1:1"]
            retries = { attempts = 2 }
            [services.two]
            extends = "one"
            [middlewares.gate]
            basic-auth = { users = ["amy:$2y$05$abcdefghijklmnopqrstuuTdVrmc0q3i3CXvLrCXZcZ1vaQSiWSdW"] }
            [middlewares.mark]
            headers = { request = { set = { X-Token = "Bearer ${env:TOKEN}" } } }
        "#;
        let env = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        let options = LoadOptions { offline: false, strict: false, env: &env, fs: &Disk };
        let input = Input::Text { name: "t".to_owned(), text: text.to_owned(), format: Format::Toml };
        let shown = load(&[input], &options).effective();
        for (pointer, expected) in [
            ("/sites/a.localhost/to", r#""two""#),
            ("/sites/a.localhost/routes/~1x/0/to", r#""one""#),
            ("/services/two/servers/0/url", r#""http://127.0.0.1:1""#),
            ("/services/two/retries/attempts", "2"),
            ("/listeners/websecure/tls", "true"),
            ("/middlewares/gate/basic-auth/users", r#"["***"]"#),
            ("/middlewares/mark/headers/request/set/X-Token", r#""***""#),
        ] {
            assert_eq!(
                shown.pointer(pointer).map(ToString::to_string).as_deref(),
                Some(expected),
                "{pointer} in {shown:#}"
            );
        }
    }
}

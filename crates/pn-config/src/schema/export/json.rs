//! JSON Schema, draft 2020-12.

use super::pattern;
use crate::inherit::default;
use crate::schema::check::DEFAULTS;
use crate::schema::{COMMON, Group, KINDS, Key, Kind, SITE_ROUTE, Type};
use crate::value;
use serde_json::{Map, Value, json};

/// The schema of a whole file. What this version does not run is not in it.
pub fn json_schema() -> String {
    let kinds = || KINDS.iter().filter(|kind| kind.section.is_some());
    let mut properties = Map::new();
    let mut definitions = Map::new();
    properties.insert("include".to_owned(), json!({ "type": "array", "items": { "type": "string" } }));
    let defaults: Map<_, _> =
        kinds().filter(|kind| DEFAULTS.contains(&kind.table)).map(|kind| own(kind, &[])).collect();
    properties.insert("defaults".to_owned(), closed(defaults, Vec::new()));
    for kind in kinds() {
        let common = if kind.inherits { COMMON } else { &[] };
        let (name, schema) = own(kind, common);
        definitions.insert(name.clone(), schema);
        let reference = json!({ "$ref": format!("#/$defs/{name}") });
        let node = if kind.named {
            json!({ "type": "object", "additionalProperties": reference })
        } else {
            reference
        };
        properties.insert(name, node);
    }
    let (_, route) = own(&SITE_ROUTE, &[]);
    definitions.insert("site-route".to_owned(), route);
    let mut root = closed(properties, Vec::new());
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("proxy-now configuration"));
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    format!("{root:#}\n")
}

/// The table's name and the schema of one node. Nothing is required of it: a parent or a default may bring it.
fn own(kind: &Kind, common: &'static [Key]) -> (String, Value) {
    let properties = kind.keys.iter().chain(common).filter(|key| !key.later).map(property).collect();
    let mut node = closed(properties, Vec::new());
    if let Value::Object(node) = &mut node {
        node.insert("description".to_owned(), json!(kind.doc));
        let groups: Vec<_> = kind.groups.iter().map(|group| at_most_one(kind, group)).collect();
        if !groups.is_empty() {
            node.insert("allOf".to_owned(), Value::Array(groups));
        }
    }
    (kind.table.to_owned(), node)
}

fn at_most_one(kind: &Kind, group: &Group) -> Value {
    let now = group.keys.iter().filter(|name| kind.key(name).is_some_and(|key| !key.later));
    let mut each: Vec<_> = now.map(|key| json!({ "required": [key] })).collect();
    let none = json!({ "not": { "anyOf": each } });
    each.push(none);
    json!({ "oneOf": each })
}

fn closed(properties: Map<String, Value>, required: Vec<&str>) -> Value {
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (false, Value::Object(object)) = (required.is_empty(), &mut object) {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

fn property(key: &Key) -> (String, Value) {
    let mut schema = of(&key.ty);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(key.doc));
        if let Some(value) = default(key) {
            schema.insert("default".to_owned(), plain(&value));
        }
    }
    (key.name.to_owned(), schema)
}

fn of(ty: &Type) -> Value {
    let string = || {
        pattern(ty).map_or_else(|| json!({ "type": "string" }), |p| json!({ "type": "string", "pattern": p }))
    };
    match ty {
        Type::Any => json!({}),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Type::Float(min, max) => json!({ "type": "number", "minimum": min, "maximum": max }),
        Type::Size(min, max) => {
            json!({ "anyOf": [string(), { "type": "integer", "minimum": min, "maximum": max }] })
        }
        Type::Status | Type::Statuses => {
            json!({ "anyOf": [string(), { "type": "integer", "minimum": 100, "maximum": 599 }] })
        }
        Type::Choice(words, _) => json!({ "enum": words }),
        Type::List(inner) => json!({ "type": "array", "items": of(inner) }),
        Type::OneOrMany(inner) => json!({ "anyOf": [of(inner), { "type": "array", "items": of(inner) }] }),
        Type::Table(keys) => table(keys),
        Type::Short(_, keys) => json!({ "anyOf": [{ "type": "string" }, table(keys)] }),
        Type::Map(inner) | Type::RefMap(_, inner) => {
            json!({ "type": "object", "additionalProperties": of(inner) })
        }
        Type::Either(types) => {
            let types: Vec<_> = types.iter().filter(|ty| !matches!(ty, Type::LaterTable)).map(of).collect();
            json!({ "anyOf": types })
        }
        Type::Inline(kind) => json!({ "$ref": format!("#/$defs/{}", kind.table) }),
        Type::Routes => {
            let route = json!({ "$ref": "#/$defs/site-route" });
            let many = json!({ "anyOf": [route, { "type": "array", "items": route, "minItems": 1 }] });
            json!({ "type": "object", "additionalProperties": many })
        }
        _ => string(),
    }
}

/// Inner tables may be merged from a parent's too, so nothing is required of them either.
fn table(keys: &'static [Key]) -> Value {
    closed(keys.iter().filter(|key| !key.later).map(property).collect(), Vec::new())
}

fn plain(value: &value::Value) -> Value {
    match &value.kind {
        value::Kind::String(text) => json!(&**text),
        value::Kind::Integer(number) => json!(number),
        value::Kind::Float(number) => json!(number),
        value::Kind::Bool(flag) => json!(flag),
        value::Kind::Array(items) => items.iter().map(plain).collect(),
        value::Kind::Table(table) => {
            Value::Object(table.iter().map(|(key, entry)| (key.to_string(), plain(&entry.value))).collect())
        }
    }
}

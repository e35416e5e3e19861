//! JSON Schema, draft 2020-12, for editors and for CUE, Nix and their like. It says what a file may hold; that a
//! required key may be inherited, and whatever spans nodes, only `check` can say.

use super::json::Json;
use super::{DURATION, INTERPOLATED, NODE_NAME, RATE, SIZE, STATUS, STATUSES};
use crate::schema::{COMMON, Default, Group, KINDS, Key, Kind, SITE_ROUTE, Type};

/// The schema of a configuration, as JSON text.
pub fn json_schema() -> String {
    let mut properties = vec![("include".to_owned(), include())];
    let mut definitions = vec![("interpolated".to_owned(), pattern(INTERPOLATED))];
    let mut defaults = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.section.is_some()) {
        definitions.push((kind.table.to_owned(), definition(kind)));
        let one = reference(kind.table);
        properties
            .push((kind.table.to_owned(), if kind.named { named(kind, one.clone()) } else { one.clone() }));
        if kind.inherits {
            defaults.push((kind.table.to_owned(), one));
        }
    }
    definitions.push(("route".to_owned(), definition(&SITE_ROUTE)));
    properties
        .push(("defaults".to_owned(), closed("Fields that every node of a kind starts from.", defaults)));
    let mut root = vec![
        ("$schema".to_owned(), Json::text("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), Json::text("proxy-now configuration")),
    ];
    if let Json::Object(fields) = closed("", properties) {
        root.extend(fields);
    }
    root.push(("$defs".to_owned(), Json::Object(definitions)));
    Json::Object(root).pretty()
}

fn include() -> Json {
    let list = Json::object([("type", Json::text("array")), ("items", string())]);
    described(any_of(vec![string(), list]), "Further files, by path or pattern.")
}

/// A table of named nodes. Names of sites are hosts.
fn named(kind: &Kind, one: Json) -> Json {
    let mut fields =
        vec![("type".to_owned(), Json::text("object")), ("additionalProperties".to_owned(), one)];
    if kind.table != "sites" {
        fields.push(("propertyNames".to_owned(), Json::object([("pattern", Json::text(NODE_NAME))])));
    }
    described(Json::Object(fields), kind.doc)
}

fn definition(kind: &Kind) -> Json {
    let common = if kind.inherits { COMMON } else { &[] };
    let keys = kind.keys.iter().chain(common);
    let properties: Vec<_> = keys.filter(|key| !key.later).map(property).collect();
    let Json::Object(mut fields) = closed(kind.doc, properties) else { return Json::Bool(true) };
    if !kind.inherits {
        fields.extend(required(kind.keys));
    }
    let groups: Vec<_> = kind.groups.iter().filter_map(exclusive).collect();
    if !groups.is_empty() {
        fields.push(("allOf".to_owned(), Json::Array(groups)));
    }
    Json::Object(fields)
}

/// At most one of the keys; that there is one may be inherited.
fn exclusive(group: &Group) -> Option<Json> {
    let has = |key: &&str| Json::object([("required", Json::Array(vec![Json::text(*key)]))]);
    let mut choices: Vec<_> = group.keys.iter().map(has).collect();
    let none = any_of(choices.clone());
    choices.push(Json::object([("not", none)]));
    (group.keys.len() > 1).then(|| Json::object([("oneOf", Json::Array(choices))]))
}

fn property(key: &Key) -> (String, Json) {
    let mut json = described(ty(&key.ty), key.doc);
    if let (Json::Object(fields), Some(default)) = (&mut json, default(key.default)) {
        fields.push(("default".to_owned(), default));
    }
    (key.name.to_owned(), json)
}

fn default(default: Default) -> Option<Json> {
    Some(match default {
        Default::None(_) | Default::Table => return None,
        Default::Str(text) => Json::text(text),
        Default::Int(number) => Json::Integer(number),
        Default::Float(number) => Json::Float(number),
        Default::Bool(flag) => Json::Bool(flag),
        Default::Strings(items) => Json::Array(items.iter().map(|&item| Json::text(item)).collect()),
        Default::Floats(items) => Json::Array(items.iter().map(|&item| Json::Float(item)).collect()),
    })
}

fn ty(of: &Type) -> Json {
    match of {
        Type::Any | Type::LaterTable => Json::Bool(false),
        Type::Bool => or_interpolated(Json::object([("type", Json::text("boolean"))])),
        Type::Integer(min, max) => {
            or_interpolated(number("integer", Json::Integer(*min), Json::Integer(*max)))
        }
        Type::Float(min, max) => or_interpolated(number("number", Json::Float(*min), Json::Float(*max))),
        Type::Duration(..) => or_interpolated(pattern(DURATION)),
        Type::Size(..) => {
            let count = number("integer", Json::Integer(0), Json::Integer(i64::MAX));
            any_of(vec![count, pattern(SIZE), reference("interpolated")])
        }
        Type::Rate => or_interpolated(pattern(RATE)),
        Type::Status => any_of(vec![code(), pattern(STATUS), reference("interpolated")]),
        Type::Statuses => any_of(vec![code(), pattern(STATUSES), reference("interpolated")]),
        Type::Choice(words, _) => {
            let words = words.iter().map(|&word| Json::text(word)).collect();
            or_interpolated(Json::object([("enum", Json::Array(words))]))
        }
        Type::List(inner) => list(inner),
        Type::OneOrMany(inner) => any_of(vec![item(inner), list(inner)]),
        Type::Table(keys) => table(keys, false),
        Type::Short(_, keys) => any_of(vec![string(), table(keys, false)]),
        Type::Map(inner) | Type::RefMap(_, inner) => map(ty(inner)),
        Type::Either(types) => any_of(types.iter().map(ty).collect()),
        Type::Inline(kind) => reference(kind.table),
        Type::Routes => {
            let many = Json::object([("type", Json::text("array")), ("items", reference("route"))]);
            map(any_of(vec![reference("route"), many]))
        }
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
        | Type::Ref(_) => string(),
    }
}

fn list(inner: &Type) -> Json {
    Json::object([("type", Json::text("array")), ("items", item(inner))])
}

/// Arrays replace what is inherited, so their tables are whole.
fn item(of: &Type) -> Json {
    match of {
        Type::Table(keys) => table(keys, true),
        Type::Short(_, keys) => any_of(vec![string(), table(keys, true)]),
        other => ty(other),
    }
}

fn table(keys: &[Key], whole: bool) -> Json {
    let properties = keys.iter().filter(|key| !key.later).map(property).collect();
    let Json::Object(mut fields) = closed("", properties) else { return Json::Bool(true) };
    if whole {
        fields.extend(required(keys));
    }
    Json::Object(fields)
}

fn required(keys: &[Key]) -> Option<(String, Json)> {
    let names: Vec<_> = keys.iter().filter(|key| key.required).map(|key| Json::text(key.name)).collect();
    (!names.is_empty()).then(|| ("required".to_owned(), Json::Array(names)))
}

fn closed(doc: &str, properties: Vec<(String, Json)>) -> Json {
    let fields = Json::object([
        ("type", Json::text("object")),
        ("properties", Json::Object(properties)),
        ("additionalProperties", Json::Bool(false)),
    ]);
    described(fields, doc)
}

fn map(values: Json) -> Json {
    Json::object([("type", Json::text("object")), ("additionalProperties", values)])
}

fn string() -> Json {
    Json::object([("type", Json::text("string"))])
}

fn number(kind: &str, min: Json, max: Json) -> Json {
    Json::object([("type", Json::text(kind)), ("minimum", min), ("maximum", max)])
}

fn code() -> Json {
    number("integer", Json::Integer(100), Json::Integer(599))
}

fn pattern(regex: &str) -> Json {
    Json::object([("type", Json::text("string")), ("pattern", Json::text(regex))])
}

fn or_interpolated(json: Json) -> Json {
    any_of(vec![json, reference("interpolated")])
}

fn any_of(choices: Vec<Json>) -> Json {
    Json::object([("anyOf", Json::Array(choices))])
}

fn reference(name: &str) -> Json {
    Json::object([("$ref", Json::text(format!("#/$defs/{name}")))])
}

fn described(json: Json, doc: &str) -> Json {
    let Json::Object(fields) = json else { return json };
    if doc.is_empty() {
        return Json::Object(fields);
    }
    let description = ("description".to_owned(), Json::text(doc));
    Json::Object(std::iter::once(description).chain(fields).collect())
}

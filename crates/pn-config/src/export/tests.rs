//! The generated texts: whole, current, and of one mind with what loading takes.

use super::{cue, json_schema, reference};
use crate::schema::{KINDS, SITE_ROUTE};
use crate::tests::{findings, load_text};
use serde_json::Value;

/// Whether a value keeps to a schema, for the words that the generator uses.
fn valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(fields) = schema.as_object() else { return schema.as_bool() == Some(true) };
    let all = |word: &str| schema[word].as_array().into_iter().flatten();
    let number = |word: &str| schema[word].as_f64().unwrap();
    fields.keys().all(|word| match word.as_str() {
        "$ref" => {
            let name = schema["$ref"].as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            valid(root, &root["$defs"][name], value)
        }
        "type" => match schema["type"].as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => panic!("unknown type {other}"),
        },
        "properties" | "$schema" | "title" | "description" | "default" | "$defs" => true,
        "additionalProperties" => value.as_object().into_iter().flatten().all(|(key, value)| {
            let known = &schema["properties"][key];
            valid(root, if known.is_null() { &schema["additionalProperties"] } else { known }, value)
        }),
        "propertyNames" => {
            let mut names = value.as_object().into_iter().flatten().map(|(key, _)| Value::from(key.as_str()));
            names.all(|name| valid(root, &schema["propertyNames"], &name))
        }
        "items" => value.as_array().into_iter().flatten().all(|item| valid(root, &schema["items"], item)),
        "required" => all("required").all(|key| value.get(key.as_str().unwrap()).is_some()),
        "enum" => all("enum").any(|word| word == value),
        "pattern" => {
            let regex = regex::Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|text| regex.is_match(text))
        }
        "minimum" => value.as_f64().is_none_or(|got| got >= number("minimum")),
        "maximum" => value.as_f64().is_none_or(|got| got <= number("maximum")),
        "anyOf" => all("anyOf").any(|schema| valid(root, schema, value)),
        "oneOf" => all("oneOf").filter(|schema| valid(root, schema, value)).count() == 1,
        "allOf" => all("allOf").all(|schema| valid(root, schema, value)),
        "not" => !valid(root, &schema["not"], value),
        other => panic!("unknown word {other}"),
    })
}

fn takes(toml: &str) -> bool {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    let value: toml::Table = toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"));
    valid(&schema, &schema, &serde_json::to_value(value).unwrap())
}

#[test]
fn examples_load_and_keep_to_the_schema() {
    for kind in KINDS.iter().copied().chain([&SITE_ROUTE]).filter(|kind| !kind.example.is_empty()) {
        assert!(takes(kind.example), "example of {}", kind.table);
        let found = findings(&load_text(kind.example));
        let errors: Vec<_> = found.lines().filter(|line| line.contains(" Error ")).collect();
        assert!(errors.is_empty(), "example of {}: {errors:?}", kind.table);
    }
}

#[test]
fn the_schema_refuses_what_loading_refuses() {
    for (text, expected) in [
        ("", true),
        ("include = \"a.toml\"", true),
        ("include = [\"a.toml\"]", true),
        ("nonsense = 1", false),
        ("[streams.db]\nlisten = \":1\"", false),
        ("[runtime]\nworkers = 4", true),
        ("[runtime]\nworkers = \"${env:WORKERS}\"", true),
        ("[runtime]\nworkers = -1", false),
        ("[runtime]\nworkers = \"4\"", false),
        ("[runtime]\nrouter = \"fast\"", false),
        ("[defaults.sites]\nhttps = \"off\"", true),
        ("[services.a]\nextends = \"b\"", true),
        ("[services.a]\nservers = [\"http://a\"]\nsplit = { b = 1 }", false),
        ("[services.a]\nservers = [{ weight = 1 }]", false),
        ("[services.a]\nservers = [{ url = \"http://a\" }]", true),
        ("[services.a]\nfiles = \"/srv\"", false),
        ("[services.A]\nrespond = {}", false),
        ("[services.a]\nbalance = { hash = \"client-ip\" }", true),
        ("[services.a]\nbalance = \"random\"", false),
        ("[sites.\"a.lan\"]\nroutes.\"/a\" = [{ to = \"b\" }, { methods = \"GET\", to = \"c\" }]", true),
        ("[sites.\"a.lan\"]\nroutes.\"/a\" = { too = \"b\" }", false),
        ("[middlewares.a]\nrate-limit = { rate = \"5/s\" }", true),
        ("[middlewares.a]\nrate-limit = { rate = \"5\" }", false),
        ("[middlewares.a]\nbody-limit = \"1MiB\"", true),
        ("[middlewares.a]\nbody-limit = \"1 MiB\"", false),
        ("[asserts.a]\nsites = \"*\"", false),
    ] {
        assert_eq!(takes(text), expected, "{text}");
    }
}

#[test]
fn cue_has_every_key_and_closes_what_it_opens() {
    let text = cue();
    for kind in KINDS.iter().filter(|kind| kind.section.is_some()) {
        for key in kind.keys.iter().filter(|key| !key.later) {
            let label =
                if key.name.contains('-') { format!("\"{}\"", key.name) } else { key.name.to_owned() };
            let there = ["?", "!"].into_iter().any(|mark| text.contains(&format!("\t{label}{mark}: ")));
            assert!(there, "{label}");
        }
    }
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let plain = regex::Regex::new("#?\"[^\"]*\"#?").unwrap().replace_all(&code, "").into_owned();
    for (open, close) in [('{', '}'), ('[', ']'), ('(', ')')] {
        assert_eq!(plain.matches(open).count(), plain.matches(close).count(), "{open}");
    }
    assert!(text.contains("\tservices?: {[=~\"^[a-z0-9][a-z0-9-]*$\"]: #Services}\n"));
    assert!(text.contains("#TlsPolicies: {\n"));
}

#[test]
fn the_reference_has_a_page_for_each_kind() {
    let pages = reference();
    let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
    assert_eq!(names[0], "README.md");
    assert!(names.contains(&"sites.md") && !names.contains(&"streams.md"));
    for kind in KINDS.iter().filter(|kind| kind.section.is_some()) {
        let page = pages.iter().find(|page| page.name == format!("{}.md", kind.table)).unwrap();
        for key in kind.keys {
            assert!(page.text.contains(&format!("`{}`", key.name)), "{} of {}", key.name, kind.table);
        }
    }
    for page in &pages {
        let columns = |row: &str| row.replace("\\|", "").matches('|').count();
        let expected = if page.name == "README.md" { 3 } else { 5 };
        for row in page.text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(columns(row), expected, "{row}");
        }
    }
}

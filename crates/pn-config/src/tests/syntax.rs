//! What is said about broken TOML and JSON.

use super::{findings, front_files, front_text};

#[test]
fn broken_toml_is_explained() {
    for (input, expected) in TOML {
        assert_eq!(findings(&front_text(input)).trim_end(), *expected, "findings of:\n{input}");
    }
}

const TOML: &[(&str, &str)] = &[
    (
        r#"[services.a]
servers = ["\d"]
x = 1"#,
        r#"t.toml:2:14 Error syntax: invalid TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U` (in "double quotes" a backslash starts an escape; write regexes in 'single quotes', which keep it)
t.toml:3:1 Error unknown-key: unknown key `x` in `services.a`"#,
    ),
    (
        r#"a = 1
a = 2"#,
        r#"t.toml:1:1 Error unknown-key: unknown table or key `a` at the top of the file
t.toml:2:1 Error duplicate-key: `a` is defined twice (keep one of them) [t.toml:1:1 first here]"#,
    ),
    (
        r#"[services.a]
respond = {}
[sites."x"]
to = "a"
[services.a]
use = []"#,
        r#"t.toml:5:11 Error duplicate-key: `a` is defined twice (keep one of them) [t.toml:1:1 first here]"#,
    ),
    (
        r#"[services.a]
respond = {}
respond = {}"#,
        r#"t.toml:3:1 Error duplicate-key: `respond` is defined twice (keep one of them) [t.toml:2:1 first here]"#,
    ),
    (
        r#"[services.a]
respond = { status = 200, status = 404 }"#,
        r#"t.toml:2:27 Error duplicate-key: `status` is defined twice (keep one of them)"#,
    ),
    (
        r#"[sites."a"]
to = app"#,
        r#"t.toml:2:6 Error syntax: invalid TOML: string values must be quoted, expected literal string (write "app")"#,
    ),
    (
        r#"[sites."a"]
to ="#,
        r#"t.toml:2:5 Error syntax: invalid TOML: string values must be quoted, expected literal string (write the value after `=`)"#,
    ),
    (
        r#"[sites."a"
to = "x""#,
        r#"t.toml:1:11 Error syntax: invalid TOML: unclosed table, expected `]`"#,
    ),
    (
        r#"[services.a]
servers = ["x"
[services.b]
zzz = 1"#,
        r#"t.toml:3:1 Error syntax: invalid TOML: missing comma between array elements, expected `,`
t.toml:3:2 Error syntax: invalid TOML: string values must be quoted, expected literal string (write "services.b")
t.toml:4:1 Error syntax: invalid TOML: missing comma between array elements, expected `,`
t.toml:4:1 Error syntax: invalid TOML: string values must be quoted, expected literal string (write "zzz")
t.toml:4:5 Error syntax: invalid TOML: unexpected `=` in array, expected value, `]`
t.toml:4:7 Error syntax: invalid TOML: missing comma between array elements, expected `,`
t.toml:4:8 Error syntax: invalid TOML: unclosed array, expected `]`"#,
    ),
];

#[test]
fn broken_json_is_explained() {
    for (input, expected) in JSON {
        let found = findings(&front_files(&[("t.json", input)], "t.json"));
        assert_eq!(found.trim_end(), *expected, "findings of:\n{input}");
    }
}

const JSON: &[(&str, &str)] = &[
    (
        r#"{"services": {"a": {"respond": {}, "respond": {}}}}"#,
        r#"t.json:1:36 Error duplicate-key: `respond` is defined twice (keep one of them) [t.json:1:21 first here]"#,
    ),
    (
        r#"{"a": 1,}"#,
        r#"t.json:1:9 Error syntax: invalid JSON: expected a further element; JSON takes no comma before the closing bracket"#,
    ),
    (
        r#"{"services": {"a": {"respond": {"status": 404.5}}}}"#,
        r#"t.json:1:43 Error wrong-type: `services.a.respond.status` must be a status code such as 404, not float 404.5"#,
    ),
    (r#"[1]"#, r#"t.json:1:1 Error syntax: a configuration is a JSON object, not an array"#),
    (r#"{"a": nul}"#, r#"t.json:1:7 Error syntax: invalid JSON: expected a value"#),
    (
        r#"{"sites": {"a": {"to": null}}}"#,
        r#"t.json:1:24 Error syntax: invalid JSON: expected a value (there is no null here: leave the key out)"#,
    ),
    (
        r#"{"a": "\ud800"}"#,
        r#"t.json:1:9 Error syntax: invalid JSON: expected both halves of a surrogate pair"#,
    ),
    (r#"{"runtime": {"workers": 01}}"#, r#"t.json:1:25 Error syntax: invalid JSON: expected a number"#),
    (
        r#"{"runtime": {"workers": 99999999999999999999}}"#,
        r#"t.json:1:25 Error number: the number does not fit 64 bits"#,
    ),
    (r#"{"a": 1} x"#, r#"t.json:1:10 Error syntax: invalid JSON: expected the end of the file"#),
    ("{\"a\": \"\u{1}\"}", r#"t.json:1:8 Error syntax: invalid JSON: expected a closing double quote"#),
    (r#"{"a" 1}"#, r#"t.json:1:6 Error syntax: invalid JSON: expected `:`"#),
    (r#"{a: 1}"#, r#"t.json:1:2 Error syntax: invalid JSON: expected a key in double quotes"#),
    (r#""#, r#"t.json:1:1 Error syntax: invalid JSON: expected a value"#),
    (r#"{"a": [1 2]}"#, r#"t.json:1:10 Error syntax: invalid JSON: expected `,` or the closing bracket"#),
];

//! Files before and after, and what formatting must never do to any file.

use super::{FmtError, fmt};
use proptest::prelude::*;

fn check(text: &str, expected: &str) {
    let got = fmt(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(got, expected, "of {text}");
    assert_eq!(fmt(&got).unwrap(), got, "again");
}

#[test]
fn keys_are_ordered_and_aligned() {
    check(
        "[services.app]\nhealth-check={path=\"/up\",mode=\"http\"}\nservers=['http://a:1']\nextends = \"base\"\n\
         zzz = 1\nsticky.secure=true\nsticky.cookie=\"c\"\n",
        "[services.app]\nextends = \"base\"\nservers = ['http://a:1']\nsticky.cookie = \"c\"\nsticky.secure = true\n\
         health-check = { mode = \"http\", path = \"/up\" }\nzzz          = 1\n",
    );
}

#[test]
fn comments_stay_with_what_they_are_about() {
    check(
        "# top\n\n\n# about the site\n[sites.\"a.lan\"]   # on the header\nto = \"app\" # where\n\n\n  # why\nuse=[]# none\n\n\
         # the end\n",
        "# top\n\n# about the site\n[sites.\"a.lan\"] # on the header\n# why\nuse = []    # none\nto  = \"app\" # where\n\n\
         # the end\n",
    );
    check("a = 1\n# last\n\n\n", "a = 1\n# last\n");
    check("# only\n", "# only\n");
    check("", "");
}

#[test]
fn tables_keep_their_order_but_follow_their_parents() {
    check(
        "[services.b]\nrespond = {}\n[sites.\"x\".routes.\"/a\"]\nto = \"b\"\n[services.a.respond]\nstatus = 200\n\
         [sites.\"x\"]\nto = \"a\"\n",
        "[services.b]\nrespond = {}\n\n[sites.x]\nto = \"a\"\n\n[sites.x.routes.\"/a\"]\nto = \"b\"\n\n\
         [services.a.respond]\nstatus = 200\n",
    );
    check(
        "[[sites.\"x\".routes.\"/a\"]]\nto = \"b\"\n[[sites.\"x\".routes.\"/a\"]]\nmethods = \"GET\"\nto = \"c\"\n",
        "[[sites.x.routes.\"/a\"]]\nto = \"b\"\n\n[[sites.x.routes.\"/a\"]]\nmethods = \"GET\"\nto      = \"c\"\n",
    );
    check("[services.a.b]\n[services.a]\n[services]\n", "[services]\n\n[services.a]\n\n[services.a.b]\n");
    check("[services]\na.respond = {}\n[runtime]\n", "[services]\na.respond = {}\n\n[runtime]\n");
    check("b = 1\ninclude = \"x\"\n", "include = \"x\"\nb       = 1\n");
}

#[test]
fn arrays_keep_their_lines() {
    check(
        "a = [ 1,2 , 3, ]\nb = [\n1, # one\n  # two\n2\n]\nc = [\n]\nd = [ # first\n  [1,\n2], { x = 1 },\n# last\n]\n",
        "a = [1, 2, 3]\nb = [\n    1, # one\n    # two\n    2,\n]\nc = []\nd = [\n    # first\n    [\n        1,\n        \
         2,\n    ],\n    { x = 1 },\n    # last\n]\n",
    );
}

#[test]
fn it_writes_toml_1_0() {
    check(
        "[services.a]\nsticky = {\n  # the name\n  cookie = \"c\",\n  secure = true, # always\n}\n",
        "[services.a]\n# the name\n# always\nsticky = { cookie = \"c\", secure = true }\n",
    );
    check(r#"a = "\e[0m \x41 \\x""#, "a = \"\\u001B[0m A \\\\x\"\n");
    check("a = '\\e'\n", "a = '\\e'\n");
    check("a = { b = [\n1,\n2 ] }\n", "a = { b = [1, 2] }\n");
}

#[test]
fn keys_are_quoted_where_they_must_be() {
    check("\"a\".'b c'.\"d\\\"e\" = 1\n", "a.\"b c\".'d\"e' = 1\n");
    check("[sites.'a'.routes.'~^/v\\d']\nto = \"x\"\n", "[sites.a.routes.'~^/v\\d']\nto = \"x\"\n");
}

#[test]
fn what_is_no_toml_is_refused() {
    assert_eq!(fmt("{ \"a\": 1 }"), Err(FmtError::Json));
    let error = fmt("a = 1\nb = = 2\n").unwrap_err();
    assert!(error.to_string().starts_with("2:5: "), "{error}");
}

// === any file ===

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("true".to_owned()),
        Just("'a # b'".to_owned()),
        Just("\"\"\"x\ny # z\"\"\"".to_owned()),
        Just("\"\\e\"".to_owned()),
        "[a-z]{0,5}".prop_map(|text| format!("\"{text}\"")),
    ];
    let gap =
        || prop_oneof![Just(""), Just(" "), Just("\n"), Just(" # c\n"), Just("\n# d\n\n"), Just("\n\n")];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let item = (gap(), inner.clone(), gap()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let pair =
            (gap(), "[a-c]", inner, gap()).prop_map(|(a, key, value, b)| format!("{a}{key} = {value}{b}"));
        prop_oneof![
            (prop::collection::vec(item, 0..3), gap(), any::<bool>()).prop_map(|(items, end, comma)| {
                let comma = if comma && !items.is_empty() { "," } else { "" };
                format!("[{}{comma}{end}]", items.join(","))
            }),
            prop::collection::vec(pair, 0..3).prop_map(|pairs| format!("{{{}}}", pairs.join(","))),
        ]
    })
}

fn file() -> impl Strategy<Value = String> {
    let key = || {
        prop_oneof![
            Just("to"),
            Just("use"),
            Just("extends"),
            Just("servers"),
            Just("sticky.cookie"),
            Just("sticky . secure"),
            Just("'q r'"),
            Just("zz"),
            Just("priority"),
            Just("timeouts.connect")
        ]
    };
    let end = || {
        prop_oneof![Just("\n"), Just("  # end\n"), Just("\n\n\n"), Just("\n# alone\n\n"), Just("\n\t# in\n")]
    };
    let header = prop_oneof![
        Just("[services.a]"),
        Just("[sites.\"x.lan\"]"),
        Just(" [sites.\"x.lan\".routes.\"/a\"] "),
        Just("[services]"),
        Just("[services.a.b]"),
        Just("[[sites.y.routes.z]]"),
        Just("[defaults.sites]"),
        Just("[ runtime ]"),
    ];
    let line = prop_oneof![
        4 => (key(), value(), end()).prop_map(|(key, value, end)| format!("{key}={value}{end}")),
        1 => (header, end()).prop_map(|(header, end)| format!("{header}{end}")),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

/// Every comment of a file, sorted: one that is kept is kept whole.
fn comments(text: &str) -> Vec<String> {
    let plain = regex::Regex::new("(?s)\"\"\".*?\"\"\"|'[^']*'|\"[^\"]*\"").unwrap().replace_all(text, "");
    let mut found: Vec<_> = plain
        .lines()
        .filter_map(|line| line.split_once('#'))
        .map(|(_, comment)| comment.trim().to_owned())
        .collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn meaning_and_comments_stay(text in file()) {
        let Ok(before) = text.parse::<toml::Table>() else { return Ok(()) };
        let once = fmt(&text).unwrap();
        prop_assert_eq!(once.parse::<toml::Table>().unwrap(), before, "{}\n---\n{}", text, once);
        prop_assert_eq!(comments(&once), comments(&text), "{}\n---\n{}", text, once);
        prop_assert_eq!(fmt(&once).unwrap(), once, "{}", text);
    }

    #[test]
    fn no_text_panics(text in "([\\[\\]{}=.,#\"'\\\\ \n]|[a-c1e]|é|\u{0}){0,40}") {
        drop(fmt(&text));
    }
}

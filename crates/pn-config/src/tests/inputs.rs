//! What holds for every input: bounds, secrets, what is watched, what may run, and that nothing panics.

use super::{Memory, findings, front_text, load_files, load_text, load_with};
use crate::Input;
use pn_model::{MiddlewareKind, ServiceKind};
use proptest::prelude::*;
use std::path::PathBuf;

const SITE: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n";

#[test]
fn the_smallest_file_runs() {
    let loaded = load_text(SITE);
    assert_eq!(findings(&loaded), "");
    let model = loaded.model.unwrap();
    assert_eq!(model.sites.len(), 1);
    assert_eq!(model.listeners.len(), 2);
}

#[test]
fn errors_and_offline_loads_never_run() {
    let wrong = load_text(&format!("{SITE}[runtime]\nworkers = -1\n"));
    assert!(wrong.model.is_none() && wrong.partial.is_some() && wrong.has_errors());
    let input = Input::Text { name: "-".to_owned(), text: SITE.to_owned(), format: crate::Format::Auto };
    let offline = load_with(&Memory::default(), &[input], true);
    assert!(offline.model.is_none() && offline.partial.is_some() && !offline.has_errors());
    let missing = load_files(&[("a.toml", SITE)], &["nope.toml"]);
    assert!(missing.model.is_none() && missing.partial.is_none());
}

#[test]
fn what_was_read_is_known_for_watching() {
    let files = [
        (
            "main.toml",
            "include = [\"conf.d/*.toml\", \"gone.toml\"]\n[services.a]\nrespond = { body = \"${file:s/x}\" }\n",
        ),
        ("conf.d/a.toml", SITE),
        ("s/x", "secret"),
    ];
    let loaded = load_files(&files, &["main.toml"]);
    let paths = |list: &[PathBuf]| list.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    assert_eq!(paths(&loaded.files), ["main.toml", "conf.d/a.toml", "gone.toml"]);
    assert_eq!(paths(&loaded.directories), ["conf.d"]);
    assert_eq!(paths(&loaded.secrets), ["s/x"]);
}

#[test]
fn interpolation_reads_the_host_or_says_what_is_missing() {
    let check = |text: &str, expected: &str| {
        let files = [("d/t.toml", text), ("d/users.txt", "u:hash\r\n")];
        let fs = Memory::of(&files);
        let found = findings(&super::front(&fs, Input::Path(PathBuf::from("d/t.toml")), false));
        assert_eq!(found.trim_end(), expected, "{text}");
        let offline = findings(&super::front(&fs, Input::Path(PathBuf::from("d/t.toml")), true));
        let missing = expected.contains("missing-") || expected.contains("***");
        assert_eq!(offline.is_empty(), missing || expected.is_empty(), "offline, {text}: {offline}");
    };
    check("[services.a]\nrespond = { body = \"$${env:X} ${name} ${env:Y} ${\" }\n", "");
    check("[middlewares.a]\nbasic-auth = { users = [\"${file:users.txt}\"] }\n", "");
    check(
        "[services.a]\nrespond = { body = \"${env:UNSET}\" }\n",
        "d/t.toml:2:20 Error missing-variable: the environment variable `UNSET` is not set \
         (set it where proxy-now starts (`UNSET=.. proxy-now ..`); `check --offline` skips it)",
    );
    check(
        "[services.a]\nrespond = { body = \"${file:nope}\" }\n",
        "d/t.toml:2:20 Error missing-secret: cannot read the secret `d/nope`: it does not exist \
         (check the path; relative ones start at the file that names them; `check --offline` skips it)",
    );
    check(
        "[runtime]\nworkers = \"${env:W}\"\n",
        "d/t.toml:2:11 Error wrong-type: `runtime.workers` must be an integer from 0 to 1024, not string ***",
    );
    check(
        "[services.a]\nrespond = { body = \"${evn:X}\" }\n",
        "d/t.toml:2:20 Error interpolation: `${evn:}` is no source of values \
         (use `${env:NAME}` or `${file:PATH}`, or write `$${` for the characters themselves)",
    );
}

/// Errors of every kind around secrets, in each form of output.
#[test]
fn secrets_are_never_shown() {
    let text = "[middlewares.a]\nbasic-auth = { users = [\"u:hunter2\"], relm = \"${env:P}\" }\n\
                [runtime]\nworkers = \"${env:P}\"\nrouter = \"${env:P}\"\nstate-dir = \"${env:P}\"\n\
                [services.a]\nservers = [\"${env:P}\"]\nretries = { on = [\"${env:P}\"] }\nhost-header = \"${env:P}\"\n\
                [middlewares.b]\nstrip-prefix-regex = \"(${env:P}\"\n[middlewares.c]\nip-allow = { ranges = [\"${env:P}\"] }\n\
                [listeners.web]\naddress = \"${env:P}\"\n\
                [sites.\"x.localhost\"]\nto = \"${env:P}\"\nhosts = [\"${env:P}\"]\nissuer = \"${env:P}\"\n\
                [routes.r]\nrule = \"${env:P}\"\nto = \"@ping\"\n";
    let loaded = load_text(text);
    let pages =
        ["middlewares.a", "runtime", "services.a", "listeners.web", "sites.\"x.localhost\"", "routes.r"]
            .map(|node| loaded.explain(node).unwrap());
    let all = [loaded.text(false), loaded.json(), findings(&loaded), pages.concat()].concat();
    assert!(loaded.has_errors() && all.contains("***"));
    for secret in ["hunter2", "env-of-P"] {
        let shown: Vec<_> = all.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{secret} is shown: {shown:#?}");
    }
}

/// Fields and bodies that came from the environment: the model has them for the data plane, and shows them to nobody.
#[test]
fn secrets_of_the_model_are_covered() {
    let text = "[sites.\"x.localhost\"]\nto = \"a\"\nuse = [\"m\"]\nroutes.\"/r\".to = \"r\"\n\
                [middlewares.m.headers]\nrequest.set.X-A = \"Bearer ${env:P}\"\nrequest.add.X-B = [\"plain\", \"${env:P}\"]\n\
                response.set.X-C = \"${env:P}\"\n\
                [services.a]\nservers = [\"http://a:1\"]\nhealth-check.headers.X-D = \"${env:P}\"\n\
                [services.r]\nrespond = { body = \"${env:P}\", headers = { X-E = \"${env:P}\" } }\n";
    let loaded = load_text(text);
    let model = loaded.model.as_ref().unwrap_or_else(|| panic!("{}", findings(&loaded)));
    let shown = format!("{model:?}{}", loaded.effective());
    assert!(!shown.contains("env-of-P") && shown.contains("\"plain\""), "{shown}");
    let MiddlewareKind::Headers(headers) = &model.middlewares["m"].kind else { panic!() };
    assert_eq!(headers.request.set[0].1.expose(), "Bearer env-of-P");
    let ServiceKind::Respond(respond) = &model.services["r"].kind else { panic!() };
    assert_eq!(respond.body.expose(), "env-of-P");
    let other = load_text(&text.replacen("Bearer ", "", 1)).model.unwrap();
    let change = crate::diff::diff(model, &other);
    let told = format!("{change}{}", serde_json::to_string(&change).unwrap());
    assert!(told.contains("middleware") && !told.contains("env-of-P"), "{told}");
}

#[test]
fn findings_show_the_source() {
    let loaded = front_text("[services.api]\nsevrers = [\"http://10.0.0.1:1\"]\nrespond = {}\n");
    let expected = "error[unknown-key]: unknown key `sevrers` in `services.api`
 --> t.toml:2:1
  |
2 | sevrers = [\"http://10.0.0.1:1\"]
  | ^^^^^^^
  |
  = help: did you mean `servers`?";
    assert_eq!(loaded.text(false).trim_end(), expected);
    let json: serde_json::Value = serde_json::from_str(&loaded.json()).unwrap();
    let expected = serde_json::json!({
        "diagnostics": [{
            "file": "t.toml", "line": 2, "column": 1, "end": { "line": 2, "column": 8 }, "label": "",
            "severity": "error", "code": "unknown-key", "message": "unknown key `sevrers` in `services.api`",
            "help": "did you mean `servers`?", "related": [],
        }],
        "errors": 1,
        "warnings": 0,
    });
    assert_eq!(json, expected);
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let mut fs = Memory::default();
    fs.0.insert(PathBuf::from("t.toml"), b"[services.a]\nrespond = { body = \"\xff\" }\n".to_vec());
    let found = findings(&load_with(&fs, &[Input::Path(PathBuf::from("t.toml"))], false));
    assert_eq!(found, "- Error not-utf8: `t.toml` is not UTF-8: line 2, byte 33 (save it as UTF-8)\n");
}

/// What later stages find at a path gets the place of the value, or of what is nearest around it.
#[test]
fn paths_lead_to_places() {
    let text = "[sites.\"a.lan\"]\nto = \"s\"\nroutes.\"/x\" = [{ methods = [\"GET\"], to = \"s\" }, { to = \"s\" }]\n\
                [services.base]\nabstract = true\nhealth-check = { path = \"/h\" }\n\
                [services.s]\nextends = \"base\"\nservers = [\"http://10.0.0.1:1\", { url = \"http://10.0.0.2:1\" }]\n";
    let loaded = load_text(text);
    let check = |path: &[&str], expected: &str| {
        let place = loaded.locate(&pn_model::NodePath::of(path.iter().copied()));
        assert_eq!(place.map_or_else(|| "-".to_owned(), |place| place.to_string()), expected, "{path:?}");
    };
    check(&["sites", "a.lan"], "t.toml:1:8");
    check(&["sites", "a.lan", "to"], "t.toml:2:6");
    check(&["sites", "a.lan", "https"], "t.toml:1:8");
    check(&["sites", "a.lan", "routes", "/x", "[0]", "methods", "[0]"], "t.toml:3:29");
    check(&["sites", "a.lan", "routes", "/x", "[1]", "to"], "t.toml:3:56");
    check(&["services", "s", "health-check", "path"], "t.toml:6:25");
    check(&["services", "s", "health-check", "interval"], "t.toml:6:16");
    check(&["services", "s", "servers", "[1]", "url"], "t.toml:9:41");
    check(&["services", "base"], "t.toml:4:11");
    check(&["listeners", "web", "address"], "-");
    check(&["runtime", "workers"], "-");
    check(&["nonsense"], "-");
    check(&[], "-");
}

#[test]
fn columns_count_characters() {
    let found = findings(&front_text("[services.\"ä\"]\n\"ö\" = 1\nrespond = { \"ü\" = 1, x = 2 }\n"));
    let places: Vec<_> = found.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(places, ["t.toml:1:11", "t.toml:2:1", "t.toml:3:13", "t.toml:3:22"]);
}

#[test]
fn depth_and_number_are_bounded() {
    let check = |text: String, expected: &str| {
        let found = findings(&front_text(&text));
        assert!(found.contains(expected), "{found}");
    };
    check("[".repeat(100_000), "syntax");
    check(format!("x = {}", "[".repeat(100_000)), "syntax");
    check(format!("x = {}1{}", "[".repeat(70), "]".repeat(70)), "nested deeper than 64");
    check(format!("a{} = 1", ".a".repeat(100_000)), "recursion limit");
    check(format!("a{} = 1", ".a".repeat(70)), "nested deeper than 64");
    check(format!("{{\"x\": {}", "[".repeat(100_000)), "nested deeper than 64");
    check((0..2_000).map(|i| format!("x{i} = 1\n")).collect(), "1000 further findings are not shown");
}

/// Pieces of configurations, in any order, and anything between.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(vec![
            "[services.a]\n", "[sites.\"a\"]\n", "[sites.\"a\".routes.\"/x\"]\n", "[[sites.\"a\".routes.\"/x\"]]\n",
            "[defaults.sites]\n", "[middlewares.m]\n", "[routes.r]\n", "[listeners.web]\n", "extends = \"a\"\n",
            "abstract = true\n", "unset = [\"use\"]\n", "use = [\"m\"]\n", "to = \"a\"\n", "to = \"@ping\"\n",
            "servers = [\"http://h:1\"]\n", "split = { a = 1 }\n", "respond = {}\n", "redirect = \"x\"\n",
            "headers = {}\n", "chain = [\"m\"]\n", "rate-limit = { rate = \"1/s\" }\n", "errors = { status = 500 }\n",
            "rule = \"Host(`a`)\"\n", "include = [\"x\"]\n", "x = \"${env:A}${file:\"\n", "sticky = { cookie = \"c\" }\n",
            "transport = { pool = {} }\n", "\"", "'", "{", "}", "[", "]", "=", "\\", "\n", ",", ".", "true", "1e9",
            "health-check = { interval = \"1s\" }\n", "hosts = [\"b\"]\n", "https = \"off\"\n", "methods = [\"GET\"]\n",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// The whole way, and every form of output.
    #[test]
    fn nothing_panics(text in pieces()) {
        let loaded = load_text(&text);
        drop((loaded.text(true), loaded.json(), loaded.explain("sites.a"), loaded.explain(&text)));
        prop_assert!(loaded.model.is_none() || !loaded.has_errors());
    }

    #[test]
    fn json_never_panics(text in "\\{([\\[\\]{}\",:0-9a-z\\\\ue. -]|\\PC){0,64}") {
        drop(load_text(&text));
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut fs = Memory::default();
        fs.0.insert(PathBuf::from("t.toml"), bytes);
        drop(load_with(&fs, &[Input::Path(PathBuf::from("t.toml"))], false));
    }
}

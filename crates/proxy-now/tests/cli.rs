//! Commands that run nothing, with the real binary.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SOUND: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n";
const BROKEN: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\nlisteners = [\"web\", \"nowhere\"]\n\n[services.api]\nserver = [\"http://127.0.0.1:1\"]\n";
const WARNED: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n\n[services.unused]\nservers = [\"http://127.0.0.1:1\"]\n";

/// What only the real host has, in every place that needs something of it.
const ABSENT: &str = r#"
[listeners.web]
address = "${env:WEB}"
[listeners.websecure]
address = ["${env:SECURE}"]
[sites."app.localhost"]
hosts = ["${env:A}", "${env:B}"]
use = ["door", "${file:none}"]
to = "app"
[sites."other.localhost"]
hosts = ["${env:C}"]
certificate = { cert = "${file:cert}", key = "${env:KEY}" }
to = "http://${env:UP}:41001"
[routes.one]
rule = "Host(`${env:H}`) && Path(`/one`)"
to = "app"
[routes.two]
rule = "Host(`${env:I}`)"
to = "app"
[services.app]
servers = ["${env:UP}", { url = "http://${env:UP}:1", weight = 2 }]
health-check = { path = "${env:P}", interval = "${env:N}" }
[middlewares.door]
basic-auth = { users = ["${env:U}", "${env:V}"], realm = "${env:R}" }
"#;
/// What an administrator of many proxies writes of slow servers; nothing is doubtful about it.
const PATIENT: &str = "[sites.\"app.localhost\"]\nto = \"app\"\n[services.app]\nservers = [\"http://127.0.0.1:1\"]\ntransport = \"slow\"\n[transports.slow]\ntimeouts = { connect = \"5s\", response-header = \"60s\", idle = \"90s\" }\n";
const REALM: &str = "[sites.\"app.localhost\"]\nto = \"app\"\nuse = [\"door\"]\n[services.app]\nservers = [\"http://127.0.0.1:x\"]\n[middlewares.door]\nbasic-auth = { users = [\"amy:{SHA}x\"], realm = 'a\"b' }\n";

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(dir: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_proxy-now"))
        .args(arguments)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have closed it.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap_or_default();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// A directory with these files.
fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn commands_say_what_they_found() {
    let files = [
        ("sound.toml", SOUND),
        ("broken.toml", BROKEN),
        ("warned.toml", WARNED),
        ("syntax.toml", "a = = 1\n"),
    ];
    let dir = dir(&files);
    let rows: &[Row<'_>] = &[
        (&["check", "sound.toml"], "", 0, &["sound.toml: no errors"]),
        (&["check", "-"], SOUND, 0, &["standard input: no errors"]),
        (
            &["check", "broken.toml"],
            "",
            1,
            &["broken.toml:3:21", "nowhere", "broken.toml:6:1", "`servers`", "error"],
        ),
        (&["check", "syntax.toml"], "", 1, &["syntax.toml:1:"]),
        (&["check", "absent.toml"], "", 1, &["absent.toml"]),
        (&["check", "warned.toml"], "", 0, &["unused", "1 warning"]),
        (&["check", "--strict", "warned.toml"], "", 1, &["1 warning"]),
        (
            &["check", "--format", "json", "broken.toml"],
            "",
            1,
            &["\"errors\"", "\"line\": 3", "\"severity\": \"error\""],
        ),
        (&["fmt", "--check", "sound.toml"], "", 0, &[]),
        (&["fmt", "--check", "-"], "[a]\nb=1", 1, &["-"]),
        (&["fmt", "-"], "[a]\nb=1", 0, &["b = 1"]),
        (&["fmt", "syntax.toml"], "", 1, &["syntax.toml", "1:"]),
        (&["diff", "sound.toml", "warned.toml"], "", 0, &["+ service unused", "1 added"]),
        (&["diff", "--format", "json", "sound.toml", "warned.toml"], "", 0, &["\"what\": \"added\""]),
        (&["diff", "sound.toml", "broken.toml"], "", 1, &["broken.toml"]),
        (&["explain", "sound.toml", "sites.\"app.localhost\""], "", 0, &["to", "sound.toml:2:"]),
        (&["explain", "sound.toml", "listeners.websecure"], "", 0, &["default"]),
        (&["explain", "sound.toml", "services.nothing"], "", 1, &["there is no `services.nothing`"]),
        (&["schema"], "", 0, &["\"$schema\""]),
        (&["schema", "--format", "cue"], "", 0, &["sites"]),
        (&["status", "--address", "127.0.0.1:1"], "", 3, &["no proxy-now answers at 127.0.0.1:1"]),
        (&["reload", "--address", "unix:absent.sock"], "", 3, &["unix:absent.sock"]),
        (&["rollback", "7", "--address", "127.0.0.1:1"], "", 3, &[]),
        (&["status", "--address", "somewhere"], "", 1, &["`somewhere` is no admin address"]),
        (&["run", "--state-dir", "state", "broken.toml"], "", 1, &["broken.toml:3:21", "nothing is served"]),
        (&["run"], "", 1, &["no configuration", "[sites.\"app.localhost\"]"]),
        (&["trust", "--state-dir", "nowhere"], "", 1, &["there is no internal CA"]),
        (&["completions", "bash"], "", 0, &["proxy-now"]),
        (&["--help"], "", 0, &["reverse-proxy", "Exit codes"]),
        (&["run", "--help"], "", 0, &["SIGHUP", "--last-good"]),
        (
            &["reload", "--help"],
            "",
            0,
            &["Make the running process read its configuration again", "--address"],
        ),
        (&["nonsense"], "", 2, &["nonsense"]),
        (&["hash-password", "--cost", "4"], "", 1, &["empty"]),
        (&["hash-password", "--cost", "4"], &"x".repeat(73), 1, &["72 bytes"]),
    ];
    check(dir.path(), rows);
}

/// Arguments, standard input, exit code, and what standard output or error must hold.
type Row<'a> = (&'a [&'a str], &'a str, i32, &'a [&'a str]);

fn check(dir: &Path, rows: &[Row<'_>]) {
    for (arguments, input, code, holds) in rows {
        let ran = run(dir, arguments, input);
        let all = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, *code, "{arguments:?}: {all}");
        for text in *holds {
            assert!(all.contains(text), "{arguments:?} has no {text:?} in: {all}");
        }
    }
}

#[test]
fn configurations_are_judged() {
    let dir = dir(&[
        ("empty.toml", ""),
        ("idle.toml", "[logs]\nlevel = \"debug\"\n"),
        ("absent-values.toml", ABSENT),
        ("patient.toml", PATIENT),
        ("realm.toml", REALM),
    ]);
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    let rows: &[Row<'_>] = &[
        (&["check", "empty.toml"], "", 1, &["nothing would be served"]),
        (&["check", "idle.toml"], "", 1, &["nothing would be served"]),
        (&["run", "--state-dir", "state", "empty.toml"], "", 1, &["nothing would be served"]),
        (&["check", "--offline", "absent-values.toml"], "", 0, &[]),
        (&["diff", "absent-values.toml", "absent-values.toml"], "", 0, &["nothing changes its meaning"]),
        (&["check", "--strict", "patient.toml"], "", 0, &["no errors"]),
        (&["check", "realm.toml"], "", 1, &["a realm has neither quotes", "2 errors"]),
        (&["check", "-"], "\u{feff}{\"sites\": {\"a.localhost\": {\"to\": \"@ping\"}}}", 0, &["no errors"]),
        (&["check", "-"], "\u{feff}[sites.\"a.localhost\"]\nto = \"@ping\"\n", 0, &["no errors"]),
        (
            &["check", "-"],
            "[listeners]\na.address = 80\nb.address = 81\n[sites.\"a.localhost\"]\nto = \"@ping\"\n",
            1,
            &["2 errors"],
        ),
        (
            &["check", "-"],
            "[sites.\"a.localhost\"]\nto = \"s\"\nuse = [\"m\"]\n[services.s]\nsplit = { b = 1 }\n[middlewares.m]\nbasic-auth = { users = [\"amy\"] }\n[sites.\"b.localhost\"]\nto = \"s\"\ntls-policy = \"p\"\n[tls-policies.p]\ncipher-suites = [\"X\"]\n",
            1,
            &[
                "there is no service `b`",
                "written `name:hash`",
                "`tls-policies.p.cipher-suites[0]`",
                "3 errors",
            ],
        ),
        (&["check", "pipe"], "", 1, &["pipe", "not a file", "`-`"]),
        (
            &["reverse-proxy", "--from", "http://app.localhost", "--to", "http://127.0.0.1:1"],
            "",
            1,
            &["--from is served over HTTPS"],
        ),
    ];
    check(dir.path(), rows);
}

#[test]
fn certs_says_what_is_missing_and_where() {
    let dir = dir(&[("sound.toml", SOUND), ("acme.json", "{}")]);
    // Nobody answers there.
    const AT: [&str; 2] = ["--address", "127.0.0.1:1"];
    let rows: &[(&[&str], i32, &[&str])] = &[
        (&["list"], 3, &["no proxy-now answers at 127.0.0.1:1"]),
        (&["show", "a.example"], 3, &["no proxy-now answers at 127.0.0.1:1"]),
        (&["revoke", "a.example", "--reason", "spite"], 2, &["keyCompromise", "cessationOfOperation"]),
        (
            &["export", "--format", "pem", "--store", "nowhere"],
            1,
            &["no certificate store at `nowhere`", "--store"],
        ),
        (&["export", "--format", "traefik"], 1, &["`acme.json` is there already", "--out"]),
        (&["import", "traefik", "acme.json"], 1, &["too open", "chmod 600"]),
        (
            &["import", "traefik", "acme.json", "--directory", "letsencript"],
            1,
            &["--directory: there is no directory `letsencript`", "did you mean `letsencrypt`?"],
        ),
        (
            &["import", "traefik", "acme.json", "--directory", "main=http://ca.example/dir"],
            1,
            &["--directory: the directory of a CA is reached by https", "this machine"],
        ),
        (&["import", "traefik", "none.json"], 1, &["`none.json` cannot be read"]),
        (&["import", "pem", "sound.toml", "sound.toml"], 1, &["sound.toml", "no certificate with its key"]),
        (&["import", "caddy", "."], 1, &["its data directory"]),
    ];
    for (arguments, code, told) in rows {
        let ran = run(dir.path(), &[&["certs"], *arguments, &AT].concat(), "");
        assert_eq!(ran.code, *code, "{arguments:?}: {}", ran.err);
        assert!(told.iter().all(|part| ran.err.contains(part)), "{arguments:?}: {}", ran.err);
    }
}

/// Each command says first what the list of commands says of it, or more; every argument and option says something.
#[test]
fn help_is_worth_reading() {
    let dir = dir(&[]);
    let overview = run(dir.path(), &["--help"], "").out;
    let listed = overview.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    let commands: Vec<_> = listed.filter(|(name, _)| !name.is_empty() && !name.starts_with('-')).collect();
    assert_eq!(commands.len(), 16, "{commands:?}");
    let of_acme = ["accounts", "rollover", "deactivate"].map(|action| vec!["acme", action]);
    let of_certs =
        ["list", "show", "renew", "revoke", "export", "import"].map(|action| vec!["certs", action]);
    for name in commands.iter().map(|(name, _)| vec![*name]).chain(of_certs).chain(of_acme) {
        let help = run(dir.path(), &[&name[..], &["-h"]].concat(), "").out;
        let first = help.lines().next().unwrap_or_default();
        assert!(first.len() > 20 && !first.starts_with("Usage"), "{name:?}: {first}");
        assert_ne!(first, "How the running process is reached");
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            let told = line.trim_start().split_once("  ").map_or("", |(_, told)| told.trim());
            let wraps = line.starts_with("        ") || line.len() < 40;
            assert!(wraps || !told.is_empty() && !told.starts_with('['), "{name:?}: {line}");
        }
    }
}

#[test]
fn a_hash_fits_its_password_and_no_other() {
    let dir = dir(&[]);
    let ran = run(dir.path(), &["hash-password", "--cost", "4", "--user", "amy"], "correct horse\n");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let hash = ran.out.trim_end().strip_prefix("amy:").unwrap();
    assert!(bcrypt::verify("correct horse", hash).unwrap());
    assert!(!bcrypt::verify("correct horse\n", hash).unwrap());
}

#[test]
fn fmt_writes_in_place_and_then_finds_nothing_more() {
    let dir = dir(&[(
        "a.toml",
        "[sites.\"a.localhost\"]\nto=\"b\"   # why\n\n[services.b]\nservers=[\"http://127.0.0.1:1\"]\n",
    )]);
    assert_eq!(run(dir.path(), &["fmt", "--check", "a.toml"], "").code, 1);
    assert_eq!(run(dir.path(), &["fmt", "a.toml"], "").code, 0);
    assert_eq!(run(dir.path(), &["fmt", "--check", "a.toml"], "").code, 0);
    let text = std::fs::read_to_string(dir.path().join("a.toml")).unwrap();
    assert!(text.contains("to = \"b\"") && text.contains("# why"), "{text}");
}

#[test]
fn schemas_are_documents() {
    let dir = dir(&[]);
    let json = run(dir.path(), &["schema", "--format", "json"], "").out;
    let schema: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(schema["properties"]["sites"].is_object(), "{schema}");
}

#[test]
fn configurations_written_for_people_are_sound() {
    let dir = dir(&[]);
    for arguments in [
        &["demo", "--print-config"][..],
        &["demo", "--print-config", "--admin", "off", "--https-port", "9443"],
        &["reverse-proxy", "--print-config", "--from", "a.localhost", "--to", "http://127.0.0.1:1"],
        &[
            "reverse-proxy",
            "--print-config",
            "--from",
            "a.localhost:9443",
            "--to",
            "127.0.0.1:1",
            "--to",
            "127.0.0.1:2",
        ],
    ] {
        let text = run(dir.path(), arguments, "").out;
        let checked = run(dir.path(), &["check", "-"], &text);
        assert_eq!(checked.code, 0, "{arguments:?}: {}{text}", checked.err);
    }
}

/// The text between fences of a kind in the README.
fn readme(kind: &str) -> Vec<String> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let blocks: Vec<String> = text
        .split(&format!("\n```{kind}\n"))
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| format!("{block}\n")))
        .collect();
    assert!(blocks.len() > 1, "{kind}: {blocks:?}");
    blocks
}

/// What the README shows passes `check`, and what it tells to type is there.
#[test]
fn the_readme_is_true() {
    let dir = dir(&[]);
    let (configurations, scripts) = (readme("toml"), readme("sh"));
    for text in &configurations {
        let checked = run(dir.path(), &["check", "--offline", "--strict", "-"], text);
        assert_eq!(checked.code, 0, "{}{}{text}", checked.out, checked.err);
    }
    let script = scripts.concat();
    let (_, rest) = script.split_once("cat > site.toml <<'END'\n").unwrap();
    assert_eq!(rest.split_once("END\n").unwrap().0, configurations[0], "the file is the one that is shown");
    std::fs::write(dir.path().join("site.toml"), &configurations[0]).unwrap();
    let commands: Vec<Vec<&str>> = script
        .lines()
        .filter_map(|line| line.strip_prefix("proxy-now "))
        .map(|line| line.split('#').next().unwrap_or_default().split_whitespace().collect())
        .collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let help = run(dir.path(), &[&command[..], &["--help"]].concat(), "");
        assert_eq!(help.code, 0, "{command:?}: {}", help.err);
    }
}

/// One mistake is one finding, though reading and building both meet it.
#[test]
fn a_faulty_certificate_is_found_once() {
    let dir = dir(&[]);
    for (names, cert, key) in [(vec!["a.localhost"], "c1", "k1"), (vec![], "c2", "k2")] {
        let pair = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let made = rcgen::CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
        std::fs::write(dir.path().join(cert), made.pem()).unwrap();
        std::fs::write(dir.path().join(key), pair.serialize_pem()).unwrap();
    }
    for (certificate, found, holds) in [
        ("certificate = { cert = \"c1\", key = \"k1\" }", "no errors", ""),
        ("certificate = { cert = \"c1\", key = \"k2\" }", "1 error", "not of each other"),
        ("certificate = { cert = \"none\", key = \"k2\" }", "1 error", "cannot read `none`"),
        ("certificate = { cert = \"c2\", key = \"k2\" }", "1 error", "no subject alternative names"),
        ("[sites.\"a.localhost\".certificate]\ncert = \"c1\"\nkey = \"k2\"", "1 error", "not of each other"),
        (
            "certificate = [{ cert = \"c1\", key = \"k2\" }, { cert = \"c1\", key = \"none\" }]",
            "2 errors",
            "cannot read `none`",
        ),
    ] {
        let ran = run(
            dir.path(),
            &["check", "-"],
            &format!("[sites.\"a.localhost\"]\nto = \"@ping\"\n{certificate}\n"),
        );
        assert!(
            ran.out.ends_with(&format!(": {found}\n")) && ran.err.contains(holds),
            "{}{}",
            ran.out,
            ran.err
        );
    }
}

/// What building finds does not show what reading covered.
#[test]
fn check_covers_what_came_from_outside() {
    let dir = dir(&[
        ("secret", "SuperSecretVal123"),
        (
            "site.toml",
            "[sites.\"a.localhost\"]\nto = \"@ping\"\ncertificate = [{ cert = \"/tmp/${file:secret}\", key = \"/tmp/${file:secret}\" }]\n",
        ),
    ]);
    std::fs::create_dir(dir.path().join("SuperSecretVal123")).unwrap();
    std::fs::write(dir.path().join("SuperSecretVal123/users"), "no hash").unwrap();
    let door =
        "use = [\"door\"]\n[middlewares.door]\nbasic-auth = { users-file = \"${file:secret}/users\" }\n";
    std::fs::write(dir.path().join("door.toml"), format!("[sites.\"a.localhost\"]\nto = \"@ping\"\n{door}"))
        .unwrap();
    for (file, format) in
        [("site.toml", "human"), ("site.toml", "json"), ("door.toml", "human"), ("door.toml", "json")]
    {
        let ran = run(dir.path(), &["check", "--format", format, file], "");
        let all = ran.out + &ran.err;
        assert!(ran.code == 1 && all.contains("***") && !all.contains("SuperSecret"), "{all}");
    }
}

//! Commands that run nothing, with the real binary.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SOUND: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n";
const BROKEN: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\nlisteners = [\"web\", \"nowhere\"]\n\n[services.api]\nserver = [\"http://127.0.0.1:1\"]\n";
const WARNED: &str = "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n\n[services.unused]\nservers = [\"http://127.0.0.1:1\"]\n";

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

/// Each row: arguments, standard input, exit code, and what standard output or error must hold.
#[test]
fn commands_say_what_they_found() {
    let files = [
        ("sound.toml", SOUND),
        ("broken.toml", BROKEN),
        ("warned.toml", WARNED),
        ("syntax.toml", "a = = 1\n"),
    ];
    let dir = dir(&files);
    let rows: &[(&[&str], &str, i32, &[&str])] = &[
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
    for (arguments, input, code, holds) in rows {
        let ran = run(dir.path(), arguments, input);
        let all = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, *code, "{arguments:?}: {all}");
        for text in *holds {
            assert!(all.contains(text), "{arguments:?} has no {text:?} in: {all}");
        }
    }
}

/// Each command says first what the list of commands says of it, or more; every argument and option says something.
#[test]
fn help_is_worth_reading() {
    let dir = dir(&[]);
    let overview = run(dir.path(), &["--help"], "").out;
    let listed = overview.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    let commands: Vec<_> = listed.filter(|(name, _)| !name.is_empty() && !name.starts_with('-')).collect();
    assert_eq!(commands.len(), 14, "{commands:?}");
    for (name, _) in commands {
        let help = run(dir.path(), &[name, "-h"], "").out;
        let first = help.lines().next().unwrap_or_default();
        assert!(first.len() > 20 && !first.starts_with("Usage"), "{name}: {first}");
        assert_ne!(first, "How the running process is reached");
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            let told = line.trim_start().split_once("  ").map_or("", |(_, told)| told.trim());
            let wraps = line.starts_with("        ") || line.len() < 40;
            assert!(wraps || !told.is_empty() && !told.starts_with('['), "{name}: {line}");
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

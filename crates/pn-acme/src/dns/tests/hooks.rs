//! lego's two protocols for somebody else's code: a program that is run, and a service that is asked.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use pn_testkit::{Folder, Origin, Session, request};

use super::super::{DnsError, Exec, HookAnswer, HttpClient, HttpReq, JsonPost, RawChallenge};
use super::*;
use crate::storage::BoxFuture;

const FQDN: &str = "_acme-challenge.www.example.com.";

fn raw_record() -> TxtRecord {
    let raw = RawChallenge {
        domain: "www.example.com".to_owned(),
        token: "token".to_owned(),
        key_authorization: "token.thumbprint".to_owned(),
    };
    TxtRecord { raw: Some(raw), ..record(FQDN, "value") }
}

/// An executable script in the folder.
fn script(folder: &Folder, text: &str) -> std::path::PathBuf {
    let path = folder.write("hook", format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A script that writes its arguments, one a line, and a line `--` after each call.
fn recorder(folder: &Folder) -> std::path::PathBuf {
    let calls = folder.join("calls");
    script(folder, &format!("printf '%s|' \"$@\" >> {0}; echo >> {0}", calls.display()))
}

fn calls(folder: &Folder) -> Vec<String> {
    std::fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_program_gets_what_lego_gives_it() {
    let folder = Folder::new();
    let program = recorder(&folder);
    let plain = Exec::new(program.clone(), vec!["--zone".to_owned(), "a b; $(x)".to_owned()], false);
    let raw = Exec::new(program, Vec::new(), true);
    run(async {
        for presenter in [&plain, &raw] {
            presenter.append(&raw_record()).await.unwrap();
            presenter.remove(&raw_record()).await.unwrap();
        }
    });
    let expected = [
        "--zone|a b; $(x)|present|_acme-challenge.www.example.com.|value|",
        "--zone|a b; $(x)|cleanup|_acme-challenge.www.example.com.|value|",
        "present|--|www.example.com|token|token.thumbprint|",
        "cleanup|--|www.example.com|token|token.thumbprint|",
    ];
    assert_eq!(calls(&folder), expected);
}

#[test]
fn a_program_inherits_nothing_and_reads_nothing() {
    let folder = Folder::new();
    let file = folder.join("environment");
    let program = script(&folder, &format!("cat; env | cut -d= -f1 | sort > {}", file.display()));
    run(Exec::new(program, Vec::new(), false).append(&raw_record())).unwrap();
    let names = std::fs::read_to_string(file).unwrap();
    // The shell itself sets the last two.
    let names: Vec<&str> =
        names.lines().filter(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name)).collect();
    assert_eq!(names, ["LANG", "PATH"]);
}

#[test]
fn what_a_failing_program_said_is_in_the_error() {
    let folder = Folder::new();
    let program =
        script(&folder, "echo to stdout; yes filler | head -c 8000000; echo no such zone >&2; exit 3");
    let error = run(Exec::new(program, Vec::new(), false).append(&raw_record())).unwrap_err().to_string();
    for each in ["hook", "add", FQDN, "exit status: 3", "no such zone"] {
        assert!(error.contains(each), "{each:?} in {error}");
    }
    assert!(error.len() < 10_000, "{}", error.len());
}

#[test]
fn a_program_that_is_killed_is_told_from_one_that_fails() {
    let folder = Folder::new();
    let program = script(&folder, "kill -KILL $$");
    let error = run(Exec::new(program, Vec::new(), false).append(&raw_record())).unwrap_err().to_string();
    assert!(error.contains("signal: 9") && error.contains("printed nothing"), "{error}");
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let folder = Folder::new();
    let pid = folder.join("pid");
    let program =
        script(&folder, &format!("sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait", pid.display()));
    let exec = Exec::new(program, Vec::new(), false).with_patience(Duration::from_secs(2));
    let error = run(exec.append(&raw_record())).unwrap_err().to_string();
    assert!(error.contains("had not ended after 2 s"), "{error}");
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    pn_testkit::wait_until("the child to be gone", || stat().is_empty() || stat().contains(") Z "));
}

#[test]
fn what_a_program_leaves_running_does_not_hold_us() {
    let folder = Folder::new();
    let program = script(&folder, "sleep 5 & exit 0");
    run(Exec::new(program, Vec::new(), false).append(&raw_record())).unwrap();
}

#[test]
fn programs_that_cannot_be_run_are_named() {
    for path in ["/nowhere/hook", "/etc/hostname"] {
        let error = run(Exec::new(path.into(), Vec::new(), false).append(&raw_record())).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, DnsError::Provider { .. }), "{text}");
        assert!(text.contains(path) && text.contains("executable"), "{text}");
    }
    let raw = Exec::new(Path::new("/bin/true").into(), Vec::new(), true);
    assert!(run(raw.append(&record(FQDN, "value"))).unwrap_err().to_string().contains("raw mode"));
}

/// Sends by the test kit's client.
#[derive(Debug)]
struct Client(SocketAddr);

impl HttpClient for Client {
    fn post<'a>(&'a self, post: JsonPost<'a>) -> BoxFuture<'a, Result<HookAnswer, String>> {
        let (_, path) = post.url.trim_start_matches("http://").split_once('/').unwrap();
        let mut request = request("POST", "hook.test", &format!("/{path}"));
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.extend(
            post.authorization
                .map(|value| ("authorization".parse().unwrap(), value.parse().unwrap()))
                .map(|(name, value): (http::HeaderName, http::HeaderValue)| (Some(name), value)),
        );
        *request.body_mut() = Bytes::from(post.body.to_owned());
        let address = self.0;
        Box::pin(async move {
            let call = move || Session::http1(address).try_send(request);
            let reply = tokio::task::spawn_blocking(call).await.unwrap()?;
            let location = reply.headers.get("location").map(|value| value.to_str().unwrap().to_owned());
            Ok(HookAnswer { status: reply.status, location, body: reply.body.to_vec() })
        })
    }
}

fn httpreq(origin: &Origin, path: &str, credentials: bool, raw: bool) -> HttpReq {
    let secret = Secret::new("s3:cret");
    let (username, password) = if credentials { (Some("user"), Some(&secret)) } else { (None, None) };
    let url = format!("http://{}{path}", origin.addr());
    HttpReq::new(&url, username, password, raw, Arc::new(Client(origin.addr())))
}

#[test]
fn a_service_is_asked_as_lego_asks_it() {
    let origin = Origin::http1();
    run(async {
        let plain = httpreq(&origin, "/dns/", true, false);
        plain.append(&raw_record()).await.unwrap();
        plain.remove(&raw_record()).await.unwrap();
        httpreq(&origin, "", false, true).append(&raw_record()).await.unwrap();
    });
    let seen: Vec<(String, String, String, serde_json::Value)> = origin
        .requests()
        .iter()
        .map(|each| {
            let header = |name| each.header(name).to_owned();
            let body = serde_json::from_slice(&each.body).unwrap();
            (
                format!("{} {}", each.method, each.target),
                header("content-type"),
                header("authorization"),
                body,
            )
        })
        .collect();
    let record = serde_json::json!({ "fqdn": FQDN, "value": "value" });
    let raw =
        serde_json::json!({ "domain": "www.example.com", "token": "token", "keyAuth": "token.thumbprint" });
    let row = |target: &str, authorization: &str, body: &serde_json::Value| {
        (target.to_owned(), "application/json".to_owned(), authorization.to_owned(), body.clone())
    };
    let basic = "Basic dXNlcjpzMzpjcmV0";
    assert_eq!(
        seen,
        [
            row("POST /dns/present", basic, &record),
            row("POST /dns/cleanup", basic, &record),
            row("POST /present", "", &raw)
        ]
    );
}

#[test]
fn what_a_service_answers_is_in_the_error() {
    let origin = Origin::http1();
    for (status, expected) in [(500, "it answers 500"), (401, "check `username` and `password`")] {
        origin.fail_with(Some(status));
        let presenter = httpreq(&origin, "", true, false);
        let error = run(presenter.append(&raw_record())).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("/present"), "{error}");
        assert!(!format!("{error} {presenter:?}").contains("cret"), "{error} {presenter:?}");
    }
}

#[test]
fn a_service_that_leads_elsewhere_has_done_nothing() {
    let moved = |_: &http::Request<Bytes>| {
        let response =
            http::Response::builder().status(302).header("location", "https://other.test/dns/present");
        response.body(Bytes::new()).ok()
    };
    let origin = Origin::setup().answer(moved).http1();
    let error = run(httpreq(&origin, "/dns", false, false).append(&raw_record())).unwrap_err().to_string();
    for each in ["it answers 302: https://other.test/dns/present", "let `url` name the place itself"] {
        assert!(error.contains(each), "{each:?} in {error}");
    }
    assert_eq!(origin.requests().len(), 1);
}

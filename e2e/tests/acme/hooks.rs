//! lego's two protocols with a real CA: scripts and a service that have BIND's own client change the zone. A wildcard and
//! its apex need two values at one place, where somebody else's value stands and stays.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

use pn_testkit::{Authority, Folder, Named, Origin, PebbleOptions, Peer, find_program, wait_until};
use serde_json::Value;

use crate::place::{LISTENERS, Place, obtained};

const ZONES: [&str; 4] = ["exec.example", "exec-raw.example", "httpreq.example", "httpreq-raw.example"];
const SITES: &str = r#"
[issuers.exec.acme]
directory = "<directory>"
dns = { provider = "exec", program = "<plain-hook>", args = ["<key>"], propagation = { resolvers = ["<dns>"] } }

[sites."*.exec.example"]
hosts = ["exec.example"]
issuer = "exec"
respond = { body = "exec" }

[issuers.exec-raw.acme]
directory = "<directory>"
dns = { provider = "exec", mode = "raw", program = "<raw-hook>", args = ["<key>"], propagation = { resolvers = ["<dns>"] } }

[sites."*.exec-raw.example"]
hosts = ["exec-raw.example"]
issuer = "exec-raw"
respond = { body = "exec-raw" }

[issuers.httpreq.acme]
directory = "<directory>"
dns = { provider = "httpreq", url = "<service>/plain", username = "proxy", password = "hush", propagation = { resolvers = ["<dns>"] } }

[sites."*.httpreq.example"]
hosts = ["httpreq.example"]
issuer = "httpreq"
respond = { body = "httpreq" }

[issuers.httpreq-raw.acme]
directory = "<directory>"
dns = { provider = "httpreq", mode = "raw", url = "<service>/raw", username = "proxy", password = "hush", propagation = { resolvers = ["<dns>"] } }

[sites."*.httpreq-raw.example"]
hosts = ["httpreq-raw.example"]
issuer = "httpreq-raw"
respond = { body = "httpreq-raw" }
"#;

/// `HOOK KEY present|cleanup FQDN VALUE`, as lego calls it.
const PLAIN: &str = r#"#!/bin/sh
set -e
case "$2" in
    present) change="update add $3 5 TXT $4" ;;
    cleanup) change="update delete $3 TXT $4" ;;
esac
printf 'server 127.0.0.1 PORT\n%s\nsend\n' "$change" | nsupdate -k "$1"
"#;
/// `HOOK KEY present|cleanup -- DOMAIN TOKEN KEYAUTH`.
const RAW: &str = r#"#!/bin/sh
set -e
value=$(printf %s "$6" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d =)
test "$3" = --
case "$2" in
    present) change="update add _acme-challenge.$4. 5 TXT $value" ;;
    cleanup) change="update delete _acme-challenge.$4. TXT $value" ;;
esac
printf 'server 127.0.0.1 PORT\n%s\nsend\n' "$change" | nsupdate -k "$1"
"#;
/// base64 of `proxy:hush`.
const CREDENTIALS: &str = "Basic cHJveHk6aHVzaA==";

fn hook(folder: &Folder, name: &str, text: &str, named: &Named) -> String {
    let path = folder.write(name, text.replace("PORT", &named.addr().port().to_string()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    path.display().to_string()
}

/// A service that takes both of lego's bodies, over TLS.
fn service(authority: &Authority, named: &Arc<Named>) -> Origin {
    let named = Arc::clone(named);
    let answer = move |request: &http::Request<bytes::Bytes>| {
        let authorization = request.headers().get("authorization").is_some_and(|given| given == CREDENTIALS);
        let done = match authorization {
            true => change(&named, request.uri().path(), request.body()),
            false => Err("who are you?".to_owned()),
        };
        let (status, said) = done.map_or_else(|error| (500, error), |()| (200, String::new()));
        http::Response::builder().status(status).body(bytes::Bytes::from(said)).ok()
    };
    Origin::setup().answer(answer).tls(&authority.server(&["localhost"]), &["http/1.1"])
}

fn change(named: &Named, path: &str, body: &[u8]) -> Result<(), String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (fqdn, value) = match path.starts_with("/raw/") {
        false => (field("fqdn"), field("value")),
        true => (format!("_acme-challenge.{}.", field("domain")), digest(&field("keyAuth"))),
    };
    match path.rsplit('/').next() {
        Some("present") => named.update(&format!("update add {fqdn} 5 TXT {value}")),
        Some("cleanup") => named.update(&format!("update delete {fqdn} TXT {value}")),
        _ => Err(format!("what is {path}?")),
    }
}

/// What the CA looks for (RFC 8555 section 8.4), by other code than the proxy's.
fn digest(key_authorization: &str) -> String {
    let script =
        r#"printf %s "$0" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d ="#;
    let mut shell = Command::new(find_program("sh"));
    Peer::run("sh", shell.args(["-c", script, key_authorization]), pn_testkit::PATIENCE).expect_success()
}

#[test]
fn scripts_and_services_prove_wildcards_and_leave_nothing() {
    let (place, folder) = (Place::new(), Folder::new());
    let named =
        Arc::new(Named::start(&ZONES.map(|zone| (zone, "_acme-challenge IN TXT \"of-somebody-else\""))));
    let before = ZONES.map(|zone| named.records(zone));
    let pebble = place.pebble(PebbleOptions { name_server: Some(named.addr()), ..PebbleOptions::default() });
    let service = service(pebble.authority(), &named);
    let setup = place.setup(&pebble.directory(), pebble.authority()).set("dns", named.addr());
    let setup = setup
        .set("key", named.key_file().display())
        .set("plain-hook", hook(&folder, "plain", PLAIN, &named))
        .set("raw-hook", hook(&folder, "raw", RAW, &named))
        .set("service", format!("https://localhost:{}", service.addr().port()));
    let proxy = setup.start(&format!("{LISTENERS}{SITES}"));
    for zone in ZONES {
        let body = zone.trim_end_matches(".example");
        for host in [zone.to_owned(), format!("any.{zone}")] {
            place.wait_until_served(&proxy, &host, body);
        }
    }
    assert_eq!(obtained(&proxy), ZONES.len(), "{}", proxy.log());
    wait_until("the zones to be as before", || ZONES.map(|zone| named.records(zone)) == before);
    for zone in ZONES {
        let log = named.peer().log();
        let changes: Vec<&str> = log
            .lines()
            .filter_map(|line| line.split_once(&format!("'{zone}/IN': "))?.1.split_once(" an RR at "))
            .map(|(what, _)| what)
            .collect();
        assert_eq!(changes, ["adding", "adding", "deleting", "deleting"], "both stand there at once: {log}");
    }
}

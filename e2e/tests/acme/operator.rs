//! What an operator sees of certificates and does about them: `certs`, the admin API, the metrics.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pn_testkit::{Finished, Pebble, PebbleOptions, Proxy, free_port, wait_until};
use serde_json::Value;

use crate::place::{Place, config, obtained, serial_at};

const HOST: &str = "a.proxy.example";
const INTERNAL: &str = r#"
[issuers.inside]
internal-ca = { lifetime = "7d" }

[sites."b.localhost"]
issuer = "inside"
respond = { body = "b" }
"#;

/// A proxy that serves its site with a certificate of a pebble.
fn serving() -> (Place, Pebble, Proxy) {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy =
        place.setup(&pebble.directory(), pebble.authority()).start(&format!("{}{INTERNAL}", config("")));
    place.wait_until_served(&proxy, HOST, "a");
    (place, pebble, proxy)
}

/// `certs` with these arguments, asked of this proxy.
pub(crate) fn certs(proxy: &Proxy, arguments: &[&str]) -> Finished {
    let admin = proxy.admin().to_string();
    proxy.command(&[&["certs"], arguments, &["--address", &admin]].concat())
}

pub(crate) fn show(proxy: &Proxy, name: &str) -> Value {
    let shown = certs(proxy, &["show", name, "--format", "json"]).expect_success();
    serde_json::from_str(&shown).expect("JSON")
}

/// The serial number that a client is shown, in lower case.
fn served_serial(place: &Place) -> String {
    serial_at(place, place.tls, HOST).expect("a serial number")
}

#[test]
fn certificates_are_listed_shown_renewed_and_measured() {
    let (place, _pebble, proxy) = serving();
    let list = certs(&proxy, &["list"]).expect_success();
    for line in ["a.proxy.example", "b.localhost"] {
        assert!(list.lines().any(|shown| shown.starts_with(line) && shown.contains("valid")), "{list}");
    }
    let before = show(&proxy, HOST);
    assert_eq!(
        [&before["source"], &before["issuer"], &before["state"], &before["key_type"]],
        ["obtained", "main", "valid", "p256"],
        "{before}"
    );
    let serial = before["serial"].as_str().expect("a serial number").to_owned();
    assert!(serial.ends_with(&served_serial(&place)), "{serial}");
    assert_eq!(show(&proxy, &serial)["id"], before["id"]);
    assert_eq!(show(&proxy, "b.localhost")["source"], "internal");

    let metrics = proxy.metrics();
    let decimal = u128::from_str_radix(&serial, 16).expect("of at most 16 bytes").to_string();
    let ends =
        metrics.value("traefik_tls_certs_not_after", &[("cn", HOST), ("serial", &decimal), ("sans", HOST)]);
    assert!(ends > 1.7e9);
    assert!(metrics.value("tls_cert_next_attempt", &[("issuer", "main")]) < ends);
    for (name, labels, expected) in [
        ("tls_cert_renewal_failures", &[("issuer", "main")][..], 0.0),
        ("tls_certs_expired", &[], 0.0),
        ("tls_certs_missing", &[], 0.0),
        ("acme_orders_total", &[("issuer", "main"), ("outcome", "issued")], 1.0),
    ] {
        assert_eq!(metrics.value(name, labels), expected, "{name}");
    }

    let told = certs(&proxy, &["renew", HOST]).expect_success();
    assert!(told.starts_with("begun: ordered of https://"), "{told}");
    wait_until("another certificate", || {
        assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2", "nobody is refused meanwhile");
        show(&proxy, HOST)["serial"] != before["serial"]
    });
    wait_until("it to be served", || !serial.ends_with(&served_serial(&place)));
    assert_eq!(obtained(&proxy), 2, "{}", proxy.log());
    assert_eq!(proxy.metrics().value("acme_orders_total", &[("outcome", "issued")]), 2.0);
}

#[test]
fn what_cannot_be_done_says_why() {
    let (_place, _pebble, proxy) = serving();
    for (arguments, told) in [
        (&["show", "nobody.example"][..], "certs list"),
        (&["renew", "nobody.example"], "certs list"),
        (&["renew", "b.localhost"], "the internal CA renews it by itself"),
    ] {
        let finished = certs(&proxy, arguments);
        assert_eq!(finished.code(), 1, "{arguments:?}");
        assert!(finished.stderr.contains(told), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn a_certificate_is_revoked_and_another_ordered() {
    let (place, pebble, proxy) = serving();
    let before = show(&proxy, HOST);
    let serial = before["serial"].as_str().expect("a serial number");
    let refused = certs(&proxy, &["revoke", HOST, "--reason", "spite"]);
    assert!(refused.code() == 2 && refused.stderr.contains("cessationOfOperation"), "{}", refused.stderr);
    let told = certs(&proxy, &["revoke", HOST, "--reason", "keyCompromise"]).expect_success();
    assert!(told.contains(serial) && told.contains("another one is ordered"), "{told}");
    let status = pebble.status_of(serial);
    assert_eq!((&status["Status"], &status["Reason"]), (&"Revoked".into(), &1.into()), "{status}");
    wait_until("another certificate to be served", || {
        assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2", "nobody is refused meanwhile");
        !serial.ends_with(&served_serial(&place))
    });
    assert_eq!(obtained(&proxy), 2, "{}", proxy.log());
    wait_until("it to be shown", || show(&proxy, HOST)["state"] == "valid");
}

/// What these options export, and whether nobody else may read it.
fn exported(proxy: &Proxy, place: &Place, format: &str) -> String {
    let out = place.folder.join(&format!("exported-{format}")).display().to_string();
    let told = certs(proxy, &["export", "--format", format, "--out", &out]).expect_success();
    assert!(told.contains("1 certificates and 1 accounts") && !told.contains("PRIVATE"), "{told}");
    for file in files(Path::new(&out)) {
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    out
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).expect("a folder").flatten();
    entries.flat_map(|entry| files(&entry.path())).collect()
}

#[test]
fn what_is_exported_is_imported_elsewhere_and_served_without_an_order() {
    let (place, pebble, proxy) = serving();
    let directory = format!("--directory={}", pebble.directory());
    let rows = ["traefik", "caddy", "pem"].map(|format| (format, exported(&proxy, &place, format)));
    let again = certs(&proxy, &["export", "--format", "traefik", "--out", &rows[0].1]);
    assert!(again.code() == 1 && again.stderr.contains("is there already"), "{}", again.stderr);
    let serial = served_serial(&place);
    proxy.stop();
    for (format, out) in rows {
        // Its own state, and the same ports. The CA is there, and nothing is ordered of it.
        let new = place.anew();
        new.trust(&pebble.root());
        let mut setup = new.setup(&pebble.directory(), pebble.authority());
        let store = new.state().join("certificates").display().to_string();
        let pair = |ending: &str| {
            let found =
                files(Path::new(&out)).into_iter().find(|file| file.to_string_lossy().ends_with(ending));
            found.map(|file| file.display().to_string()).unwrap_or_default()
        };
        let (chain, key) = (pair(".crt"), pair(".key"));
        let from: &[&str] = if format == "pem" { &["pem", &chain, &key] } else { &[format, &out] };
        let nobody = format!("127.0.0.1:{}", free_port());
        let options = ["--store", &store, "--address", &nobody, &directory];
        let told = setup.command(&[&["certs", "import"], from, &options].concat(), "").expect_success();
        assert!(told.contains("stored in"), "{format}: {told}");
        let proxy = setup.start(&config(""));
        assert_eq!(new.visit(HOST, "--http2").expect_success(), "a 2", "{format}: {}", proxy.log());
        assert_eq!(served_serial(&new), serial, "{format}");
        assert_eq!(show(&proxy, HOST)["source"], "imported", "{format}");
        assert_eq!(obtained(&proxy), 0, "{format}: {}", proxy.log());
    }
}

/// The CA looks for its challenge where nobody listens any more.
#[test]
fn a_running_process_takes_over_what_is_imported() {
    let (place, pebble, first) = serving();
    let out = exported(&first, &place, "traefik");
    let serial = served_serial(&place);
    first.stop();
    let mut new = place.anew();
    new.http = free_port();
    new.trust(&pebble.root());
    let config = config("challenges = [\"http-01\"]");
    let proxy = new.setup(&pebble.directory(), pebble.authority()).start(&config);
    proxy.peer().wait_for_log("certificate not obtained");
    // The log line comes before what the books say of it.
    wait_until("the failure to be shown", || show(&proxy, HOST)["state"] == "missing");
    assert_eq!(proxy.metrics().value("tls_certs_missing", &[]), 1.0);
    let told = certs(&proxy, &["import", "traefik", &out, &format!("--directory={}", pebble.directory())]);
    let told = told.expect_success();
    assert!(told.contains("takes over") && told.contains("certificates"), "{told}");
    wait_until("it to be served", || new.visit(HOST, "--http2").stdout == "a 2");
    assert_eq!(served_serial(&new), serial);
    assert_eq!(obtained(&proxy), 0, "{}", proxy.log());
}

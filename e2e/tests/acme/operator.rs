//! What an operator sees of certificates and does about them: `certs`, the admin API, the metrics.

use pn_testkit::{Finished, Pebble, PebbleOptions, Proxy, curl, wait_until};
use serde_json::Value;

use crate::place::{Place, config, obtained};

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
fn certs(proxy: &Proxy, arguments: &[&str]) -> Finished {
    let admin = proxy.admin().to_string();
    proxy.command(&[&["certs"], arguments, &["--address", &admin]].concat())
}

fn show(proxy: &Proxy, name: &str) -> Value {
    let shown = certs(proxy, &["show", name, "--format", "json"]).expect_success();
    serde_json::from_str(&shown).expect("JSON")
}

/// The serial number that a client is shown, in lower case.
fn served_serial(place: &Place) -> String {
    let resolve = format!("{HOST}:{}:127.0.0.1", place.tls);
    let url = format!("https://{HOST}:{}/", place.tls);
    let root = place.folder.join("root.pem").display().to_string();
    let shown = curl(&["--cacert", &root, "--resolve", &resolve, "-o", "/dev/null", "-w", "%{certs}", &url]);
    let shown = shown.expect_success();
    let line = shown.lines().find_map(|line| line.strip_prefix("Serial Number:")).expect("a serial number");
    line.trim().to_ascii_lowercase()
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
    let ends =
        metrics.value("traefik_tls_certs_not_after", &[("cn", HOST), ("serial", &serial), ("sans", HOST)]);
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

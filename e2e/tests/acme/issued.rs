//! What an issuer's settings make of its certificates, as clients are shown them: keys, chains, names, addresses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use pn_testkit::{Pebble, PebbleOptions, Peer, Proxy, Session, curl, find_program};
use serde_json::Value;

use crate::operator::certs;
use crate::place::{LISTENERS, Place, config, files, obtained, patiently, record};

/// The certificates that a client is sent, as openssl tells of them, leaf first.
type Chain = Vec<String>;

/// `None` if they do not lead to this one root, or not for this host.
fn chain(place: &Place, root: &str, host: &str) -> Option<Chain> {
    let root = place.folder.write("this-root.pem", root).display().to_string();
    let resolve = format!("{host}:{}:127.0.0.1", place.tls);
    let url = format!("https://{host}:{}/", place.tls);
    let seen = curl(&["--cacert", &root, "--resolve", &resolve, "-o", "/dev/null", "-w", "%{certs}", &url]);
    if !seen.status.success() {
        return None;
    }
    let end = "-----END CERTIFICATE-----";
    let pems = seen.stdout.split_inclusive(end).filter_map(|part| part.get(part.find("-----BEGIN")?..));
    Some(pems.map(|pem| told(place, pem)).collect())
}

#[track_caller]
fn told(place: &Place, pem: &str) -> String {
    let file = place.folder.write("this.pem", pem);
    let mut command = Command::new(find_program("openssl"));
    command.args(["x509", "-noout", "-text", "-in"]).arg(file);
    Peer::run("openssl", &command, Duration::from_secs(30)).expect_success()
}

/// What is on this line of it, such as `Issuer: `.
#[track_caller]
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.trim().strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name:?} in {text}"))
}

/// The bits of the public key, which tell one from another.
fn public_key(text: &str) -> &str {
    text.split_once("Subject Public Key Info:")
        .and_then(|(_, rest)| rest.split_once("X509v3"))
        .map_or(text, |(key, _)| key)
}

fn names(text: &str) -> BTreeSet<&str> {
    let (_, rest) = text.split_once("X509v3 Subject Alternative Name:").unwrap_or_default();
    let line = rest.lines().find(|line| !line.trim().is_empty() && line.contains(':')).unwrap_or_default();
    line.split(',').map(str::trim).collect()
}

/// Issuers of these settings, each with a site of its name.
fn issuers(rows: &[(&str, String)]) -> String {
    let one = |(name, settings): &(&str, String)| {
        format!(
            "
[issuers.{name}.acme]
directory = \"<directory>\"
{settings}

[sites.\"{name}.proxy.example\"]
issuer = \"{name}\"
respond = {{ body = \"{name}\" }}
"
        )
    };
    format!("{LISTENERS}{}", rows.iter().map(one).collect::<String>())
}

fn start(place: &Place, pebble: &Pebble, config: &str) -> Proxy {
    place.setup(&pebble.directory(), pebble.authority()).start(config)
}

#[track_caller]
fn wait_until_obtained(proxy: &Proxy, count: usize) {
    patiently("the certificates", || {
        assert!(proxy.peer().is_running(), "{}", proxy.log());
        obtained(proxy) >= count
    });
    assert_eq!(obtained(proxy), count, "{}", proxy.log());
}

#[test]
fn keys_are_of_the_kind_that_is_asked_for_and_each_certificate_has_its_own() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 20, ..PebbleOptions::default() });
    let root = pebble.root();
    let rows = [
        ("p256", "ASN1 OID: prime256v1"),
        ("p384", "ASN1 OID: secp384r1"),
        ("rsa2048", "Public-Key: (2048 bit)"),
        ("rsa3072", "Public-Key: (3072 bit)"),
        ("rsa4096", "Public-Key: (4096 bit)"),
    ];
    let proxy =
        start(&place, &pebble, &issuers(&rows.map(|(kind, _)| (kind, format!("key-type = \"{kind}\"")))));
    wait_until_obtained(&proxy, rows.len());
    let mut keys = BTreeSet::new();
    for round in ["obtained", "renewed"] {
        if round == "renewed" {
            for (kind, _) in rows {
                certs(&proxy, &["renew", &format!("{kind}.proxy.example")]).expect_success();
            }
            wait_until_obtained(&proxy, 2 * rows.len());
        }
        for (kind, expected) in rows {
            let host = format!("{kind}.proxy.example");
            patiently(&format!("a key of {host} that was not there before: {round}"), || {
                let Some(chain) = chain(&place, &root, &host) else { return false };
                assert!(chain[0].contains(expected), "{kind}: {}", chain[0]);
                keys.insert(public_key(&chain[0]).to_owned())
            });
            assert_eq!(place.visit(&host, "--http2").expect_success(), format!("{kind} 2"));
        }
    }
    assert_eq!(keys.len(), 2 * rows.len(), "{}", proxy.log());
}

#[test]
fn the_chain_that_is_preferred_is_served_and_the_default_where_there_is_none() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { alternate_roots: 2, ..PebbleOptions::default() });
    let roots = [0, 1, 2].map(|number| pebble.alternate_root(number));
    let common_names = roots.each_ref().map(|root| common_name(&told(&place, root)));
    let prefer = |name: &str| format!("preferred-chain = \"{name}\"");
    let rows = [
        ("any", String::new(), 0),
        ("first", prefer(&common_names[0]), 0),
        ("second", prefer(&common_names[1]), 1),
        ("third", prefer(&common_names[2]), 2),
        ("none", prefer("Nobody's Root"), 0),
    ];
    let settings = rows.clone().map(|(name, settings, _)| (name, settings));
    let proxy = start(&place, &pebble, &issuers(&settings));
    wait_until_obtained(&proxy, rows.len());
    for (name, _, expected) in rows {
        let host = format!("{name}.proxy.example");
        patiently(&format!("{host} to be served"), || chain(&place, &roots[expected], &host).is_some());
        for (number, root) in roots.iter().enumerate() {
            let chain = chain(&place, root, &host);
            assert_eq!(chain.is_some(), number == expected, "{name} by root {number}: {chain:?}");
            let Some(last) = chain.and_then(|chain| chain.into_iter().next_back()) else { continue };
            assert!(line(&last, "Issuer: ").ends_with(&common_names[expected]), "{name}: {last}");
        }
    }
    let log = proxy.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("has no chain that ends in")).collect();
    let [warning] = warnings.as_slice() else { panic!("{log}") };
    assert!(
        warning.contains("none.proxy.example") && common_names.iter().all(|name| warning.contains(name)),
        "{warning}"
    );
}

fn common_name(text: &str) -> String {
    line(text, "Subject: ").rsplit("CN = ").next().unwrap_or_default().to_owned()
}

/// RFC 8738. A client that asks for an address sends no server name.
#[test]
fn addresses_are_certified_and_served_to_those_who_name_nobody() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let place = Place::new();
        let pebble = place.pebble(PebbleOptions::default());
        let address = "\n[sites.\"127.0.0.1\"]\nrespond = { body = \"address\" }\n";
        let config = format!("{}{address}", config(&format!("challenges = [\"{challenge}\"]")));
        let proxy = start(&place, &pebble, &config);
        wait_until_obtained(&proxy, 2);
        for (host, body) in [("127.0.0.1", "address"), ("a.proxy.example", "a")] {
            place.wait_until_served(&proxy, host, body);
        }
        let chain = chain(&place, &pebble.root(), "127.0.0.1").expect("what was verified");
        assert_eq!(names(&chain[0]), BTreeSet::from(["IP Address:127.0.0.1"]), "{challenge}");
    }
}

const GROUPS: &str = r#"
[issuers.main.acme]
directory = "<directory>"

[sites."a.proxy.example"]
san-group = "shop"
hosts = ["aa.proxy.example"]
respond = { body = "a" }

[sites."b.proxy.example"]
san-group = "shop"
respond = { body = "b" }

[sites."c.proxy.example"]
respond = { body = "c" }

[sites."plain.proxy.example"]
https = "off"
respond = { body = "plain" }

[sites."*"]
https = "off"

[routes.not]
rule = '!Host(`never.proxy.example`)'
respond = { body = "not" }

[routes.side]
rule = 'Host(`c.proxy.example`) && Path(`/side`) && !Host(`neither.proxy.example`)'
respond = { body = "side" }
"#;

/// Rules say no host of a certificate, least of all those that they exclude.
#[test]
fn groups_share_a_certificate_and_what_is_excluded_has_none() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = start(&place, &pebble, &format!("{LISTENERS}{GROUPS}"));
    wait_until_obtained(&proxy, 2);
    let shop = BTreeSet::from(["DNS:a.proxy.example", "DNS:aa.proxy.example", "DNS:b.proxy.example"]);
    let rows = [
        ("a", "a", &shop),
        ("aa", "a", &shop),
        ("b", "b", &shop),
        ("c", "c", &BTreeSet::from(["DNS:c.proxy.example"])),
    ];
    let mut serials = BTreeSet::new();
    for (label, body, expected) in rows {
        let host = format!("{label}.proxy.example");
        place.wait_until_served(&proxy, &host, body);
        let chain = chain(&place, &pebble.root(), &host).expect("what was verified");
        assert_eq!(names(&chain[0]), *expected, "{host}");
        serials.insert(public_key(&chain[0]).to_owned());
    }
    assert_eq!(serials.len(), 2);
    let list: Value =
        serde_json::from_str(&certs(&proxy, &["list", "--format", "json"]).expect_success()).expect("JSON");
    let listed = list.to_string();
    for absent in ["plain", "never", "neither", "\"*\""] {
        assert!(!listed.contains(absent), "{absent}: {listed}");
        assert!(!pebble.peer().log().contains(&format!("{absent}.proxy.example")), "{absent}");
    }
    // The rules are in force all the same.
    let plain = |host: &str, path: &str| {
        let address = SocketAddr::from(([127, 0, 0, 1], place.http));
        let reply = Session::http1(address).get(host, path);
        (reply.status, reply.text())
    };
    assert_eq!(plain("any.proxy.example", "/"), (200, "not".to_owned()));
    assert_eq!(plain("never.proxy.example", "/").0, 404);
}

/// The least that is an answer of RFC 6960: `unauthorized`.
const ANSWER: &str = "MAMKAQY=";

/// Nobody fetches it, since the large CAs have ended it; what is there is shown.
#[test]
fn what_is_stored_of_revocation_is_stapled() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = start(&place, &pebble, &config(""));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    assert!(asked_for_staple(&place).contains("OCSP response: no response sent"));
    proxy.stop();
    let mut kept = record(&place.state(), "certificates");
    kept["ocsp"] = ANSWER.into();
    let file = files(&place.state(), "certificates").remove(0);
    std::fs::write(file, kept.to_string()).expect("written");
    let proxy = start(&place, &pebble, &config(""));
    let shown = asked_for_staple(&place);
    assert!(shown.contains("OCSP Response Status: unauthorized (0x6)"), "{shown}\n{}", proxy.log());
    place.visit("a.proxy.example", "--http2").expect_success();
    assert_eq!(obtained(&proxy), 0, "{}", proxy.log());
}

fn asked_for_staple(place: &Place) -> String {
    let mut command = Command::new(find_program("openssl"));
    let address = format!("127.0.0.1:{}", place.tls);
    command.args(["s_client", "-status", "-servername", "a.proxy.example", "-connect", &address]);
    let came = Peer::run("openssl", &command, Duration::from_secs(30));
    format!("{}{}", came.stdout, came.stderr)
}

//! What spans nodes: clashes, cycles, files, assertions, doubts.

use crate::tests::{Memory, findings, load_text, load_with};
use crate::{Format, Input};
use rcgen::{CertificateParams, KeyPair};

mod acme;
mod reach;

const SITE: &str = "[sites.\"a.lan\"]\nto = \"@ping\"\n";

fn check(text: &str, expected: &[&str]) {
    let got = findings(&load_text(text));
    assert_eq!(got.lines().collect::<Vec<_>>(), expected, "of {text}");
}

#[test]
fn sockets_that_exclude_each_other() {
    let site = "[sites.\"a.lan\"]\nto = \"@ping\"\nlisteners = [\"x\", \"y\"]\nhttps = \"off\"\n";
    let clash = |x: &str, y: &str| {
        let text = format!("{site}[listeners.x]\naddress = {x}\n[listeners.y]\naddress = {y}\n");
        findings(&load_text(&text))
    };
    let of = |a: &str, b: &str, help: &str| {
        format!(
            "t.toml:8:11 Error listener-clash: `{b}` of listener `y` clashes with `{a}` of listener `x` ({help}) \
             [t.toml:6:11 the other one]\n"
        )
    };
    let (keep, both) =
        ("keep one of them, or give one another port", "`[::]` takes IPv4 as well: keep only that one");
    for (x, y, help) in [
        ("0.0.0.0:80", "0.0.0.0:80", Some(keep)),
        ("0.0.0.0:80", "127.0.0.1:80", Some(keep)),
        ("127.0.0.1:80", "0.0.0.0:80", Some(keep)),
        ("[::]:80", "127.0.0.1:80", Some(both)),
        ("0.0.0.0:80", "[::]:80", Some(both)),
        ("[::]:80", "[::1]:80", Some(keep)),
        ("unix:/run/x", "unix:/run/x", Some(keep)),
        ("fd:a", "fd:a", Some(keep)),
        ("0.0.0.0:80", "[::1]:80", None),
        ("0.0.0.0:80", "0.0.0.0:81", None),
        ("127.0.0.1:80", "127.0.0.2:80", None),
        ("unix:/run/x", "unix:/run/y", None),
    ] {
        let expected = help.map_or_else(String::new, |help| of(x, y, help));
        assert_eq!(clash(&format!("\"{x}\""), &format!("\"{y}\"")), expected, "{x} and {y}");
    }
    check(
        &format!("{SITE}[listeners.x]\naddress = \"127.0.0.1:80\"\n"),
        &[
            "t.toml:4:11 Error listener-clash: `127.0.0.1:80` of listener `x` clashes with `[::]:80` of listener `web` \
         (`web` (port 80) and `websecure` (port 443) exist unless overridden: change that listener instead)",
            "t.toml:3:12 Warning unused-node: the listener `x` is not used (refer to it, mark it `abstract = true`, or \
         remove it)",
        ],
    );
    check(
        &format!("{SITE}[admin]\naddress = \"127.0.0.1:443\"\n"),
        &[
            "t.toml:4:11 Error listener-clash: `[::]:443` of listener `websecure` clashes with `127.0.0.1:443` of the \
         admin API (`web` (port 80) and `websecure` (port 443) exist unless overridden: change that listener instead)",
        ],
    );
}

#[test]
fn circles() {
    check(
        "[sites.\"a.lan\"]\nto = \"s\"\nuse = [\"a\"]\n[services]\ns.split = { t = 1 }\nt.split = { s = 1, u = 1 }\n\
         u.split = { u = 1 }\n[middlewares]\na.chain = [\"b\"]\nb.chain = [\"c\"]\nc.chain = [\"a\"]\n",
        &[
            "t.toml:5:11 Error cycle: these lead back to where they started: `s` → `t` → `s` (take one of them out)",
            "t.toml:7:11 Error cycle: these lead back to where they started: `u` → `u` (take one of them out)",
            "t.toml:9:11 Error cycle: these lead back to where they started: `a` → `b` → `c` → `a` (take one of them \
             out)",
        ],
    );
    check(
        "[sites.\"a.lan\"]\nto = \"s\"\n[services.s]\nservers = [\"http://x:1\"]\nuse = [\"m\"]\n[middlewares.m]\n\
         errors = { status = 500, service = \"s\", path = \"/e\" }\n",
        &[
            "t.toml:5:7 Error cycle: these lead back to where they started: `s` → `m` → `s` (take one of them out)",
        ],
    );
}

#[test]
fn a_chain_of_ten_thousand_is_walked() {
    let mut text = "[sites.\"a.lan\"]\nto = \"@ping\"\nuse = [\"m0\"]\n[middlewares]\n".to_owned();
    for i in 0..10_000 {
        text.push_str(&format!("m{i}.chain = [\"m{}\"]\n", (i + 1) % 10_000));
    }
    assert!(findings(&load_text(&text)).contains("Error cycle"));
}

#[test]
fn assertions_are_proved() {
    let text = |site: &str, assert: &str| {
        format!(
            "[sites.\"x.admin.lan\"]\n{site}\n[sites.\"b.lan\"]\nto = \"@ping\"\n[asserts.guarded]\n{assert}\n\
             must-use = [\"ops\"]\n[middlewares]\nops.ip-allow = {{ ranges = \"10.0.0.0/8\" }}\n\
             all.chain = [\"ops\"]\nother.body-limit = \"1MiB\"\n[services.s]\nservers = [\"http://s:1\"]\n\
             use = [\"ops\"]\n[services.t]\nsplit = {{ s = 1, \"@ping\" = 1 }}\n[services.k]\nsplit = {{ s = 1 }}\n"
        )
    };
    let wide = "sites = \"*.admin.lan\"";
    let broken = |site: &str, assert: &str| {
        let got = findings(&load_text(&text(site, assert)));
        let lines = got.lines().filter(|line| line.contains("assertion"));
        lines.map(|line| line.split(" [").next().unwrap_or("").to_owned()).collect::<Vec<_>>().join("\n")
    };
    let of = |place: &str, route: &str| {
        format!(
            "t.toml:{place} Error assertion: the route `{route}` does not run `ops` (add it to `use` of the route or \
             its site, or narrow the assertion)"
        )
    };
    for (site, expected) in [
        ("use = [\"ops\"]\nto = \"@ping\"", String::new()),
        ("use = [\"all\"]\nto = \"@ping\"", String::new()),
        ("to = \"s\"", String::new()),
        ("to = \"k\"", String::new()),
        ("use = [\"other\"]\nto = \"@ping\"", of("1:8", "x.admin.lan/*")),
        ("to = \"t\"", of("1:8", "x.admin.lan/*")),
        ("use = [\"ops\"]\nto = \"@ping\"\nroutes.\"/a\".unset = [\"use\"]", of("4:8", "x.admin.lan/a")),
    ] {
        assert_eq!(broken(site, wide), expected, "of {site}");
    }
    let open = "to = \"@ping\"";
    assert_eq!(broken(open, "sites = \"x.admin.lan\""), of("1:8", "x.admin.lan/*"));
    assert_eq!(broken(open, "sites = \"**.lan\"").lines().count(), 2);
    assert_eq!(broken(open, "sites = \"*\"").lines().count(), 2);
    assert_eq!(
        broken(open, "sites = \"*.other.lan\""),
        "t.toml:6:9 Warning empty-assertion: `asserts.guarded` holds for no site, so it proves nothing (correct the \
         pattern, or remove the assertion)"
    );
}

#[test]
fn an_assertion_holds_for_the_site_that_would_take_the_host() {
    let text = |extra: &str| {
        format!(
            "[sites.\"*\"]\nhttps = \"off\"\nto = \"@ping\"\n{extra}[asserts.a]\nsites = \"x.lan\"\n\
             must-use = [\"ops\"]\n[middlewares]\nops.ip-allow = {{ ranges = \"10.0.0.0/8\" }}\n"
        )
    };
    assert!(findings(&load_text(&text(""))).contains("the route `*/*` does not run `ops`"));
    let narrower = "[sites.\"*.lan\"]\nuse = [\"ops\"]\nto = \"@ping\"\n";
    assert_eq!(findings(&load_text(&text(narrower))), "");
}

#[test]
fn limits_by_addresses_that_are_not_the_clients() {
    let text = |listener: &str, limit: &str| {
        format!("{SITE}use = [\"m\"]\n[listeners.web]\n{listener}\n[middlewares.m]\n{limit}\n")
    };
    let plain = "address = \":80\"";
    for (listener, limit, doubtful) in [
        (plain, "rate-limit = { rate = \"5/s\" }", false),
        ("address = \"unix:/run/x\"", "rate-limit = { rate = \"5/s\" }", true),
        (
            "address = \"unix:/run/x\"\nproxy-protocol.trusted = \"0.0.0.0/0\"",
            "rate-limit = { rate = \"5/s\" }",
            false,
        ),
        ("address = \"unix:/run/x\"", "rate-limit = { rate = \"5/s\", by = \"all\" }", false),
        ("address = \"unix:/run/x\"", "in-flight = { amount = 5 }", true),
        (plain, "ip-allow = { ranges = \"10.0.0.0/8\", depth = 1 }", true),
        (
            "trusted-proxies = \"10.0.0.0/8\"",
            "rate-limit = { rate = \"5/s\", by.header = \"X-Real-IP\" }",
            true,
        ),
        (plain, "rate-limit = { rate = \"5/s\", by.header = \"X-Key\" }", false),
    ] {
        let got = findings(&load_text(&text(listener, limit)));
        assert_eq!(got.contains("Warning untrusted-proxy"), doubtful, "{listener} {limit}: {got}");
    }
}

#[test]
fn passwords_over_plain_http() {
    let text = |site: &str, listener: &str| {
        format!(
            "[listeners.web]\n{listener}\n[sites.\"a.lan\"]\n{site}\n[services.s]\nservers = [\"http://a:1\"]\n\
             [middlewares]\ndoor.basic-auth = {{ users = [\"amy:{{SHA}}x\"] }}\nall.chain = [\"door\"]\n"
        )
    };
    let (on_site, on_route) =
        ("use = [\"all\"]\nto = \"s\"", "to = \"s\"\nroutes.\"/x\" = { use = [\"all\"] }");
    for (site, https, listener, doubtful) in [
        (on_site, "off", "", true),
        (on_route, "off", "", true),
        (on_route, "both", "", true),
        (on_site, "redirect", "", false),
        ("use = [\"all\"]\nto = \"s\"\nlisteners = [\"websecure\"]", "both", "", false),
        (on_site, "off", "trusted-proxies = [\"10.0.0.0/8\"]", false),
        (on_site, "off", "proxy-protocol = { trusted = [\"10.0.0.0/8\"] }", false),
    ] {
        let got = findings(&load_text(&text(&format!("{site}\nhttps = \"{https}\""), listener)));
        assert_eq!(
            got.contains("Warning plaintext-credentials"),
            doubtful,
            "{site} {https} {listener}: {got}"
        );
    }
    let got = findings(&load_text(&text("use = [\"all\"]\nhttps = \"off\"\nto = \"s\"", "")));
    assert!(got.starts_with("t.toml:5:9 Warning plaintext-credentials: `a.lan` is served"), "{got}");
}

#[test]
fn nodes_that_nothing_refers_to() {
    let unused = |what: &str, place: &str| {
        format!(
            "t.toml:{place} Warning unused-node: the {what} is not used (refer to it, mark it `abstract = true`, or \
             remove it)"
        )
    };
    check(
        &format!(
            "{SITE}[services.s]\nrespond = {{}}\n[transports.t]\n[middlewares.m]\nbody-limit = \"1MiB\"\n\
             [tls-policies.p]\n[listeners.l]\naddress = \":81\"\n[issuers.i]\ninternal-ca = {{}}\n\
             [issuers.main]\ninternal-ca = {{}}\n"
        ),
        &[
            &unused("service `s`", "3:11"),
            &unused("transport `t`", "5:13"),
            &unused("middleware `m`", "6:14"),
            &unused("TLS policy `p`", "8:15"),
            &unused("listener `l`", "9:12"),
            &unused("issuer `i`", "11:10"),
        ],
    );
}

// === files ===

/// A certificate and its key for these names, valid for days before and after today.
fn pair(names: &[&str], days: (i64, i64)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now + time::Duration::days(days.0);
    // Half a day more, so that whole days are counted whatever the clock says.
    params.not_after = now + time::Duration::days(days.1) + time::Duration::hours(12);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn with_files(text: &str, files: &[(&str, &str)], offline: bool) -> String {
    let mut all = vec![("/c/t.toml", text)];
    all.extend_from_slice(files);
    findings(&load_with(&Memory::of(&all), &[Input::Path("/c/t.toml".into())], offline))
}

#[test]
fn certificates_and_keys() {
    let text = "[sites.\"a.example\"]\nhosts = [\"*.b.example\", \"10.0.0.1\"]\nto = \"@ping\"\n\
                certificate = { cert = \"a.pem\", key = \"keys/a.key\" }\n";
    let check = |cert: &str, key: &str, expected: &str| {
        let got = with_files(text, &[("/c/a.pem", cert), ("/c/keys/a.key", key)], false);
        let expected = if expected.is_empty() { String::new() } else { format!("/c/t.toml:{expected}\n") };
        assert_eq!(got, expected);
    };
    let names = ["A.example", "*.b.example", "10.0.0.1"];
    let (cert, key) = pair(&names, (-1, 90));
    let (_, other) = pair(&names, (-1, 90));
    check(&cert, &key, "");
    check(&cert, &other, {
        "4:24 Error key-mismatch: the certificate and the private key are not of each other (name the key that the \
         certificate was made with; the leaf comes first in `cert`)"
    });
    check("nothing", &key, {
        "4:24 Error invalid-certificate: there is no certificate in `cert` (`cert` is a PEM chain, the leaf first)"
    });
    check(&cert, &cert, {
        "4:39 Error invalid-certificate: there is no private key in `key` (`key` is a PEM private key without a password)"
    });
    let (cert, key) = pair(&["*.example"], (-1, 90));
    check(&cert, &key, {
        "4:24 Error certificate-host: the certificate does not cover `*.b.example`, `10.0.0.1` (it is for *.example)"
    });
    let (cert, key) = pair(&names, (-9, -2));
    check(&cert, &key, "4:24 Warning certificate-expiry: the certificate expired 1 days ago (renew it)");
    let (cert, key) = pair(&names, (-9, 5));
    check(&cert, &key, "4:24 Warning certificate-expiry: the certificate expires in 5 days (renew it)");
    let (cert, key) = pair(&names, (3, 90));
    check(&cert, &key, {
        "4:24 Warning certificate-expiry: the certificate is not valid for another 3 days (check the clock and the \
         certificate)"
    });
}

#[test]
fn every_kind_of_key() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let cert = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        assert!(super::certificates::load(cert.pem().as_bytes(), key.serialize_pem().as_bytes()).is_ok());
    }
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let cert = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&rsa).unwrap();
    assert!(super::certificates::load(cert.pem().as_bytes(), rsa.serialize_pem().as_bytes()).is_ok());
}

#[test]
fn files_that_are_not_there() {
    let text = "[sites.\"a.example\"]\nto = \"@ping\"\nuse = [\"m\"]\ntls-policy = \"p\"\n\
                certificate = { cert = \"a.pem\", key = \"a.key\" }\n[middlewares.m]\n\
                basic-auth.users-file = \"users\"\n[tls-policies.p]\nclient-auth.roots = \"roots.pem\"\n";
    let missing = |place: &str, path: &str| {
        format!(
            "/c/t.toml:{place} Error missing-file: cannot read `/c/{path}`: it does not exist (check the path; \
             relative ones start at the file that names them; `check --offline` skips it)"
        )
    };
    let got = with_files(text, &[], false);
    let expected = [
        missing("5:24", "a.pem"),
        missing("5:39", "a.key"),
        missing("7:25", "users"),
        missing("9:21", "roots.pem"),
    ];
    assert_eq!(got.lines().collect::<Vec<_>>(), expected);
    assert_eq!(with_files(text, &[], true), "");
}

#[test]
fn users_files_and_roots() {
    let text = "[sites.\"a.lan\"]\nto = \"@ping\"\nuse = [\"m\"]\ntls-policy = \"p\"\n[middlewares.m]\n\
                basic-auth.users-file = \"users\"\n[tls-policies.p]\nclient-auth.roots = \"roots.pem\"\n";
    let (roots, _) = pair(&["a"], (-1, 1));
    let of =
        |users: &str, roots: &str| with_files(text, &[("/c/users", users), ("/c/roots.pem", roots)], false);
    assert_eq!(of("# people\n\nann:$2y$05$x\n", &roots), "");
    assert_eq!(
        of("ann:$2y$05$x\nbob:hunter2\nann:$2y$05$y\n", "no PEM"),
        "/c/t.toml:6:25 Error plaintext-credentials: line 2 of `/c/users`: this is no hash of bcrypt, apr1 or SHA1: \
         passwords are not kept in plain text (`proxy-now hash-password` prints such a line)\n\
         /c/t.toml:6:25 Error duplicate-user: line 3 of `/c/users`: this user was there before (keep one line)\n\
         /c/t.toml:8:21 Error invalid-certificate: there is no certificate in it (the file holds PEM (`-----BEGIN \
         ..-----`))\n"
    );
    assert!(of("\n", &roots).contains("names no user"));
}

#[test]
fn secrets_stand_for_files_and_are_never_shown() {
    let (cert, key) = pair(&["a.example"], (-1, 90));
    let text = "[sites.\"a.example\"]\nto = \"@ping\"\ncertificate = { cert = \"a.pem\", key = \"${file:a.key}\" }\n";
    assert_eq!(with_files(text, &[("/c/a.pem", &cert), ("/c/a.key", &key)], false), "");
    let got = with_files(text, &[("/c/a.pem", &cert), ("/c/a.key", "hunter2")], false);
    assert!(got.contains("cannot read `***`") && !got.contains("hunter2"), "{got}");
    let inline = "[sites.\"a.lan\"]\nto = \"${env:TARGET}\"\n";
    let input = Input::Text { name: "t".to_owned(), text: inline.to_owned(), format: Format::Auto };
    let got = findings(&load_with(&Memory::default(), &[input], false));
    assert!(!got.contains("env-of-TARGET") && got.contains("Error"), "{got}");
}

//! Traefik's `acme.json`.

use super::{LETS_ENCRYPT, LETS_ENCRYPT_ACCOUNT, Made, NOW, account_pem, made, made_p384, sec1};
use crate::acme::{AccountKey, KeyType};
use crate::exchange::material::rsa_der;
use crate::exchange::{Bundle, ExchangeError, export_traefik, import_traefik, read_traefik, write_traefik};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pn_model::Secret;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn account(uri: &str, key: &[u8]) -> Value {
    json!({
        "Email": "ops@example.org",
        "Registration": { "body": { "status": "valid", "contact": ["mailto:ops@example.org"] }, "uri": uri },
        "PrivateKey": BASE64.encode(key),
        "KeyType": "4096"
    })
}

fn certificate(main: &str, sans: &Value, made: &Made) -> Value {
    json!({
        "domain": { "main": main, "sans": sans },
        "certificate": BASE64.encode(&made.chain),
        "key": BASE64.encode(&made.key),
        "Store": "default"
    })
}

fn import(file: &Value) -> Bundle {
    import_traefik(&serde_json::to_vec_pretty(file).unwrap(), NOW).unwrap()
}

fn notes(bundle: &Bundle) -> String {
    bundle.notes.iter().map(|note| format!("{note}\n")).collect()
}

#[test]
fn every_resolver_comes_with_its_account_and_certificates() {
    let rsa = rsa_der(&Secret::new(account_pem(KeyType::Rsa4096))).unwrap();
    let p384 = account_pem(KeyType::P384);
    let p384 = sec1(PrivatePkcs8KeyDer::from_pem_slice(p384.as_bytes()).unwrap().secret_pkcs8_der());
    let (one, two) = (made(&["b.example", "a.example"], 60), made_p384(&["*.c.example"], 60));
    let bundle = import(&json!({
        "le": {
            "Account": account(LETS_ENCRYPT_ACCOUNT, &rsa),
            "Certificates": [
                certificate("a.example", &json!(["b.example"]), &one),
                certificate("*.c.example", &Value::Null, &two),
            ]
        },
        "inside": { "Account": account("https://ca.inside/acct/7", &p384), "Certificates": null },
    }));
    assert_eq!(notes(&bundle), "");
    let [inside, le] = bundle.issuers.as_slice() else { panic!("{:?}", bundle.issuers) };
    assert_eq!((inside.name.as_str(), inside.directory.as_deref()), ("inside", None));
    assert_eq!((le.name.as_str(), le.directory.as_deref()), ("le", Some(LETS_ENCRYPT)));
    for (issuer, label) in [(inside, "BEGIN EC PRIVATE KEY"), (le, "BEGIN RSA PRIVATE KEY")] {
        let account = issuer.accounts.first().unwrap();
        assert!(account.key_pem.expose().contains(label));
        AccountKey::from_pem(account.key_pem.expose()).unwrap();
        assert_eq!(account.email.as_deref(), Some("ops@example.org"));
        assert_eq!(account.body["status"], "valid");
    }
    let names: Vec<_> = le.certificates.iter().map(|record| record.names.join(" ")).collect();
    assert_eq!(names, ["a.example b.example", "*.c.example"], "the main one first");
    assert!(le.certificates.iter().all(|record| record.issuer_directory == LETS_ENCRYPT));
    assert_eq!(le.certificates[0].chain_pem.trim_end(), one.chain.trim_end().replace("\r\n", "\n"));
}

#[test]
fn what_cannot_be_taken_along_is_told() {
    let good = made(&["a.example"], 60);
    let expired = made(&["old.example"], -3);
    let swapped = Made { chain: good.chain.clone(), key: expired.key.clone() };
    let garbage = Made { chain: "x".into(), key: "y".into() };
    let rsa = rsa_der(&Secret::new(account_pem(KeyType::Rsa2048))).unwrap();
    let never = json!({ "Email": "", "Registration": null, "PrivateKey": BASE64.encode(&rsa) });
    let no_key = json!({ "Email": "", "Registration": { "uri": "https://x/1" }, "PrivateKey": null });
    let none = Value::Null;
    for (file, told, taken) in [
        (json!({ "le": null }), "le: there is nothing in it to take along", 0),
        (json!({ "le": { "Account": null, "Certificates": null } }), "le: it has no account", 0),
        (json!({ "le": { "Account": never } }), "a new one registered: it was never registered", 0),
        (json!({ "le": { "Account": no_key } }), "a new one registered: it has no key", 0),
        (
            json!({ "le": { "Account": account("https://x/1", b"abc") } }),
            "a new one registered: it has no key",
            0,
        ),
        (
            json!({ "le": { "Certificates": [certificate("old.example", &none, &expired)] } }),
            "le, old.example: it expired 3 days ago; it is taken along",
            1,
        ),
        (
            json!({ "le": { "Certificates": [certificate("a.example", &none, &swapped)] } }),
            "le, a.example: it is left out: its key cannot be used or is another certificate's",
            0,
        ),
        (
            json!({ "le": { "Certificates": [certificate("a.example", &none, &garbage)] } }),
            "le, a.example: it is left out: there is no certificate in it",
            0,
        ),
        (
            json!({ "le": { "Certificates": [{ "domain": { "main": "a.example" }, "certificate": "", "key": null }] } }),
            "le, a.example: it is left out",
            0,
        ),
        (
            json!({ "le": { "Certificates": [
                certificate("a.example", &none, &good), certificate("a.example", &none, &made(&["a.example"], 80)),
            ] } }),
            "le, a.example: it is there twice",
            1,
        ),
    ] {
        let bundle = import(&file);
        assert!(notes(&bundle).contains(told), "{told}: {}", notes(&bundle));
        let all: Vec<_> = bundle.issuers.iter().flat_map(|issuer| &issuer.certificates).collect();
        assert_eq!(all.len(), taken, "{told}");
        if told.contains("twice") {
            assert_eq!(all[0].validity().unwrap().1, NOW + 80 * 86_400);
        }
    }
    assert!(notes(&import_traefik(b" \n", NOW).unwrap()).contains("it is empty"));
}

#[test]
fn a_file_of_another_kind_is_refused() {
    for one in [
        r#"{ "Account": { "Email": "x", "PrivateKey": "AA==" }, "Certificates": [] }"#,
        r#"{ "Account": null, "Certificates": [{ "Domain": { "Main": "x" } }], "HTTPChallenges": {} }"#,
        r#"{ "Account": null, "Certificates": null, "HTTPChallenges": {}, "TLSChallenges": {} }"#,
        r#"{ "Email": "x", "Registration": {}, "PrivateKey": "AA==", "DomainsCertificate": { "Certs": [] } }"#,
    ] {
        let refused = import_traefik(one.as_bytes(), NOW).unwrap_err();
        assert!(matches!(refused, ExchangeError::TraefikOne), "{one}: {refused}");
    }
    let deep = format!("{{\"le\":{}", "[".repeat(100_000));
    for bytes in
        ["[]", "{", "{\"le\": 7}", "-----BEGIN CERTIFICATE-----", "{\"le\":{\"Certificates\":{}}}", &deep]
    {
        let refused = import_traefik(bytes.as_bytes(), NOW).unwrap_err().to_string();
        assert!(refused.starts_with("this is no acme.json of Traefik 2 or 3"), "{refused}");
    }
    // Such as certbot's `private_key.json`, or a key in the place of a resolver.
    for key in [r#""se\", \"cret""#, r#"{ "d": "se\", cret", "kty": "RSA" }"#, r#"{ "le": "se cret" }"#] {
        let refused = import_traefik(key.as_bytes(), NOW).unwrap_err().to_string();
        assert!(refused.contains("invalid type: string, expected") && !refused.contains("cret"), "{refused}");
    }
    let beside = format!("{{\"le\": {{\"Certificates\": [{}]}}, \"key\": \"secret\"}}", good("a.example"));
    let bundle = import_traefik(beside.as_bytes(), NOW).unwrap();
    assert!(
        notes(&bundle).contains("key: it is left out: invalid type: string, expected"),
        "{}",
        notes(&bundle)
    );
    assert!(!notes(&bundle).contains("secret"));
}

fn good(name: &str) -> Value {
    certificate(name, &Value::Null, &made(&[name], 60))
}

/// What is told of this account and certificate, and how many certificates of their resolver are taken. There is a good
/// one beside them, and one in a resolver beside theirs.
fn beside_good_ones(account: &Value, certificate: &Value) -> (String, usize) {
    let bundle = import(&json!({
        "one": { "Account": null, "Certificates": [good("a.example")] },
        "two": { "Account": account, "Certificates": [certificate, good("b.example")], "More": 1 },
        "three": { "Certificates": 5 },
    }));
    let all = notes(&bundle);
    assert!(all.contains("three: it is left out: invalid type") && !all.contains('\u{1b}'), "{all}");
    let [one, two] = bundle.issuers.as_slice() else { panic!("{all}") };
    assert_eq!((&*one.name, &*two.name, one.certificates.len()), ("one", "two", 1), "{all}");
    (all, two.certificates.len())
}

#[test]
fn what_is_broken_keeps_nothing_else_out() {
    let rsa = rsa_der(&Secret::new(account_pem(KeyType::Rsa2048))).unwrap();
    let with_body = |body: &str| {
        let mut account = account("https://x/1", &rsa);
        account["Registration"]["body"] = body.into();
        account
    };
    let with_email = |email: &str| {
        let mut account = account("https://x/1", &rsa);
        account["Email"] = email.into();
        account
    };
    let mut truncated = good("t.example");
    let cut: String = truncated["certificate"].as_str().unwrap().chars().take(101).collect();
    truncated["certificate"] = cut.into();
    let large = Made { chain: "x".repeat(600_000), key: String::new() };
    let large = certificate("l.example", &Value::Null, &large);
    let mut unknown = good("u.example");
    unknown["something"] = json!({ "new": [1, 2] });
    let mut typed = good("y.example");
    typed["domain"] = json!({ "main": 5 });
    for (account, certificate, told, taken) in [
        (Value::Null, truncated, "two, t.example: it is left out: its certificate or key is no base64", 1),
        (Value::Null, large, "two, l.example: it is left out: it is above 524288 bytes", 1),
        (Value::Null, unknown, "", 2),
        (Value::Null, typed, "two, a certificate: it is left out: invalid type: integer `5`", 1),
        (Value::Null, json!(7), "two, a certificate: it is left out: invalid type", 1),
        (account("file:///etc/passwd", &rsa), good("g"), "`file:///etc/passwd` is no URL of an account", 2),
        (account("https://x/\u{1b}[31m", &rsa), good("g"), "is no URL of an account", 2),
        (with_body(&"x".repeat(100_000)), good("g"), "is above 65536 bytes", 2),
        (with_email(&"x".repeat(400)), good("g"), "and a new one registered: its address is none", 2),
        (with_email("a\nb@example"), good("g"), "its address is none", 2),
        (json!({ "Email": 5 }), good("g"), "two: its account is left out, and a new one registered", 2),
        (json!("x"), good("g"), "two: its account is left out, and a new one registered", 2),
    ] {
        let (all, count) = beside_good_ones(&account, &certificate);
        assert!(all.contains(told), "{told}: {all}");
        assert_eq!(count, taken, "{told}: {all}");
    }
}

#[test]
fn names_that_no_site_could_have_are_left_out() {
    for (name, taken) in [
        ("UPPER.Example", true),
        ("*.w.example", true),
        ("_s.example", true),
        ("localhost", true),
        ("../etc/passwd", false),
        ("a b.example", false),
        ("a..example", false),
        ("a.*.example", false),
        ("*.*.example", false),
        ("*", false),
        ("a.example.", false),
        ("a\0.example", false),
        ("\u{1b}[31m.example", false),
        (&format!("{}.example", "a".repeat(64)), false),
        (&"a.".repeat(127), false),
    ] {
        let mut one = good(name);
        one["domain"] = json!({});
        let (all, count) = beside_good_ones(&Value::Null, &one);
        assert_eq!(count, 1 + usize::from(taken), "{name}: {all}");
        assert_eq!(all.contains("which no site could be called"), !taken, "{name}: {all}");
    }
}

/// Traefik has an account for each resolver, we one for each CA and address.
#[test]
fn of_two_accounts_of_one_ca_and_address_one_is_used() {
    let rsa = rsa_der(&Secret::new(account_pem(KeyType::Rsa2048))).unwrap();
    let one = |name: &str, url: &str| {
        let made = made(&[name], 60);
        json!({ "Account": account(url, &rsa), "Certificates": [certificate(name, &Value::Null, &made)] })
    };
    let second = "https://acme-v02.api.letsencrypt.org/acme/acct/2";
    let mut bundle = import(&json!({
        "le-dns": one("a.example", LETS_ENCRYPT_ACCOUNT),
        "le-http": one("b.example", second),
        "same": one("c.example", LETS_ENCRYPT_ACCOUNT),
        "inside": one("d.example", "https://ca.inside/1"),
    }));
    assert!(bundle.set_directory("inside", "https://ca.inside/dir"));
    bundle.drop_twins();
    let told = format!(
        "le-http: its account {second} is left out: {LETS_ENCRYPT_ACCOUNT} is of the same CA and address\n"
    );
    assert_eq!(notes(&bundle), told);
    let accounts: Vec<_> =
        bundle.issuers.iter().map(|issuer| (&*issuer.name, issuer.accounts.len())).collect();
    assert_eq!(accounts, [("inside", 1), ("le-dns", 1), ("le-http", 0), ("same", 1)]);
}

#[test]
fn what_is_exported_is_what_traefik_writes() {
    let rsa = rsa_der(&Secret::new(account_pem(KeyType::Rsa2048))).unwrap();
    let file = json!({
        "le": {
            "Account": account(LETS_ENCRYPT_ACCOUNT, &rsa),
            "Certificates": [
                certificate("a.example", &json!(["b.example"]), &made(&["a.example", "b.example"], 60)),
                { "domain": { "main": "c.example" }, "certificate": "", "key": "", "Store": "default" },
            ]
        },
    });
    let mut bundle = import(&file);
    let (bytes, told) = export_traefik(&bundle);
    assert_eq!(told, []);
    let written: Value = serde_json::from_slice(&bytes).unwrap();
    let mut without_type = file["le"]["Account"].clone();
    without_type.as_object_mut().unwrap().remove("KeyType");
    assert_eq!(written["le"]["Account"], without_type, "the kind of keys is left to its configuration");
    assert_eq!(written["le"]["Certificates"][0], file["le"]["Certificates"][0]);
    assert_eq!(import(&written).issuers, bundle.issuers);
    // Traefik reads PKCS#1 only.
    bundle.issuers[0].accounts[0].key_pem = Secret::new(account_pem(KeyType::P256));
    let (bytes, told) = export_traefik(&bundle);
    assert!(told[0].message.contains("Traefik reads RSA keys only"), "{told:?}");
    let written: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(written["le"]["Account"], Value::Null);
    // One of ours, PKCS#8, becomes PKCS#1.
    bundle.issuers[0].accounts[0].key_pem = Secret::new(account_pem(KeyType::Rsa2048));
    assert_eq!(export_traefik(&bundle).1, []);
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acme.json");
    write_traefik(&path, b"{}").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read_traefik(&path).unwrap(), b"{}");
    for mode in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = read_traefik(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("permissions {mode:o}")) && refused.contains("chmod 600"),
            "{refused}"
        );
    }
    write_traefik(&path, b"{\"a\":null}").unwrap();
    assert_eq!(read_traefik(&path).unwrap(), b"{\"a\":null}", "what is written over it is private again");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

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
    let one = r#"{ "Account": { "Email": "x", "PrivateKey": "AA==" }, "Certificates": [] }"#;
    let refused = import_traefik(one.as_bytes(), NOW).unwrap_err();
    assert!(matches!(refused, ExchangeError::TraefikOne), "{refused}");
    for bytes in ["[]", "{", "{\"le\": 7}", "-----BEGIN CERTIFICATE-----", "{\"le\":{\"Certificates\":{}}}"] {
        let refused = import_traefik(bytes.as_bytes(), NOW).unwrap_err().to_string();
        assert!(refused.starts_with("this is no acme.json of Traefik 2 or 3"), "{refused}");
    }
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

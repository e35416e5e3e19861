//! Accounts whose keys are of kinds that the proxy itself makes none of, as other proxies may leave them: P-384 and RSA.

use std::path::Path;

use pn_testkit::{PATIENCE, Pebble, PebbleOptions, python};
use serde_json::{Value, json};

use crate::other_proxies::{HOST, Kind, counted, export, import};
use crate::place::{Place, config, obtained, patiently, record, serial_at};

/// Has the CA take another key for the account of this place. In PEM: SEC1 or PKCS#1.
fn changed_key(place: &Place, pebble: &Pebble, kind: &str) -> String {
    let account = record(&place.state(), "accounts");
    let key = place.folder.write("account.key", account["key_pem"].as_str().expect("a key"));
    let (root, key) = (pebble.authority().root().display().to_string(), key.display().to_string());
    let url = account["url"].as_str().expect("a URL");
    python("acme_change_key.py", &[&pebble.directory(), &root, &key, url, kind])
        .finish(PATIENCE)
        .expect_success()
}

/// Puts the account with this key into what was exported.
fn put(form: Kind, exported: &Path, account: &Value, key: &str) {
    match form {
        Kind::Traefik => {
            let text = std::fs::read(exported).expect("an acme.json");
            let mut file: Value = serde_json::from_slice(&text).expect("JSON");
            let resolver =
                file.as_object_mut().and_then(|file| file.values_mut().next()).expect("a resolver");
            // What stands between the lines of PEM is what Traefik keeps.
            let der: String = key.lines().filter(|line| !line.starts_with('-')).collect();
            resolver["Account"] = json!({
                "Email": account["email"], "PrivateKey": der, "KeyType": "4096",
                "Registration": {"body": account["body"], "uri": account["url"]},
            });
            std::fs::write(exported, file.to_string()).expect("written");
        }
        Kind::Caddy => {
            let users = exported.join("acme");
            let ca = std::fs::read_dir(users).expect("a folder").flatten().next().expect("a CA").path();
            std::fs::write(ca.join("users/ops@proxy.example/ops.key"), key).expect("written");
        }
    }
}

#[test]
fn accounts_with_keys_of_any_kind_are_used_on() {
    let config = config("email = \"ops@proxy.example\"");
    let mut place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = place.setup(&pebble.directory(), pebble.authority()).start(&config);
    place.wait_until_served(&proxy, HOST, "a");
    let url = record(&place.state(), "accounts")["url"].clone();
    proxy.stop();
    // Each takes over what the one before it has renewed, with another key.
    for (form, kind, label) in [
        (Kind::Traefik, "p384", "BEGIN EC PRIVATE KEY"),
        (Kind::Caddy, "rsa2048", "BEGIN RSA PRIVATE KEY"),
        (Kind::Caddy, "p384", "BEGIN EC PRIVATE KEY"),
    ] {
        let exported = export(&place, &pebble, form);
        let account = record(&place.state(), "accounts");
        let key = changed_key(&place, &pebble, kind);
        put(form, &exported, &account, &key);
        let next = place.anew();
        next.trust(&pebble.root());
        let mut setup = next.setup(&pebble.directory(), pebble.authority());
        import(&mut setup, &next, &pebble, [form.name(), &exported.display().to_string()]);
        let proxy = setup.start(&config);
        assert_eq!(next.visit(HOST, "--http2").expect_success(), "a 2", "{kind}: {}", proxy.log());
        let serial = serial_at(&next, next.tls, HOST);
        assert_eq!((obtained(&proxy), serial.is_some()), (0, true), "{kind}: {}", proxy.log());

        let (orders, _) = counted(&pebble);
        let admin = proxy.admin().to_string();
        proxy.command(&["certs", "renew", HOST, "--address", &admin]).expect_success();
        patiently("a renewal", || obtained(&proxy) == 1);
        patiently("it to be served", || {
            serial_at(&next, next.tls, HOST).is_some_and(|now| Some(now) != serial)
        });
        let account = record(&next.state(), "accounts");
        assert_eq!(account["url"], url, "{kind}");
        assert!(account["key_pem"].as_str().is_some_and(|pem| pem.contains(label)), "{kind}");
        assert_eq!(counted(&pebble), (orders + 1, 1), "{kind}: {}", proxy.log());
        proxy.stop();
        place = next;
    }
}

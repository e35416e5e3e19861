//! What a real Traefik has obtained is taken over: account, key and certificate.

use pn_testkit::{PebbleOptions, Traefik, free_port};
use serde_json::Value;

use crate::place::{Place, config, obtained, patiently, record};

const HOST: &str = "a.proxy.example";

/// Its store, once the certificate is in it.
fn store(traefik: &Traefik) -> Option<Value> {
    let store: Value = serde_json::from_slice(&std::fs::read(traefik.file()).ok()?).ok()?;
    store["main"]["Certificates"].is_array().then_some(store)
}

/// Its account has a key of RSA-4096 in PKCS#1, as all of Traefik.
#[test]
fn what_traefik_has_obtained_is_served_and_renewed_with_its_account() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 20, ..PebbleOptions::default() });
    let traefik = Traefik::start(&pebble, place.http, HOST);
    patiently("Traefik to have a certificate", || store(&traefik).is_some());
    let account = store(&traefik).expect("its store")["main"]["Account"]["Registration"]["uri"].clone();
    let taken = place.folder.write("acme.json", std::fs::read(traefik.file()).expect("its store"));
    drop(traefik);

    let mut setup = place.setup(&pebble.directory(), pebble.authority());
    let at = place.state().join("certificates");
    let [file, at] = [&taken, &at].map(|path| path.display().to_string());
    close(&taken);
    // Nothing runs yet that would have to be told.
    let (nobody, directory) = (format!("127.0.0.1:{}", free_port()), pebble.directory());
    let import = [
        "certs",
        "import",
        "traefik",
        &file,
        "--store",
        &at,
        "--address",
        &nobody,
        "--directory",
        &directory,
    ];
    setup.command(&import, "").expect_success();
    let proxy = setup.start(&config("email = \"ops@proxy.example\""));
    assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2", "{}", proxy.log());
    assert_eq!(obtained(&proxy), 0, "{}", proxy.log());

    let admin = proxy.admin().to_string();
    proxy.command(&["certs", "renew", HOST, "--address", &admin]).expect_success();
    place.wait_until_served(&proxy, HOST, "a");
    assert_eq!(record(&place.state(), "accounts")["url"], account);
    assert!(!proxy.log().contains("account registered"), "{}", proxy.log());
    assert!(!pebble.peer().log().contains("There are now 2 accounts in memory"), "{:?}", pebble.peer());
}

/// Nobody else may read it, or it is refused.
fn close(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("its permissions");
}

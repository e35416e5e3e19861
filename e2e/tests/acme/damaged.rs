//! A certificate store that was damaged from outside: what can be had again is obtained again at the start, with one
//! warning for each file, and what is damaged keeps nobody from the rest.

use std::path::{Path, PathBuf};

use pn_testkit::{Finished, Pebble, PebbleOptions, Proxy};
use serde_json::Value;

use crate::place::{Place, config, obtained, patiently, record};

const HOST: &str = "a.proxy.example";
const OTHER: &str = "\n[sites.\"b.proxy.example\"]\nrespond = { body = \"b\" }\n";
const WARNING: &str = "a damaged value in the certificate store";

fn two_orders_a_second() -> String {
    config("throttle = { orders = 2, per = \"1s\" }")
}

fn start(place: &Place, pebble: &Pebble, config: &str) -> Proxy {
    place.setup(&pebble.directory(), pebble.authority()).start(config)
}

/// The files of the records of this kind.
fn files(place: &Place, kind: &str) -> Vec<PathBuf> {
    let mut folders = vec![place.state().join("certificates").join(kind)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn file(place: &Place, kind: &str) -> PathBuf {
    let found = files(place, kind);
    let [file] = found.as_slice() else { panic!("{kind}: {found:?}") };
    file.clone()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// Everything but the account is damaged in this way between two runs.
fn check(damage: fn(&Path)) {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = start(&place, &pebble, &two_orders_a_second());
    place.wait_until_served(&proxy, HOST, "a");
    proxy.stop();
    let certificate = file(&place, "certificates");
    let schedule = place.state().join("certificates/schedule").join(certificate.file_name().expect("a name"));
    let damaged = [certificate, schedule, file(&place, "throttle")];
    damaged.iter().for_each(|path| damage(path));

    let again = start(&place, &pebble, &two_orders_a_second());
    place.wait_until_served(&again, HOST, "a");
    assert_eq!(obtained(&again), 1, "{}", again.log());
    patiently("the schedule to be mended", || !damaged[1].exists());
    let log = again.log();
    for path in &damaged {
        let name = path.with_extension("");
        let key = name.strip_prefix(place.state().join("certificates")).expect("below").display().to_string();
        let told = log.lines().filter(|line| line.contains(WARNING) && line.contains(&key)).count();
        assert_eq!(told, 1, "{key}: {log}");
    }
    assert!(!log.contains("not looked after") && !log.contains("ERROR"), "{log}");
    let made = record(&place.state(), "certificates");
    assert_eq!(made["names"][0], HOST);
    assert!(record(&place.state(), "throttle")["orders"].is_array());
    again.stop();

    let third = start(&place, &pebble, &two_orders_a_second());
    assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2");
    assert_eq!((obtained(&third), third.log().matches(WARNING).count()), (0, 0), "{}", third.log());
    third.stop();
}

#[test]
fn truncated_records_are_had_again() {
    check(|path| {
        let whole = std::fs::read(path).unwrap_or_else(|_| b"{ \"version\": 1, \"failures\": 0 }".to_vec());
        std::fs::write(path, &whole[..whole.len() / 2]).expect("a shorter file");
    });
}

#[test]
fn oversized_records_are_had_again() {
    check(|path| std::fs::write(path, vec![b' '; 3 << 20]).expect("a large file"));
}

#[test]
fn folders_in_the_place_of_records_are_put_aside() {
    check(|path| {
        std::fs::remove_file(path).unwrap_or_default();
        std::fs::create_dir(path).expect("a folder");
        std::fs::write(path.join("of somebody"), "").expect("a file");
    });
}

#[test]
fn rubbish_in_the_place_of_records_is_replaced() {
    check(|path| std::fs::write(path, b"\0\xff\0 no JSON").expect("a file"));
}

/// Each is good by itself.
#[test]
fn the_key_of_another_certificate_is_noticed() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let config = format!("{}{OTHER}", config(""));
    let proxy = start(&place, &pebble, &config);
    place.wait_until_served(&proxy, HOST, "a");
    place.wait_until_served(&proxy, "b.proxy.example", "b");
    proxy.stop();
    let both = files(&place, "certificates");
    let mut first = read(&both[0]);
    first["key_pem"] = read(&both[1])["key_pem"].clone();
    std::fs::write(&both[0], first.to_string()).expect("a file");

    let again = start(&place, &pebble, &config);
    place.wait_until_served(&again, HOST, "a");
    assert_eq!((obtained(&again), again.log().matches(WARNING).count()), (1, 1), "{}", again.log());
    assert!(again.log().contains("another certificate's"), "{}", again.log());
    assert_eq!(place.visit("b.proxy.example", "--http2").expect_success(), "b 2");
    again.stop();
}

fn command(proxy: &Proxy, arguments: &[&str]) -> Finished {
    let admin = proxy.admin().to_string();
    proxy.command(&[arguments, &["--address", &admin]].concat())
}

/// The certificate goes on being served, and nothing is registered unasked.
#[test]
fn a_damaged_account_is_named_with_its_remedy_and_the_rest_is_exported() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = start(&place, &pebble, &config(""));
    place.wait_until_served(&proxy, HOST, "a");
    proxy.stop();
    let account = file(&place, "accounts");
    let good = std::fs::read(&account).expect("a file");
    std::fs::write(&account, vec![b' '; 3 << 20]).expect("a large file");

    let mut again = start(&place, &pebble, &config(""));
    let listed = command(&again, &["acme", "accounts"]).expect_success();
    assert!(listed.contains("cannot be read") && listed.contains("from a backup"), "{listed}");
    let out = place.folder.join("exported").display().to_string();
    let exported = command(&again, &["certs", "export", "--format", "pem", "--out", &out]);
    assert_eq!(exported.code(), 1, "{exported:?}");
    assert!(exported.stdout.starts_with("1 certificates and 0 accounts"), "{exported:?}");
    assert!(exported.stderr.contains("accounts/") && exported.stderr.contains("above"), "{exported:?}");
    assert!(Path::new(&out).is_dir());

    again.reload_accepted(&format!("{}{OTHER}", config("")));
    patiently("the account to be told of", || again.log().contains("another account registered"));
    assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2");
    assert_eq!(pebble.peer().log().matches("POST /sign-me-up").count(), 1);
    std::fs::write(&account, good).expect("a file");
    command(&again, &["certs", "renew", "b.proxy.example"]).expect_success();
    place.wait_until_served(&again, "b.proxy.example", "b");
    assert_eq!(pebble.peer().log().matches("POST /sign-me-up").count(), 1, "the account is the same");
    again.stop();
}

//! Certificates that come from issuers: seen at once, by name, by wildcard, by address, and made on demand.
#![expect(clippy::disallowed_types, reason = "a test notes what was asked for")]

use super::Clock;
use super::pki::{Ca, Leaf};
use super::world::{Client, Failure, World, from_source, pattern};
use crate::{CertificateStore, Mint, Minted};
use pn_model::IssuerName;
use pn_model::site::CertificateSource;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn publish(store: &CertificateStore, names: &[&str], leaf: &Leaf) {
    store.publish([(names.iter().map(|name| pattern(name)).collect::<Vec<_>>(), leaf.certified())]);
}

fn lan(hosts: &[&str]) -> super::world::Site {
    from_source(hosts, CertificateSource::InternalCa)
}

#[test]
fn a_renewal_needs_no_reload() {
    let ca = Ca::new("ca");
    let (first, second) = (ca.leaf(&["a.lan"]), ca.leaf(&["a.lan"]));
    let world = World::new(&[lan(&["a.lan"])]);
    let client = || Client::new().config();
    assert!(matches!(world.connect(&client(), "a.lan"), Err(Failure::Server(_))), "nothing issued yet");
    for leaf in [&first, &second] {
        publish(&world.store, &["a.lan"], leaf);
        assert_eq!(&world.connect(&client(), "a.lan").unwrap().certificate, leaf.cert.der());
    }
    world.store.retain(|name| name != "a.lan");
    assert!(world.connect(&client(), "a.lan").is_err());
}

#[test]
fn names_in_the_store() {
    let ca = Ca::new("ca");
    let store = CertificateStore::new();
    let (exact, wild) = (ca.leaf(&["a.x.lan", "nas", "10.0.0.1"]), ca.leaf(&["*.x.lan"]));
    publish(&store, &["a.x.lan", "nas", "10.0.0.1"], &exact);
    publish(&store, &["*.x.lan", "**.y.lan", "*"], &wild);
    for (name, expected) in [
        ("a.x.lan", Some(&exact)),
        ("nas", Some(&exact)),
        ("10.0.0.1", Some(&exact)),
        ("b.x.lan", Some(&wild)),
        ("c.b.x.lan", None),
        ("x.lan", None),
        ("a.y.lan", None),
        ("", None),
        (".", None),
    ] {
        let found = store.get(name).map(|key| key.cert[0].clone());
        assert_eq!(found.as_ref(), expected.map(|leaf| leaf.cert.der()), "{name:?}");
    }
    let mut names: Vec<_> = store.certificates().into_iter().map(|info| info.names).collect();
    names.sort();
    assert_eq!(names, [vec!["*.x.lan".to_owned()], vec!["a.x.lan".into(), "nas".into(), "10.0.0.1".into()]]);
}

/// Makes certificates that are due after an hour, and counts.
struct Press {
    ca: Ca,
    clock: Arc<Clock>,
    made: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mint for Press {
    fn mint(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Minted> {
        if issuer.is_some_and(|issuer| issuer.as_str() != "lan") {
            return None;
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(name.to_owned());
        let now = self.clock.current_time().unwrap().as_secs();
        Some(Minted { key: self.ca.leaf(&[name]).certified(), renew_at: now + 3600 })
    }
}

#[test]
fn names_under_wildcards_are_made_on_demand() {
    let clock = Clock::real();
    let (made, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let press = Press { ca: Ca::new("ca"), clock: clock.clone(), made: made.clone(), asked: asked.clone() };
    let sites = [
        lan(&["**.apps.lan"]),
        from_source(&["*"], CertificateSource::Issuer("lan".into())),
        from_source(&["*.acme.example"], CertificateSource::Issuer("acme".into())),
    ];
    let world = World::with_clock(&sites, clock.clone());
    world.store.set_mint(Box::new(press));
    let client = Client::new().config();
    let names = |name: &str, local: Option<&str>| {
        let done = world.connect_at("tls", &client, name, local).unwrap();
        crate::pair::facts(&done.certificate).unwrap().names
    };
    assert_eq!(names("a.b.apps.lan", None), ["a.b.apps.lan"]);
    assert_eq!(names("a.b.apps.lan", None), ["a.b.apps.lan"]);
    assert_eq!(made.load(Ordering::SeqCst), 1, "kept after the first");
    assert_eq!(names("anything.example", None), ["anything.example"]);
    assert_eq!(names("10.0.0.7", Some("10.0.0.7")), ["10.0.0.7"]);
    assert_eq!(names("fd00::7", Some("fd00::7")), ["fd00::7"]);
    assert_eq!(made.load(Ordering::SeqCst), 4);
    assert!(world.connect(&client, "x.acme.example").is_err(), "this issuer makes none on demand");
    let listed = world.store.certificates();
    assert_eq!(listed.iter().filter(|info| info.on_demand).count(), 4, "{listed:?}");
    clock.advance(3601);
    let client = Client::new().config();
    world.connect(&client, "a.b.apps.lan").unwrap();
    assert_eq!(asked.lock().unwrap().last().map(String::as_str), Some("a.b.apps.lan"), "renewed when due");
    assert_eq!(made.load(Ordering::SeqCst), 5);
}

struct Stamp(Arc<CertifiedKey>);

impl Mint for Stamp {
    fn mint(&self, _issuer: Option<&IssuerName>, _name: &str) -> Option<Minted> {
        Some(Minted { key: Arc::clone(&self.0), renew_at: u64::MAX })
    }
}

#[test]
fn what_is_made_on_demand_is_bounded() {
    let store = CertificateStore::new();
    store.set_mint(Box::new(Stamp(Ca::new("ca").leaf(&["x"]).certified())));
    for i in 0..2 * pn_model::limits::INTERNAL_CERTIFICATES {
        store.get_or_mint(None, &format!("n{i}.lan")).unwrap();
    }
    assert!(store.minted_count() <= pn_model::limits::INTERNAL_CERTIFICATES);
}

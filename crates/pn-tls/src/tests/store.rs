//! Certificates that come from issuers: seen at once, by name, by wildcard, by address, and made on demand.
#![expect(clippy::disallowed_types, reason = "a test notes what was asked for")]

use super::Clock;
use super::pki::{Ca, Leaf};
use super::world::{Client, Failure, World, from_source, pattern};
use crate::{CertificateStore, Mint, Minted, Source};
use pn_core::tls::TlsSignal;
use pn_model::IssuerName;
use pn_model::site::CertificateSource;
use rustls::SignatureScheme as Scheme;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn publish(store: &CertificateStore, names: &[&str], leaf: &Leaf) {
    store.publish(
        Source::InternalCa,
        [(names.iter().map(|name| pattern(name)).collect::<Vec<_>>(), leaf.certified())],
    );
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
    world.store.retain(Source::InternalCa, |name| name != "a.lan");
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

#[test]
fn of_several_the_client_s_algorithms_the_date_and_the_name_choose() {
    let ca = Ca::new("ca");
    let (p256, rsa) = (&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_RSA_SHA256);
    let [ec, old_ec, own_ec] = [(-1, 90), (-90, -1), (-1, 90)]
        .map(|(from, until)| ca.leaf_of(&["a.example", "*.example"], p256, from, until));
    let rs = ca.leaf_of(&["a.example", "*.example"], rsa, -1, 90);
    let only_rsa = Some(vec![Scheme::RSA_PSS_SHA256, Scheme::RSA_PKCS1_SHA256]);
    let only_ec = Some(vec![Scheme::ECDSA_NISTP256_SHA256]);
    let (acme, internal, name, wild) = (Source::Acme, Source::InternalCa, "a.example", "*.example");
    for (what, held, schemes, expected) in [
        ("ECDSA first", vec![(acme, name, &rs), (acme, name, &ec)], None, &ec),
        ("RSA only", vec![(acme, name, &rs), (acme, name, &ec)], only_rsa.clone(), &rs),
        ("not the expired", vec![(acme, name, &old_ec), (acme, name, &rs)], None, &rs),
        ("expired over none", vec![(acme, name, &old_ec), (acme, name, &rs)], only_ec, &old_ec),
        ("only the expired", vec![(acme, name, &old_ec)], None, &old_ec),
        ("the later of one kind", vec![(acme, name, &ec), (acme, name, &own_ec)], None, &own_ec),
        ("of a CA before ours", vec![(acme, name, &ec), (internal, name, &own_ec)], None, &ec),
        ("but not expired", vec![(acme, name, &old_ec), (internal, name, &own_ec)], None, &own_ec),
        ("its own before the wildcard", vec![(acme, wild, &ec), (acme, name, &own_ec)], None, &own_ec),
        ("a wildcard before expired", vec![(acme, wild, &ec), (acme, name, &old_ec)], None, &ec),
        ("a wildcard for RSA", vec![(acme, wild, &rs), (acme, name, &ec)], only_rsa, &rs),
    ] {
        let world = World::new(&[from_source(&["a.example"], CertificateSource::Issuer("acme".into()))]);
        for (source, name, leaf) in held {
            world.store.publish(source, [([pattern(name)], leaf.certified())]);
        }
        let client = Client { schemes: schemes.clone(), ..Client::new() }.config();
        let met = world.connect(&client, "a.example").unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(&met.certificate, expected.cert.der(), "{what}");
    }
}

#[test]
fn each_source_takes_out_only_its_own() {
    let ca = Ca::new("ca");
    let (one, two) = (ca.leaf(&["a.lan"]), ca.leaf(&["a.lan"]));
    let store = CertificateStore::new();
    store.publish(Source::Acme, [([pattern("a.lan"), pattern("b.lan")], one.certified())]);
    store.publish(Source::InternalCa, [([pattern("a.lan"), pattern("c.lan")], two.certified())]);
    let held = || ["a.lan", "b.lan", "c.lan"].map(|name| store.get(name).map(|key| key.cert[0].clone()));
    let [acme, internal] = [&one, &two].map(|leaf| Some(leaf.cert.der().clone()));
    assert_eq!(held(), [acme.clone(), acme.clone(), internal.clone()]);
    store.retain(Source::InternalCa, |name| name == "a.lan");
    assert_eq!(held(), [acme.clone(), acme, None]);
    store.retain(Source::Acme, |_| false);
    assert_eq!(held(), [internal, None, None]);
    assert_eq!(store.certificates().len(), 1);
}

/// A ClientHello that offers `acme-tls/1` and nothing else meets the board, any other the sites.
#[test]
fn challenges_stand_before_sites() {
    let ca = Ca::new("ca");
    let world = World::new(&[super::world::site(&["a.lan"], &ca.leaf(&["a.lan"]))]);
    let board = world.store.challenges();
    let own = ca.leaf(&["a.lan"]).certified();
    for name in ["a.lan", "New.lan", "2001:db8::1"] {
        board.present_alpn(name, Arc::clone(&own)).unwrap();
    }
    let reverse = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    for (alpn, sni, expected) in [
        (&["acme-tls/1"][..], Some("a.lan"), "validate"),
        (&["acme-tls/1"], Some("new.lan"), "validate"),
        (&["acme-tls/1"], Some(reverse), "validate"),
        (&["acme-tls/1"], None, "refuse"),
        (&["acme-tls/1"], Some("b.lan"), "refuse"),
        (&["acme-tls/1", "acme-tls/1"], Some("a.lan"), "serve"),
        (&["acme-tls/1", "h2"], Some("a.lan"), "serve"),
        (&["h2"], Some("a.lan"), "serve"),
        (&["acme-tls/10"], Some("a.lan"), "serve"),
        (&[], Some("a.lan"), "serve"),
        (&[], Some("new.lan"), "refuse"),
    ] {
        let alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let signal = TlsSignal { sni: sni.map(str::to_owned), alpn, ..TlsSignal::default() };
        let met = match world.table.choose("tls", &crate::Hello::of(&signal, None)) {
            crate::Choice::Serve(_) => "serve",
            crate::Choice::Validate(_) => "validate",
            crate::Choice::Obtain(_) => "obtain",
            crate::Choice::Refuse => "refuse",
        };
        assert_eq!(met, expected, "{signal:?}");
    }
    for name in ["", "b b", "bücher.lan"] {
        board.present_alpn(name, Arc::clone(&own)).unwrap_err();
    }
}

#[test]
fn tokens_are_bounded_in_number_and_form() {
    let board = crate::ChallengeBoard::default();
    let long = "x".repeat(513);
    for (token, authorization) in
        [("", "a"), ("a/b", "a"), ("a.b", "a"), ("ä", "a"), ("a ", "a"), (&long, "a"), ("a", &long)]
    {
        assert_eq!(board.present_token(token, authorization), Err(crate::ChallengeError::Token), "{token}");
    }
    assert!(!board.has_tokens());
    for number in 0..pn_model::limits::CHALLENGES {
        board.present_token(&format!("t{number}"), "a").unwrap();
    }
    assert_eq!(board.present_token("one-more", "a"), Err(crate::ChallengeError::Full));
    board.present_token("t1", "b").unwrap();
    assert_eq!(board.key_authorization("t1").as_deref(), Some("b"));
    for number in 0..pn_model::limits::CHALLENGES {
        assert!(board.has_tokens());
        board.withdraw_token(&format!("t{number}"));
    }
    assert!(!board.has_tokens());
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
        store.get_or_mint(None, &format!("n{i}.lan"), &[]).unwrap();
    }
    assert!(store.minted_count() <= pn_model::limits::INTERNAL_CERTIFICATES);
}

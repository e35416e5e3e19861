//! Which site, certificate and protocol a client gets by what it says first.

use super::pki::Ca;
use super::world::{Client, Failure, World, from_source, policy, site};
use pn_model::site::CertificateSource;
use rustls::{AlertDescription, Error};

/// One certificate a site, told apart by its first name.
fn world(strict_fallback: bool) -> (World, Vec<(&'static str, rustls_pki_types::CertificateDer<'static>)>) {
    let ca = Ca::new("ca");
    let leaves = [
        ("exact", ca.leaf(&["a.example", "alias.example"])),
        ("wildcard", ca.leaf(&["*.example"])),
        ("deep", ca.leaf(&["*.deep.example"])),
        ("address", ca.leaf(&["10.0.0.1", "::1"])),
        ("fallback", ca.leaf(&["fallback.invalid"])),
    ];
    let strict = policy("strict", |policy| policy.sni_strict = true);
    let fallback = site(&["*"], &leaves[4].1);
    let sites = [
        site(&["a.example", "alias.example"], &leaves[0].1),
        site(&["*.example"], &leaves[1].1),
        site(&["**.deep.example"], &leaves[2].1),
        site(&["10.0.0.1", "::1"], &leaves[3].1),
        from_source(&["plain.example"], CertificateSource::None),
        if strict_fallback { fallback.under(&strict) } else { fallback },
    ];
    let known = leaves.iter().map(|(name, leaf)| (*name, leaf.cert.der().clone())).collect();
    (World::new(&sites), known)
}

fn check(strict_fallback: bool, name: &str, local: Option<&str>, expected: Option<&str>) {
    let (world, known) = world(strict_fallback);
    let met = world.connect_at("tls", &Client::new().config(), name, local);
    let site = match &met {
        Ok(done) => known.iter().find(|(_, cert)| *cert == done.certificate).map(|(site, _)| *site),
        Err(Failure::Refused(Error::AlertReceived(AlertDescription::UnrecognisedName))) => None,
        Err(other) => panic!("{name}: {other:?}"),
    };
    assert_eq!(site, expected, "{name} at {local:?}");
}

#[test]
fn by_name_then_address_then_fallback() {
    for (name, local, expected) in [
        ("a.example", None, Some("exact")),
        ("A.EXAMPLE", None, Some("exact")),
        ("alias.example", None, Some("exact")),
        ("other.example", None, Some("wildcard")),
        ("x.deep.example", None, Some("deep")),
        ("x.y.deep.example", None, Some("deep")),
        ("x.y.example", None, Some("fallback")),
        ("example", None, Some("fallback")),
        // A site without TLS keeps its name: nobody else answers for it.
        ("plain.example", None, None),
        // Clients that go to an address send no name.
        ("10.0.0.1", Some("10.0.0.1"), Some("address")),
        ("10.0.0.1", Some("::ffff:10.0.0.1"), Some("address")),
        ("::1", Some("::1"), Some("address")),
        ("10.0.0.2", Some("10.0.0.2"), Some("fallback")),
        ("10.0.0.1", None, Some("fallback")),
        // An address does not overrule a name.
        ("a.example", Some("10.0.0.1"), Some("exact")),
    ] {
        check(false, name, local, expected);
    }
}

#[test]
fn a_strict_fallback_takes_nobody() {
    for (name, local, expected) in [
        ("a.example", None, Some("exact")),
        ("unknown.invalid", None, None),
        ("10.0.0.2", Some("10.0.0.2"), None),
        ("10.0.0.1", Some("10.0.0.1"), Some("address")),
    ] {
        check(true, name, local, expected);
    }
}

#[test]
fn without_a_fallback_unknown_names_are_refused() {
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let world = World::new(&[site(&["a.example"], &leaf)]);
    let client = Client::new().config();
    for name in ["b.example", "10.0.0.1"] {
        assert!(matches!(
            world.connect(&client, name),
            Err(Failure::Refused(Error::AlertReceived(AlertDescription::UnrecognisedName)))
        ));
    }
    // Nor is a site served where it does not listen, or at a listener that is not known.
    for listener in ["h1", "unknown"] {
        assert!(matches!(world.connect_at(listener, &client, "a.example", None), Err(Failure::Refused(_))));
    }
}

#[test]
fn protocols_are_those_of_listener_and_policy() {
    let leaf = Ca::new("ca").leaf(&["a.example", "b.example"]);
    let only_h1 = policy("only-h1", |policy| policy.alpn = vec!["http/1.1".into()]);
    let mut plain = site(&["a.example"], &leaf);
    plain.listeners = vec!["tls".into(), "h1".into(), "h2".into()];
    let mut limited = site(&["b.example"], &leaf).under(&only_h1);
    limited.listeners = vec!["tls".into(), "h1".into()];
    let world = World::new(&[plain, limited]);
    for (listener, host, offered, expected) in [
        ("tls", "a.example", &["http/1.1", "h2"][..], Ok(Some("h2"))),
        ("tls", "a.example", &["http/1.1"], Ok(Some("http/1.1"))),
        ("tls", "a.example", &["http/1.0"], Ok(Some("http/1.0"))),
        ("tls", "a.example", &[], Ok(None)),
        ("tls", "a.example", &["smtp"], Err(())),
        ("h1", "a.example", &["h2", "http/1.1"], Ok(Some("http/1.1"))),
        ("h1", "a.example", &["h2"], Err(())),
        ("h2", "a.example", &["h2", "http/1.1"], Ok(Some("h2"))),
        ("tls", "b.example", &["h2", "http/1.1"], Ok(Some("http/1.1"))),
        ("tls", "b.example", &["h2"], Err(())),
    ] {
        let client = Client { alpn: offered, ..Client::new() }.config();
        let met = match world.connect_at(listener, &client, host, None) {
            Ok(done) => Ok(done.alpn),
            Err(Failure::Server(Error::NoApplicationProtocol)) => Err(()),
            Err(other) => panic!("{listener} {host} {offered:?}: {other:?}"),
        };
        assert_eq!(met, expected.map(|name| name.map(str::to_owned)), "{listener} {host} {offered:?}");
    }
}

#[test]
fn equal_sites_share_a_configuration() {
    let ca = Ca::new("ca");
    let (one, two) = (ca.leaf(&["a.example", "b.example"]), ca.leaf(&["c.example"]));
    let sites = [
        site(&["a.example"], &one),
        site(&["b.example"], &one),
        site(&["c.example"], &two),
        from_source(&["d.lan"], CertificateSource::InternalCa),
        from_source(&["e.lan"], CertificateSource::InternalCa),
        from_source(&["f.lan"], CertificateSource::Issuer("main".into())),
    ];
    let world = World::new(&sites);
    let config = |host: &str| {
        let hello = crate::Hello { sni: Some(host), ..crate::Hello::default() };
        match world.table.choose("tls", &hello) {
            crate::Choice::Serve(serve) => std::sync::Arc::as_ptr(&serve.config),
            _ => panic!("{host} is refused"),
        }
    };
    assert_eq!(config("a.example"), config("b.example"));
    assert_ne!(config("a.example"), config("c.example"));
    assert_eq!(config("d.lan"), config("e.lan"));
    assert_ne!(config("d.lan"), config("f.lan"));
}

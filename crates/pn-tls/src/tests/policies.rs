//! Versions, suites and groups: what is demanded holds, and what cannot be is refused by name.

use super::pki::Ca;
use super::world::{Client, Failure, World, errors, policy, site};
use pn_model::TlsPolicy;
use pn_model::tls::TlsVersion;
use rustls::crypto::aws_lc_rs::{cipher_suite as cs, kx_group};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, PeerIncompatible, SupportedProtocolVersion};

fn world(policy: Option<&TlsPolicy>) -> World {
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let site = site(&["a.example"], &leaf);
    World::new(&[match policy {
        Some(policy) => site.under(policy),
        None => site,
    }])
}

#[test]
fn versions() {
    let between = |min, max| policy("p", |policy| (policy.min_version, policy.max_version) = (min, max));
    let (only_12, only_13) =
        (between(TlsVersion::V1_2, TlsVersion::V1_2), between(TlsVersion::V1_3, TlsVersion::V1_3));
    let all: Vec<&SupportedProtocolVersion> = vec![&TLS12, &TLS13];
    for (policy, offered, expected) in [
        (None, all.clone(), Some("TLSv1.3")),
        (None, vec![&TLS12], Some("TLSv1.2")),
        (Some(&only_12), all.clone(), Some("TLSv1.2")),
        (Some(&only_12), vec![&TLS13], None),
        (Some(&only_13), all, Some("TLSv1.3")),
        (Some(&only_13), vec![&TLS12], None),
    ] {
        let client = Client { versions: offered.clone(), ..Client::new() }.config();
        match world(policy).connect(&client, "a.example") {
            Ok(done) => assert_eq!(Some(done.info.version), expected, "{offered:?}"),
            Err(Failure::Server(Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls13RequiredForQuic,
            ))) => assert_eq!(expected, None, "{offered:?}"),
            Err(other) => panic!("{offered:?}: {other:?}"),
        }
    }
}

#[test]
fn suites() {
    let list = |names: &[&str]| {
        policy("p", |policy| policy.cipher_suites = names.iter().map(|name| (*name).to_owned()).collect())
    };
    let aes256 = list(&["TLS_AES_256_GCM_SHA384", "tls_ecdhe_ecdsa_with_aes_256_gcm_sha384"]);
    let chacha_aes = vec![cs::TLS13_CHACHA20_POLY1305_SHA256, cs::TLS13_AES_128_GCM_SHA256];
    let openssl =
        vec![cs::TLS13_AES_256_GCM_SHA384, cs::TLS13_CHACHA20_POLY1305_SHA256, cs::TLS13_AES_128_GCM_SHA256];
    for (name, policy, offered, expected) in [
        ("indifferent", None, openssl.clone(), Some("TLS_AES_128_GCM_SHA256")),
        ("no AES in hardware", None, chacha_aes.clone(), Some("TLS_CHACHA20_POLY1305_SHA256")),
        ("AES-256 only", None, vec![cs::TLS13_AES_256_GCM_SHA384], Some("TLS_AES_256_GCM_SHA384")),
        ("demanded", Some(&aes256), openssl, Some("TLS_AES_256_GCM_SHA384")),
        ("nothing in common", Some(&aes256), chacha_aes, None),
        (
            "TLS 1.2",
            Some(&aes256),
            vec![cs::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, cs::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384],
            Some("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ),
    ] {
        let mut client = Client::new();
        client.versions = match offered[0].version().version {
            rustls::ProtocolVersion::TLSv1_2 => vec![&TLS12],
            _ => vec![&TLS13],
        };
        client.provider.cipher_suites = offered;
        match world(policy).connect(&client.config(), "a.example") {
            Ok(done) => assert_eq!(Some(done.info.cipher_suite), expected, "{name}"),
            Err(Failure::Server(Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon))) => {
                assert_eq!(expected, None, "{name}");
            }
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn groups() {
    let p384 = policy("p", |policy| policy.groups = vec!["secp384r1".into()]);
    for (name, policy, offered, expected) in [
        ("post-quantum first", None, None, Some("X25519MLKEM768")),
        ("what the client has", None, Some(vec![kx_group::SECP256R1]), Some("secp256r1")),
        ("demanded", Some(&p384), None, Some("secp384r1")),
        ("nothing in common", Some(&p384), Some(vec![kx_group::X25519]), None),
    ] {
        let mut client = Client::new();
        if let Some(offered) = offered {
            client.provider.kx_groups = offered;
        }
        match world(policy).connect(&client.config(), "a.example") {
            Ok(done) => assert_eq!(done.group.as_deref(), expected, "{name}"),
            Err(Failure::Server(Error::PeerIncompatible(_))) => assert_eq!(expected, None, "{name}"),
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn mistakes_are_named_all_at_once() {
    let leaf = Ca::new("ca").leaf(&["a.example", "b.example"]);
    let one = policy("one", |policy| {
        policy.cipher_suites = vec!["TLS_AES_128_GCM_SHA256".into(), "AES128".into(), "RC4".into()];
        policy.groups = vec!["x25519".into(), "x448".into()];
        policy.alpn = vec!["h3".into()];
        (policy.min_version, policy.max_version) = (TlsVersion::V1_3, TlsVersion::V1_2);
    });
    let two = policy("two", |policy| {
        policy.min_version = TlsVersion::V1_3;
        policy.cipher_suites = vec!["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".into()];
    });
    let h1 = policy("h1", |policy| policy.alpn = vec!["http/1.1".into()]);
    let mut at_h2 = site(&["b.example"], &leaf).under(&h1);
    at_h2.listeners = vec!["h2".into()];
    let twin = site(&["a.example"], &leaf).under(&two);
    let mut found: Vec<String> = errors(&[site(&["a.example"], &leaf).under(&one), twin, at_h2])
        .iter()
        .map(|error| format!("{error} ({})", error.help()))
        .collect();
    found.sort();
    let starts = [
        "sites.\"a.example\": `a.example` is already taken by the site `a.example` on the listener `tls`",
        "tls-policies.h1.alpn: the policy has no protocol in common with the listener `h2`",
        "tls-policies.one.alpn[0]: `h3` is not a protocol that a listener speaks (known are h2,",
        "tls-policies.one.cipher-suites[1]: there is no cipher suite `AES128` (known are TLS_AES_128",
        "tls-policies.one.cipher-suites[2]: there is no cipher suite `RC4`",
        "tls-policies.one.groups[1]: there is no group `x448` (known are X25519MLKEM768",
        "tls-policies.one.min-version: the lowest version is above the highest",
        "tls-policies.two.cipher-suites: none of the cipher suites and groups belongs to an allowed version",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}\n{start}");
    }
}

#[test]
fn suites_that_switch_a_version_off_are_warned_of() {
    let old = policy("old", |policy| {
        policy.cipher_suites = vec!["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".into()];
    });
    let world = world(Some(&old));
    assert_eq!(world.table.warnings().len(), 1);
    assert!(world.table.warnings()[0].message.contains("TLS 1.3 is off"));
    let done = world.connect(&Client::new().config(), "a.example").unwrap();
    assert_eq!(done.info.version, "TLSv1.2");
}

//! Client certificates: each mode against each kind of client.

use super::pki::{Ca, Leaf};
use super::world::{Client, Failure, World, client_auth, errors, policy, site};
use pn_model::HostPattern;
use pn_model::tls::ClientAuthMode::{self, Request, RequireAndVerify, RequireAny, VerifyIfGiven};
use pn_model::tls::ClientName;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, Error};

/// What a client met: nothing asked of it or nothing given, a claim, a verified identity, or a refusal.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Met {
    Anonymous,
    Claimed,
    Verified,
    NoCertificate,
    UnknownCa,
    Revoked,
    Expired,
    UnknownStatus,
    NotThisOne,
}

fn meet(world: &World, person: Option<&Leaf>, version: &'static rustls::SupportedProtocolVersion) -> Met {
    let client = Client { versions: vec![version], ..Client::with(person) }.config();
    match world.connect(&client, "a.example") {
        Ok(done) => match done.info.client {
            None => Met::Anonymous,
            Some(client) if client.verified => Met::Verified,
            Some(_) => Met::Claimed,
        },
        Err(Failure::Server(Error::NoCertificatesPresented)) => Met::NoCertificate,
        Err(Failure::Server(Error::InvalidCertificate(error))) => match error {
            CertificateError::UnknownIssuer => Met::UnknownCa,
            CertificateError::Revoked => Met::Revoked,
            CertificateError::ApplicationVerificationFailure => Met::NotThisOne,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Met::Expired,
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationListContext { .. } => Met::UnknownStatus,
            other => panic!("{other:?}"),
        },
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn modes_and_clients() {
    let (ca, wrong, server) =
        (Ca::new("clients"), Ca::new("strangers"), Ca::new("servers").leaf(&["a.example"]));
    let (good, stranger, gone) = (ca.leaf(&["good"]), wrong.leaf(&["stranger"]), ca.leaf(&["gone"]));
    let expired = ca.leaf_of(&["late"], &rcgen::PKCS_ECDSA_P256_SHA256, -10, -1);
    let rows: [(ClientAuthMode, [Met; 5]); 4] = [
        (Request, [Met::Anonymous, Met::Claimed, Met::Claimed, Met::Claimed, Met::Claimed]),
        (RequireAny, [Met::NoCertificate, Met::Claimed, Met::Claimed, Met::Claimed, Met::Claimed]),
        (VerifyIfGiven, [Met::Anonymous, Met::Verified, Met::UnknownCa, Met::Revoked, Met::Expired]),
        (RequireAndVerify, [Met::NoCertificate, Met::Verified, Met::UnknownCa, Met::Revoked, Met::Expired]),
    ];
    for (mode, expected) in rows {
        let demanding = policy("p", |policy| {
            policy.client_auth = client_auth(mode, &[&ca]);
            policy.client_auth.as_mut().unwrap().crls = vec![ca.revoking(&[&gone], 30)];
        });
        let world = World::new(&[site(&["a.example"], &server).under(&demanding)]);
        let people = [None, Some(&good), Some(&stranger), Some(&gone), Some(&expired)];
        for (person, expected) in people.into_iter().zip(expected) {
            for version in [&TLS12, &TLS13] {
                assert_eq!(meet(&world, person, version), expected, "{mode:?} {version:?}");
            }
        }
    }
}

#[test]
fn a_revocation_list_that_is_out_of_date_refuses() {
    let (ca, server) = (Ca::new("clients"), Ca::new("servers").leaf(&["a.example"]));
    let good = ca.leaf(&["good"]);
    let demanding = policy("p", |policy| {
        policy.client_auth = client_auth(RequireAndVerify, &[&ca]);
        policy.client_auth.as_mut().unwrap().crls = vec![ca.revoking(&[], -1)];
    });
    let world = World::new(&[site(&["a.example"], &server).under(&demanding)]);
    assert_eq!(meet(&world, Some(&good), &TLS13), Met::UnknownStatus);
    let warnings = world.table.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("out of date"), "{warnings:?}");
    assert_eq!(warnings[0].at.to_string(), "tls-policies.p.client-auth.crls[0]");
}

#[test]
fn a_client_is_not_asked_without_a_policy() {
    let (ca, server) = (Ca::new("clients"), Ca::new("servers").leaf(&["a.example"]));
    let world = World::new(&[site(&["a.example"], &server)]);
    assert_eq!(meet(&world, Some(&ca.leaf(&["good"])), &TLS13), Met::Anonymous);
}

#[test]
fn the_identity_is_that_of_the_certificate() {
    let (ca, server) = (Ca::new("Clients, Inc."), Ca::new("servers").leaf(&["a.example"]));
    let person = ca.leaf(&["good.example", "10.1.2.3"]);
    let demanding = policy("p", |policy| policy.client_auth = client_auth(RequireAndVerify, &[&ca]));
    let world = World::new(&[site(&["a.example"], &server).under(&demanding)]);
    let done = world.connect(&Client::with(Some(&person)).config(), "a.example").unwrap();
    let client = done.info.client.unwrap();
    assert_eq!(client.subject, "CN=good.example");
    assert_eq!(client.issuer, "CN=Clients\\, Inc.");
    assert_eq!(client.sans, ["good.example", "10.1.2.3"]);
    assert_eq!(client.fingerprint.len(), 64);
    assert!(!client.serial.is_empty());
}

#[test]
fn what_cannot_be_demanded_is_refused() {
    let (ca, server) = (Ca::new("clients"), Ca::new("servers").leaf(&["a.example"]));
    let text = super::pki::inline("no PEM at all");
    let broken = super::pki::inline("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let crl = super::pki::inline("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n");
    for (name, roots, crls, at, words) in [
        ("no roots", vec![], vec![], "tls-policies.p.client-auth", "no roots are given"),
        ("text", vec![text.clone()], vec![], "tls-policies.p.client-auth.roots[0]", "has no certificate"),
        (
            "broken root",
            vec![ca.pem(), broken],
            vec![],
            "tls-policies.p.client-auth.roots[1]",
            "is not valid",
        ),
        ("broken list", vec![ca.pem()], vec![crl], "tls-policies.p.client-auth.crls[0]", "is not valid"),
        (
            "text list",
            vec![ca.pem()],
            vec![text],
            "tls-policies.p.client-auth.crls[0]",
            "has no certificate rev",
        ),
    ] {
        let demanding = policy("p", |policy| {
            policy.client_auth = client_auth(RequireAndVerify, &[]);
            let auth = policy.client_auth.as_mut().unwrap();
            (auth.roots, auth.crls) = (roots, crls);
        });
        // Two sites: a fault of the policy is told once.
        let other = Ca::new("servers").leaf(&["b.example"]);
        let found = errors(&[
            site(&["a.example"], &server).under(&demanding),
            site(&["b.example"], &other).under(&demanding),
        ]);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].at.to_string(), at, "{name}");
        assert!(found[0].to_string().contains(words), "{name}: {}", found[0]);
    }
}

#[test]
fn only_these_subjects_and_names_come_in() {
    let (ca, wrong, server) =
        (Ca::new("clients"), Ca::new("strangers"), Ca::new("servers").leaf(&["a.example"]));
    let (good, stranger) = (ca.leaf(&["db.corp", "10.0.0.1"]), wrong.leaf(&["db.corp"]));
    let host = |host: HostPattern| ClientName::Host(host);
    let rows: [(&[&str], Vec<ClientName>, Met); 10] = [
        (&["CN=db.corp"], vec![], Met::Verified),
        (&["CN=DB.corp"], vec![], Met::NotThisOne),
        (&["CN=db.corp,O=Corp"], vec![], Met::NotThisOne),
        (&["CN=other"], vec![host(HostPattern::Exact("db.corp".into()))], Met::Verified),
        (&[], vec![host(HostPattern::OneLabel("corp".into()))], Met::Verified),
        (&[], vec![host(HostPattern::Exact("web.corp".into()))], Met::NotThisOne),
        (&[], vec![ClientName::Ip([10, 0, 0, 1].into())], Met::Verified),
        (&[], vec![ClientName::Ip([10, 0, 0, 2].into())], Met::NotThisOne),
        // Names of another kind say nothing.
        (&[], vec![ClientName::Email("db.corp".into()), ClientName::Uri("db.corp".into())], Met::NotThisOne),
        (&[], vec![ClientName::UriBelow("d".into())], Met::NotThisOne),
    ];
    for mode in [VerifyIfGiven, RequireAndVerify] {
        for (subjects, names, expected) in &rows {
            let demanding = policy("p", |policy| {
                policy.client_auth = client_auth(mode, &[&ca]);
                let auth = policy.client_auth.as_mut().unwrap();
                auth.subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
                auth.names.clone_from(names);
            });
            let world = World::new(&[site(&["a.example"], &server).under(&demanding)]);
            for version in [&TLS12, &TLS13] {
                assert_eq!(meet(&world, Some(&good), version), *expected, "{mode:?} {subjects:?} {names:?}");
                assert_eq!(meet(&world, Some(&stranger), version), Met::UnknownCa, "{mode:?}");
                let nobody = if mode == VerifyIfGiven { Met::Anonymous } else { Met::NoCertificate };
                assert_eq!(meet(&world, None, version), nobody, "{mode:?}");
            }
        }
    }
}

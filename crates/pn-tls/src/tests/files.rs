//! Certificates from files: which of several is taken, and what is wrong with one.

use super::pki::{Ca, Leaf};
use super::world::{Client, World, errors, from_source, site};
use pn_model::site::{CertificateFiles, CertificateSource, PemSource};
use rustls::SignatureScheme as Scheme;
use rustls::version::{TLS12, TLS13};

fn both(hosts: &[&str], leaves: &[&Leaf]) -> super::world::Site {
    from_source(hosts, CertificateSource::Files(leaves.iter().map(|leaf| leaf.files()).collect()))
}

#[test]
fn the_client_s_algorithms_names_and_the_date_choose() {
    let ca = Ca::new("ca");
    let (p256, rsa) = (&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_RSA_SHA256);
    let ec = ca.leaf_of(&["a.example"], p256, -1, 90);
    let old_ec = ca.leaf_of(&["a.example"], p256, -90, -1);
    let rs = ca.leaf_of(&["a.example"], rsa, -1, 90);
    let other = ca.leaf_of(&["b.example"], p256, -1, 90);
    let hosts = &["a.example"][..];
    let two = &["a.example", "b.example"][..];
    let only_rsa = Some(vec![Scheme::RSA_PSS_SHA256, Scheme::RSA_PKCS1_SHA256]);
    for (name, hosts, pairs, schemes, asked, expected) in [
        ("ECDSA first", hosts, vec![&rs, &ec], None, "a.example", &ec),
        ("RSA only", hosts, vec![&ec, &rs], only_rsa.clone(), "a.example", &rs),
        ("not the expired", hosts, vec![&old_ec, &rs], None, "a.example", &rs),
        (
            "expired over none",
            hosts,
            vec![&old_ec, &rs],
            Some(vec![Scheme::ECDSA_NISTP256_SHA256]),
            "a.example",
            &old_ec,
        ),
        ("by name", two, vec![&ec, &other], None, "b.example", &other),
        ("by name", two, vec![&other, &ec], None, "a.example", &ec),
        ("only one, whatever is asked", hosts, vec![&old_ec], None, "a.example", &old_ec),
    ] {
        let world = World::new(&[both(hosts, &pairs)]);
        assert_eq!(world.table.certificates().len(), pairs.len(), "{name}");
        for version in [&TLS12, &TLS13] {
            let client =
                Client { schemes: schemes.clone(), versions: vec![version], ..Client::new() }.config();
            let met = world.connect(&client, asked).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(&met.certificate, expected.cert.der(), "{name} {version:?}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let ca = Ca::new("ca");
    let (leaf, other) = (ca.leaf(&["a.example"]), ca.leaf(&["b.example", "c.example"]));
    let wildcard = ca.leaf(&["*.example"]);
    let good = leaf.files();
    let missing = PemSource::File("/nonexistent/a.pem".into());
    let broken = super::pki::inline("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let files = |cert: &PemSource, key: &PemSource| CertificateFiles { cert: cert.clone(), key: key.clone() };
    for (host, files, words) in [
        ("a.example", files(&missing, &good.key), "`/nonexistent/a.pem` cannot be read: No such file"),
        ("a.example", files(&good.cert, &missing), "`/nonexistent/a.pem` cannot be read"),
        ("a.example", files(&good.key, &good.key), "has no certificate"),
        ("a.example", files(&good.cert, &good.cert), "has no private key"),
        ("a.example", files(&broken, &good.key), "is not valid"),
        ("a.example", files(&good.cert, &other.files().key), "does not belong to the certificate"),
        (
            "a.example",
            other.files(),
            "no certificate covers `a.example`; the certificates are for b.example, c.exa",
        ),
        ("*.example", good.clone(), "no certificate covers `*.example`"),
        ("x.y.example", wildcard.files(), "no certificate covers `x.y.example`"),
    ] {
        let found = errors(&[from_source(&[host], CertificateSource::Files(vec![files]))]);
        assert_eq!(found.len(), 1, "{words}: {found:?}");
        assert!(found[0].to_string().contains(words), "{}", found[0]);
        assert!(found[0].at.to_string().ends_with("certificate"), "{}", found[0].at);
        assert!(!found[0].help().is_empty());
    }
}

#[test]
fn hosts_that_a_certificate_covers() {
    let ca = Ca::new("ca");
    let leaf = ca.leaf(&["a.example", "*.example", "*.deep.example", "10.0.0.1", "fd00::1", "nas"]);
    for host in ["a.example", "x.example", "*.example", "**.deep.example", "10.0.0.1", "fd00::1", "nas", "*"]
    {
        assert_eq!(errors(&[site(&[host], &leaf)]), [], "{host}");
    }
}

#[test]
fn expiry_is_a_warning() {
    let ca = Ca::new("ca");
    let p256 = &rcgen::PKCS_ECDSA_P256_SHA256;
    for (from, until, words) in [
        (-10, -2, Some("expired 2 days ago")),
        (-80, 5, Some("expires in ")),
        (-1, 6, None),
        (-5, 1, Some("expires in ")),
        (1, 30, Some("not valid yet")),
        (-1, 90, None),
    ] {
        let world = World::new(&[site(&["a.example"], &ca.leaf_of(&["a.example"], p256, from, until))]);
        let warning = world.table.warnings().first().map(|warning| warning.message.clone());
        match words {
            Some(words) => {
                assert!(warning.as_deref().is_some_and(|text| text.contains(words)), "{warning:?}")
            }
            None => assert_eq!(warning, None),
        }
    }
}

#[test]
fn files_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let (cert, key) = (dir.path().join("a.pem"), dir.path().join("a.key"));
    std::fs::write(&cert, leaf.cert.pem()).unwrap();
    std::fs::write(&key, leaf.key.serialize_pem()).unwrap();
    let files = CertificateFiles { cert: PemSource::File(cert.clone()), key: PemSource::File(key) };
    let world = World::new(&[from_source(&["a.example"], CertificateSource::Files(vec![files.clone()]))]);
    let done = world.connect(&Client::new().config(), "a.example").unwrap();
    assert_eq!(&done.certificate, leaf.cert.der());
    let file = std::fs::File::create(&cert).unwrap();
    file.set_len(pn_model::limits::PEM_FILE_BYTES + 1).unwrap();
    let found = errors(&[from_source(&["a.example"], CertificateSource::Files(vec![files]))]);
    assert!(found[0].to_string().contains("larger than 16 MiB"), "{found:?}");
}

//! Import and export, with keys and certificates made here.

mod caddy;
mod stores;
mod traefik;

use crate::acme::{AccountKey, KeyType, pem};
use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use std::hash::{BuildHasher, RandomState};
use time::{Duration, OffsetDateTime};

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
pub(super) const LETS_ENCRYPT_ACCOUNT: &str = "https://acme-v02.api.letsencrypt.org/acme/acct/1";

/// Chain and key in PEM.
pub(super) struct Made {
    pub(super) chain: String,
    pub(super) key: String,
}

/// A certificate that is valid for `days` from `NOW`; they may be negative. Its key is P-256 in PKCS#8.
pub(super) fn made(names: &[&str], days: i64) -> Made {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    Made { chain: signed(names, days, &key), key: key.serialize_pem() }
}

/// The same with P-384 and SEC1, as lego and certmagic write keys.
pub(super) fn made_p384(names: &[&str], days: i64) -> Made {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let sec1 = sec1(&key.serialize_der());
    Made { chain: signed(names, days, &key), key: pem::encode("EC PRIVATE KEY", &sec1) }
}

pub(super) fn account_pem(kind: KeyType) -> String {
    AccountKey::generate(kind).unwrap().to_pkcs8_pem().unwrap()
}

pub(super) fn sec1(pkcs8_p384: &[u8]) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8_p384).unwrap();
    let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    der.as_ref().to_vec()
}

fn signed(names: &[&str], days: i64, key: &KeyPair) -> String {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let now = OffsetDateTime::from_unix_timestamp(NOW.cast_signed()).unwrap();
    params.not_before = now - Duration::days(90);
    params.not_after = now + Duration::days(days);
    params.self_signed(key).unwrap().pem()
}

#[test]
fn any_bytes_are_an_answer() {
    for bytes in [
        &b""[..],
        b"{}",
        b"null",
        b"[]",
        b"{\"a\":null}",
        b"{\"a\":{}}",
        b"{\"a\":{\"Account\":{},\"Certificates\":[{}]}}",
        b"{\"a\":{\"Certificates\":[{\"domain\":{\"main\":\"x\",\"sans\":null},\"certificate\":\"AA==\",\"key\":\"AA==\"}]}}",
        b"certificates/a/b/b.crt\0x\0certificates/a/b/b.json\0{}\0",
        b"acme/a/users/b/b.json\0{\"location\":\"x\"}\0acme/a/users/b/b.key\0-----BEGIN\0",
        b"certificates/.crt\0\0acme\0\0certificates/\0",
        b"\xff\0\xff",
    ] {
        crate::laws::traefik(bytes);
        crate::laws::caddy(bytes);
    }
}

/// Real files with a few bytes changed, dropped or doubled.
#[test]
fn files_that_were_damaged_are_an_answer() {
    let seed = RandomState::new().hash_one(0) | 1;
    println!("seed {seed}");
    let (one, two) = (made(&["a.example", "b.example"], 60), made_p384(&["*.c.example"], -1));
    let mut bundle = crate::exchange::Bundle::default();
    bundle.issuers.push(crate::exchange::BundleIssuer {
        name: "le".into(),
        directory: Some(LETS_ENCRYPT.into()),
        certificates: [&one, &two]
            .map(|made| super::material::certificate(made.chain.as_bytes(), made.key.as_bytes(), "").unwrap())
            .into(),
        ..Default::default()
    });
    let traefik = crate::exchange::export_traefik(&bundle).0;
    let files = crate::exchange::export_caddy(&bundle).0;
    let caddy: Vec<u8> = files
        .into_iter()
        .flat_map(|(path, content)| [path.into_bytes(), vec![0], content, vec![0]].concat())
        .collect();
    let mut random = seed;
    for _ in 0..500 {
        crate::laws::traefik(&damaged(&traefik, &mut random));
        crate::laws::caddy(&damaged(&caddy, &mut random));
    }
}

fn damaged(bytes: &[u8], random: &mut u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=next(random) % 4 {
        let at = usize::try_from(next(random)).unwrap() % bytes.len();
        match next(random) % 3 {
            0 => bytes[at] = next(random).to_le_bytes()[3],
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, bytes[at]),
        }
    }
    bytes
}

/// xorshift64.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

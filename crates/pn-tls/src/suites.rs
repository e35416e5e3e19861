//! Cipher suites and groups by the names that IANA gave them, and the order in which this proxy prefers them.

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::{cipher_suite as cs, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};

/// AES-128 first: with SHA-256 in hardware it is the cheapest of equals, and SHA-384 has no such help.
const SUITES: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_128_GCM_SHA256", cs::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", cs::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", cs::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", cs::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", cs::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", cs::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", cs::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", cs::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", cs::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

const GROUPS: [(&str, &dyn SupportedKxGroup); 7] = [
    ("X25519MLKEM768", kx_group::X25519MLKEM768),
    ("SecP256r1MLKEM768", kx_group::SECP256R1MLKEM768),
    ("x25519", kx_group::X25519),
    ("secp256r1", kx_group::SECP256R1),
    ("secp384r1", kx_group::SECP384R1),
    ("MLKEM768", kx_group::MLKEM768),
    ("MLKEM1024", kx_group::MLKEM1024),
];

pub(crate) fn suite(name: &str) -> Option<SupportedCipherSuite> {
    SUITES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, suite)| *suite)
}

pub(crate) fn group(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    GROUPS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, group)| *group)
}

pub(crate) fn suite_names() -> Vec<&'static str> {
    SUITES.iter().map(|(name, _)| *name).collect()
}

pub(crate) fn group_names() -> Vec<&'static str> {
    GROUPS.iter().map(|(name, _)| *name).collect()
}

/// The IANA name of what was negotiated.
pub(crate) fn suite_name(suite: SupportedCipherSuite) -> &'static str {
    SUITES.iter().find(|(_, own)| own.suite() == suite.suite()).map_or("unknown", |(name, _)| *name)
}

/// Everything the library has, in our order. X25519MLKEM768 comes first among the groups.
pub(crate) fn default_provider() -> CryptoProvider {
    let suites = SUITES.iter().map(|(_, suite)| *suite).collect();
    CryptoProvider { cipher_suites: suites, ..rustls::crypto::aws_lc_rs::default_provider() }
}

/// Whether a client that lists its suites so has no AES in hardware: it puts ChaCha20 before everything else
/// (GREASE, RFC 8701, aside).
pub(crate) fn prefers_chacha(suites: impl Iterator<Item = u16>) -> bool {
    const CHACHA: [u16; 4] = [0x1303, 0xcca8, 0xcca9, 0xccaa];
    let mut real = suites.filter(|number| number & 0x0f0f != 0x0a0a);
    real.next().is_some_and(|first| CHACHA.contains(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_numbers() {
        for (name, suite) in SUITES {
            let rustls_name = suite.suite().as_str().unwrap().replace("TLS13_", "TLS_");
            assert_eq!(name, rustls_name);
        }
        for (name, group) in GROUPS {
            let rustls_name = group.name().as_str().unwrap();
            assert!(name.eq_ignore_ascii_case(rustls_name), "{name} {rustls_name}");
        }
        assert_eq!(SUITES.len(), rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.len());
        assert_eq!(GROUPS.len(), rustls::crypto::aws_lc_rs::ALL_KX_GROUPS.len());
    }

    #[test]
    fn chacha_preference() {
        assert!(prefers_chacha([0x1303, 0x1301].into_iter()));
        assert!(prefers_chacha([0x3a3a, 0x1303, 0x1301].into_iter()));
        assert!(!prefers_chacha([0x1302, 0x1303, 0x1301].into_iter()));
        assert!(!prefers_chacha([0x1a1a].into_iter()));
        assert!(!prefers_chacha(std::iter::empty()));
    }
}

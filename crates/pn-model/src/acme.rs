//! Issuers that speak ACME (RFC 8555): what a site's certificate is ordered with. How it is ordered is `pn-acme`'s.

use crate::ids::IssuerName;
use crate::site::PemSource;
use crate::{HostPattern, Secret, Text};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A directory that a configuration may name in place of its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownDirectory {
    pub name: &'static str,
    pub url: &'static str,
    /// Where orders are tried again after one has failed, so that failures do not use up the limits of the real one.
    /// `None` where the CA's staging directory wants other credentials than the real one.
    pub staging: Option<&'static str>,
    /// Whether accounts are bound to one at the CA (RFC 8555 section 7.3.4).
    pub needs_eab: bool,
}

pub const DIRECTORIES: &[KnownDirectory] = &[
    KnownDirectory {
        name: "letsencrypt",
        url: "https://acme-v02.api.letsencrypt.org/directory",
        staging: Some("https://acme-staging-v02.api.letsencrypt.org/directory"),
        needs_eab: false,
    },
    KnownDirectory {
        name: "letsencrypt-staging",
        url: "https://acme-staging-v02.api.letsencrypt.org/directory",
        staging: None,
        needs_eab: false,
    },
    KnownDirectory {
        name: "zerossl",
        url: "https://acme.zerossl.com/v2/DV90",
        staging: None,
        needs_eab: true,
    },
    KnownDirectory {
        name: "google",
        url: "https://dv.acme-v02.api.pki.goog/directory",
        staging: None,
        needs_eab: true,
    },
    KnownDirectory {
        name: "google-staging",
        url: "https://dv.acme-v02.test-api.pki.goog/directory",
        staging: None,
        needs_eab: true,
    },
];

impl KnownDirectory {
    /// Whether a directory is one whose certificates nobody trusts.
    pub fn is_staging(url: &str) -> bool {
        DIRECTORIES
            .iter()
            .any(|known| known.staging == Some(url) || (known.url == url && known.name.ends_with("-staging")))
    }
}

/// `issuers.NAME.acme`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeIssuer {
    /// URL of the directory; a name of [`DIRECTORIES`] has been replaced.
    pub directory: String,
    /// URL of the directory where orders are tried again after one has failed. `None`: the same one.
    pub staging: Option<String>,
    /// Where the CA writes to about the account.
    pub email: Option<String>,
    /// Whom the directory's own certificate must lead to. Empty: the system's roots.
    pub roots: Vec<PemSource>,
    /// In the order of preference; never empty.
    pub challenges: Vec<ChallengeKind>,
    /// Of certificates. Accounts have P-256.
    pub key_type: KeyType,
    /// A profile of the directory (draft-ietf-acme-profiles). `None`: the CA's choice.
    pub profile: Option<String>,
    /// Common name of the topmost issuer of the chain that is wanted, where the CA offers several. `None`: its default.
    pub preferred_chain: Option<String>,
    pub eab: Option<Eab>,
    pub dns: Option<DnsSettings>,
    /// Issuers that are tried in this order when this one fails. They speak ACME too, and none leads back here.
    pub fallback: Vec<IssuerName>,
    pub until_issued: UntilIssued,
    pub on_demand: Option<OnDemand>,
    pub throttle: Throttle,
}

/// External account binding (RFC 8555 section 7.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eab {
    pub kid: String,
    /// base64url, without padding.
    pub hmac: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChallengeKind {
    /// RFC 8555 section 8.3
    Http01,
    /// RFC 8737
    TlsAlpn01,
    /// RFC 8555 section 8.4
    Dns01,
    /// draft-ietf-acme-dns-persist
    DnsPersist01,
}

impl ChallengeKind {
    pub const ALL: [Self; 4] = [Self::Http01, Self::TlsAlpn01, Self::Dns01, Self::DnsPersist01];

    /// As in configurations and in ACME itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
            Self::DnsPersist01 => "dns-persist-01",
        }
    }

    /// Whether it proves the control of a zone, and so of names below a wildcard.
    pub fn is_dns(self) -> bool {
        matches!(self, Self::Dns01 | Self::DnsPersist01)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum KeyType {
    #[default]
    P256,
    P384,
    Rsa2048,
    Rsa3072,
    Rsa4096,
}

/// What a site answers with while its first certificate is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UntilIssued {
    /// The site, under a certificate of the internal CA.
    #[default]
    InternalCa,
    /// 503, under a self-signed certificate.
    Unavailable,
}

/// Certificates for names that are only known once a client asks. At least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDemand {
    /// A URL that is asked with `?domain=NAME` appended; any 2xx allows the name.
    pub ask: Option<String>,
    /// Names that are allowed without asking.
    pub allow: Vec<HostPattern>,
}

/// At most so many orders in so long, for each account at the CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    pub orders: u32,
    pub per: Duration,
}

/// How TXT records get into the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    pub provider: DnsProvider,
    /// Of the records.
    pub ttl: Duration,
    pub propagation: Propagation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsProvider {
    /// Dynamic updates (RFC 2136), to `host:port`.
    Rfc2136 { server: String, tsig: Option<Tsig> },
    /// A program that is run as lego's `exec` provider runs it: `PROGRAM ARGS.. present|cleanup FQDN VALUE`; with `raw`,
    /// `-- DOMAIN TOKEN KEYAUTH` stands at the end instead.
    Exec { program: PathBuf, args: Vec<Text>, raw: bool },
    /// A service that speaks lego's `httpreq`; with `raw`, it computes name and value itself.
    HttpReq { url: String, username: Option<String>, password: Option<Secret>, raw: bool },
    /// A provider of the library, by its name there.
    Library { name: String, settings: BTreeMap<String, Secret> },
}

/// RFC 8945
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsig {
    pub name: String,
    pub algorithm: TsigAlgorithm,
    /// base64, as BIND writes it.
    pub secret: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TsigAlgorithm {
    #[default]
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// How it is found out that the records can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propagation {
    /// Whether they are looked up at all before the CA is told. Otherwise `interval` is waited for, once.
    pub check: bool,
    pub timeout: Duration,
    pub interval: Duration,
    /// `host:port` of resolvers that are asked. Empty: the zone's own name servers.
    pub resolvers: Vec<String>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { orders: 10, per: Duration::from_secs(10) }
    }
}

impl Default for Propagation {
    fn default() -> Self {
        let (timeout, interval) = (Duration::from_secs(120), Duration::from_secs(2));
        Self { check: true, timeout, interval, resolvers: Vec::new() }
    }
}

impl Default for AcmeIssuer {
    /// Let's Encrypt, without an address to write to.
    fn default() -> Self {
        let known = DIRECTORIES[0];
        Self {
            directory: known.url.to_owned(),
            staging: known.staging.map(str::to_owned),
            email: None,
            roots: Vec::new(),
            challenges: vec![ChallengeKind::TlsAlpn01, ChallengeKind::Http01],
            key_type: KeyType::P256,
            profile: None,
            preferred_chain: None,
            eab: None,
            dns: None,
            fallback: Vec::new(),
            until_issued: UntilIssued::InternalCa,
            on_demand: None,
            throttle: Throttle::default(),
        }
    }
}

//! A TLS policy of the model made ready for rustls, and the id that stands for what it demands.

use crate::client_auth::{ClientDemand, Reports, demand, sha256};
use crate::error::TlsErrorKind;
use crate::pem::PemReader;
use crate::suites;
use pn_core::tls::PolicyId;
use pn_model::tls::TlsVersion;
use pn_model::{NodePath, TlsPolicy};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{SupportedProtocolVersion, version};
use rustls_pki_types::UnixTime;
use std::sync::Arc;

/// What a listener can speak over TLS. `http/1.0` is offered by clients that were told to use it.
const ALPN: [&str; 3] = ["h2", "http/1.1", "http/1.0"];

pub(crate) struct Policy {
    pub(crate) id: PolicyId,
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
    /// Whether a client certificate that got through has been verified.
    pub(crate) verifies_clients: bool,
    /// Empty: by the listener.
    pub(crate) alpn: Vec<String>,
    pub(crate) sni_strict: bool,
    /// No order of suites was asked for, so a client without AES in hardware may have its own.
    pub(crate) default_suites: bool,
    pub(crate) path: NodePath,
}

/// `None` for the built-in default: TLS 1.2 and 1.3, every suite and group of the library, no client certificates.
/// Returns `None` after errors were reported.
pub(crate) fn resolve(
    policy: Option<&TlsPolicy>,
    pem: &mut PemReader,
    now: UnixTime,
    reports: &mut Reports<'_>,
) -> Option<Policy> {
    let Some(policy) = policy else { return Some(built_in()) };
    let before = reports.errors.len();
    let provider = Arc::new(provider(policy, reports));
    let versions = versions(policy, &provider, reports);
    check_alpn(policy, reports);
    let auth = policy.client_auth.as_ref();
    let at = policy.path.child("client-auth");
    let demand = auth.and_then(|auth| demand(auth, &at, &provider, pem, now, reports));
    if reports.errors.len() > before {
        return None;
    }
    Some(Policy {
        id: id_of(policy, demand.as_ref()),
        provider,
        versions,
        verifies_clients: demand.as_ref().is_some_and(|demand| demand.verifies),
        verifier: demand.map_or_else(WebPkiClientVerifier::no_client_auth, |demand| demand.verifier),
        alpn: policy.alpn.clone(),
        sni_strict: policy.sni_strict,
        default_suites: policy.cipher_suites.is_empty(),
        path: policy.path.clone(),
    })
}

fn built_in() -> Policy {
    let policy = TlsPolicy {
        name: "".into(),
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
        cipher_suites: Vec::new(),
        groups: Vec::new(),
        alpn: Vec::new(),
        client_auth: None,
        sni_strict: false,
        path: NodePath::default(),
    };
    Policy {
        id: id_of(&policy, None),
        provider: Arc::new(suites::default_provider()),
        versions: vec![&version::TLS13, &version::TLS12],
        verifier: WebPkiClientVerifier::no_client_auth(),
        verifies_clients: false,
        alpn: Vec::new(),
        sni_strict: false,
        default_suites: true,
        path: policy.path,
    }
}

fn provider(policy: &TlsPolicy, reports: &mut Reports<'_>) -> CryptoProvider {
    let mut provider = suites::default_provider();
    if !policy.cipher_suites.is_empty() {
        let at = policy.path.child("cipher-suites");
        provider.cipher_suites =
            named(&policy.cipher_suites, &at, suites::suite, TlsErrorKind::UnknownSuite, reports);
    }
    if !policy.groups.is_empty() {
        let at = policy.path.child("groups");
        provider.kx_groups = named(&policy.groups, &at, suites::group, TlsErrorKind::UnknownGroup, reports);
    }
    provider
}

fn named<T>(
    names: &[String],
    at: &NodePath,
    find: impl Fn(&str) -> Option<T>,
    unknown: impl Fn(String) -> TlsErrorKind,
    reports: &mut Reports<'_>,
) -> Vec<T> {
    let mut found = Vec::new();
    for (i, name) in names.iter().enumerate() {
        match find(name) {
            Some(one) => found.push(one),
            None => reports.error(at.child(format!("[{i}]")), unknown(name.clone())),
        }
    }
    found
}

fn versions(
    policy: &TlsPolicy,
    provider: &CryptoProvider,
    reports: &mut Reports<'_>,
) -> Vec<&'static SupportedProtocolVersion> {
    if policy.min_version > policy.max_version {
        reports.error(policy.path.child("min-version"), TlsErrorKind::VersionsReversed);
        return Vec::new();
    }
    let wanted = [(TlsVersion::V1_3, &version::TLS13), (TlsVersion::V1_2, &version::TLS12)]
        .into_iter()
        .filter(|(version, _)| (policy.min_version..=policy.max_version).contains(version));
    let (usable, unusable): (Vec<_>, Vec<_>) = wanted.partition(|(_, version)| usable(provider, version));
    if usable.is_empty() && !provider.cipher_suites.is_empty() && !provider.kx_groups.is_empty() {
        reports.error(policy.path.child("cipher-suites"), TlsErrorKind::NothingUsable);
    }
    if unusable.iter().any(|(version, _)| *version == TlsVersion::V1_3) {
        let message = "no cipher suite or group of TLS 1.3 is named, so TLS 1.3 is off";
        reports.warn(policy.path.child("cipher-suites"), message);
    }
    usable.into_iter().map(|(_, version)| version).collect()
}

fn usable(provider: &CryptoProvider, version: &'static SupportedProtocolVersion) -> bool {
    provider.cipher_suites.iter().any(|suite| suite.version().version == version.version)
        && provider.kx_groups.iter().any(|group| group.usable_for_version(version.version))
}

fn check_alpn(policy: &TlsPolicy, reports: &mut Reports<'_>) {
    for (i, name) in policy.alpn.iter().enumerate() {
        if !ALPN.contains(&name.as_str()) {
            let at = policy.path.child("alpn").child(format!("[{i}]"));
            reports.error(at, TlsErrorKind::UnknownAlpn(name.clone()));
        }
    }
}

/// The protocols that are agreed on by ALPN: the policy's in its order, or the listener's, and of these only what the
/// listener speaks. Empty when the two have nothing in common.
pub(crate) fn alpn(policy: &Policy, protocols: pn_model::listener::Protocols) -> Vec<Vec<u8>> {
    let spoken = |name: &&str| if *name == "h2" { protocols.h2 } else { protocols.h1 };
    if policy.alpn.is_empty() {
        return ALPN.iter().copied().filter(spoken).map(|name| name.as_bytes().to_vec()).collect();
    }
    policy
        .alpn
        .iter()
        .map(String::as_str)
        .filter(|name| spoken(name))
        .map(|name| name.as_bytes().to_vec())
        .collect()
}

/// The same for equal demands, over reloads, restarts and releases: names of nodes, paths of files and certificates of
/// servers have no part in it; the content of client roots and revocation lists has.
fn id_of(policy: &TlsPolicy, client: Option<&ClientDemand>) -> PolicyId {
    let mut text = format!(
        "1/{:?}/{:?}/{:?}/{:?}/{:?}/{}/",
        policy.min_version,
        policy.max_version,
        policy.cipher_suites,
        policy.groups,
        policy.alpn,
        policy.sni_strict
    )
    .to_ascii_lowercase()
    .into_bytes();
    text.extend(client.map(|client| client.digest.as_slice()).unwrap_or_default());
    let mut id = [0; 8];
    for (to, from) in id.iter_mut().zip(sha256(&text)) {
        *to = from;
    }
    PolicyId(u64::from_be_bytes(id))
}

/// The time of a build; a clock that fails counts as 1970, which makes nothing look expired.
pub(crate) fn build_time(clock: &dyn TimeProvider) -> UnixTime {
    clock.current_time().unwrap_or(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
}

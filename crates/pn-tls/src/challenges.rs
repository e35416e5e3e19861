//! Answers to challenges of ACME that this process has to give: tokens of `http-01` (RFC 8555 section 8.3) and
//! certificates of `tls-alpn-01` (RFC 8737). They stand on a board of their own, beside every site: a CA may ask before
//! a site is there. Reading takes no lock; while nothing is open it costs one atomic load.
#![expect(clippy::disallowed_types, reason = "its lock is taken by the control plane only, to write")]

use crate::suites;
use ahash::RandomState;
use arc_swap::ArcSwap;
use pn_model::limits::CHALLENGES;
use rustls::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the one protocol of a validation by `tls-alpn-01` is called.
pub(crate) const ALPN: &[u8] = b"acme-tls/1";

/// Longer than any token or key authorization that a CA gives: base64url of some 32 bytes each.
const TEXT_BYTES: usize = 512;

/// What is open of one kind, by token or name.
type Open<T> = HashMap<Box<str>, T, RandomState>;

pub struct ChallengeBoard {
    /// Whether `tokens` holds any: what every plain request looks at.
    http: AtomicBool,
    tokens: ArcSwap<Open<Arc<str>>>,
    configs: ArcSwap<Open<Arc<ServerConfig>>>,
    writing: Mutex<()>,
}

/// Why a challenge cannot be answered here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    #[error("{CHALLENGES} challenges are open already: this is a bug, or the CA answers none of them")]
    Full,
    #[error("the CA's token is not base64url, or longer than {TEXT_BYTES} characters")]
    Token,
    #[error("`{0}` is no name that a client could send")]
    Name(String),
    #[error("its certificate cannot be used: {0}")]
    Certificate(String),
}

impl ChallengeBoard {
    /// `GET /.well-known/acme-challenge/TOKEN` is answered with the key authorization on every plain listener.
    pub fn present_token(&self, token: &str, key_authorization: &str) -> Result<(), ChallengeError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let sound = !token.is_empty() && token.len().max(key_authorization.len()) <= TEXT_BYTES;
        if !sound || !token.bytes().all(plain) {
            return Err(ChallengeError::Token);
        }
        self.write(|| {
            insert(&self.tokens, token, key_authorization.into())?;
            self.http.store(true, Ordering::Release);
            Ok(())
        })
    }

    pub fn withdraw_token(&self, token: &str) {
        self.write(|| {
            remove(&self.tokens, token);
            self.http.store(!self.tokens.load().is_empty(), Ordering::Release);
        });
    }

    /// Handshakes that offer nothing but `acme-tls/1` for this name or address get the certificate, whatever sites there
    /// are. An address is asked for by its name in the reverse tree (RFC 8738 section 6).
    pub fn present_alpn(&self, identifier: &str, key: Arc<CertifiedKey>) -> Result<(), ChallengeError> {
        let name = server_name(identifier)?;
        let config = config(key).map_err(|error| ChallengeError::Certificate(error.to_string()))?;
        self.write(|| insert(&self.configs, &name, Arc::new(config)))
    }

    pub fn withdraw_alpn(&self, identifier: &str) {
        if let Ok(name) = server_name(identifier) {
            self.write(|| remove(&self.configs, &name));
        }
    }

    /// Whether any token of `http-01` is open.
    #[inline]
    pub fn has_tokens(&self) -> bool {
        self.http.load(Ordering::Relaxed)
    }

    /// What is answered for a token of `http-01`.
    pub fn key_authorization(&self, token: &str) -> Option<Arc<str>> {
        self.tokens.load().get(token).map(Arc::clone)
    }

    /// With what a validation by `tls-alpn-01` of this normalised server name is answered.
    pub(crate) fn config(&self, name: &str) -> Option<Arc<ServerConfig>> {
        self.configs.load().get(name).map(Arc::clone)
    }

    fn write<T>(&self, change: impl FnOnce() -> T) -> T {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        change()
    }
}

fn insert<T: Clone>(open: &ArcSwap<Open<T>>, key: &str, value: T) -> Result<(), ChallengeError> {
    let mut next = Open::clone(&open.load());
    next.insert(key.into(), value);
    if next.len() > CHALLENGES {
        return Err(ChallengeError::Full);
    }
    open.store(Arc::new(next));
    Ok(())
}

fn remove<T: Clone>(open: &ArcSwap<Open<T>>, key: &str) {
    let mut next = Open::clone(&open.load());
    if next.remove(key).is_some() {
        open.store(Arc::new(next));
    }
}

/// The name by which a CA asks for it.
fn server_name(identifier: &str) -> Result<String, ChallengeError> {
    if let Ok(ip) = identifier.parse::<IpAddr>() {
        return Ok(reverse(ip));
    }
    let name = crate::normalise_sni(identifier).ok_or_else(|| ChallengeError::Name(identifier.to_owned()))?;
    Ok(name.into_owned())
}

/// RFC 1035 section 3.5, RFC 3596 section 2.5.
fn reverse(ip: IpAddr) -> String {
    let (labels, zone): (Vec<String>, _) = match ip {
        IpAddr::V4(ip) => (ip.octets().iter().map(u8::to_string).collect(), "in-addr.arpa"),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            (nibbles.map(|nibble| format!("{nibble:x}")).collect(), "ip6.arpa")
        }
    };
    let labels: Vec<_> = labels.iter().rev().map(String::as_str).collect();
    format!("{}.{zone}", labels.join("."))
}

fn config(key: Arc<CertifiedKey>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(suites::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let resolver = Arc::new(SingleCertAndKey::from(key));
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

impl Default for ChallengeBoard {
    fn default() -> Self {
        Self {
            http: AtomicBool::new(false),
            tokens: ArcSwap::default(),
            configs: ArcSwap::default(),
            writing: Mutex::new(()),
        }
    }
}

/// Tokens are no secrets, but nobody needs them in a log.
impl fmt::Debug for ChallengeBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeBoard")
            .field("tokens", &self.tokens.load().len())
            .field("names", &self.configs.load().len())
            .finish_non_exhaustive()
    }
}

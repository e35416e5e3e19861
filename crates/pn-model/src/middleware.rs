//! Middlewares: what happens to a request on its way to a service, and to the response on its way back.

use crate::ids::{MiddlewareName, NodePath, ServiceName};
use crate::secret::{Secret, Text};
use crate::service::StatusRanges;
use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Middleware {
    pub name: MiddlewareName,
    pub kind: MiddlewareKind,
    pub path: NodePath,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MiddlewareKind {
    Headers(Headers),
    StripPrefix(Vec<String>),
    /// Unanchored regexes that are tried at the start of the path.
    StripPrefixRegex(Vec<String>),
    AddPrefix(String),
    ReplacePath(String),
    ReplacePathRegex {
        regex: String,
        replacement: String,
    },
    RedirectScheme {
        scheme: String,
        port: Option<u16>,
        permanent: bool,
    },
    RedirectRegex {
        regex: String,
        replacement: String,
        permanent: bool,
    },
    BasicAuth(BasicAuth),
    IpAllow(IpAllow),
    RateLimit(RateLimit),
    InFlight {
        amount: u64,
        by: ClientKey,
    },
    /// Bytes.
    BodyLimit(u64),
    Compress(Compress),
    Errors(Errors),
    PassClientCert(PassClientCert),
    Chain(Vec<MiddlewareName>),
}

/// Fields that frame a message or belong to one connection: the proxy writes them itself (RFC 9110 section 7.6.1), and
/// no middleware may.
pub const FRAMING_FIELDS: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

impl MiddlewareKind {
    /// The key of each kind, in the order of the reference.
    pub const KEYS: [&'static str; 17] = [
        "headers",
        "strip-prefix",
        "strip-prefix-regex",
        "add-prefix",
        "replace-path",
        "replace-path-regex",
        "redirect-scheme",
        "redirect-regex",
        "basic-auth",
        "ip-allow",
        "rate-limit",
        "in-flight",
        "body-limit",
        "compress",
        "errors",
        "pass-client-cert",
        "chain",
    ];

    /// The key under which it is written, one of [`Self::KEYS`].
    pub fn key(&self) -> &'static str {
        match self {
            Self::Headers(_) => "headers",
            Self::StripPrefix(_) => "strip-prefix",
            Self::StripPrefixRegex(_) => "strip-prefix-regex",
            Self::AddPrefix(_) => "add-prefix",
            Self::ReplacePath(_) => "replace-path",
            Self::ReplacePathRegex { .. } => "replace-path-regex",
            Self::RedirectScheme { .. } => "redirect-scheme",
            Self::RedirectRegex { .. } => "redirect-regex",
            Self::BasicAuth(_) => "basic-auth",
            Self::IpAllow(_) => "ip-allow",
            Self::RateLimit(_) => "rate-limit",
            Self::InFlight { .. } => "in-flight",
            Self::BodyLimit(_) => "body-limit",
            Self::Compress(_) => "compress",
            Self::Errors(_) => "errors",
            Self::PassClientCert(_) => "pass-client-cert",
            Self::Chain(_) => "chain",
        }
    }

    /// Whether it keeps somebody out, so that a request may not fall from a route with it to one without.
    pub fn guards(&self) -> bool {
        matches!(self, Self::BasicAuth(_) | Self::IpAllow(_))
    }
}

/// Of clients without a certificate nothing is passed on, and what they send in these fields is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassClientCert {
    pub certificate: ClientCertField,
    /// `X-Forwarded-Tls-Client-Cert-Info`: subject, issuer, serial number and alternative names, percent-encoded.
    pub info: bool,
    /// Also of certificates that the TLS policy did not verify: what they say is a claim.
    pub unverified: bool,
}

/// In which field the certificate itself is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertField {
    /// `Client-Cert`, RFC 9440.
    ClientCert,
    /// As Traefik writes it: base64 of the DER.
    XForwardedTlsClientCert,
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    pub request: HeaderEdits,
    pub response: HeaderEdits,
}

/// Applied in the order remove, set, add. Names are lower-case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderEdits {
    pub set: Vec<(String, Text)>,
    pub add: Vec<(String, Text)>,
    pub remove: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// `name:hash` in htpasswd's form (bcrypt, apr1, SHA1), those of `users_file` among them.
    pub users: Vec<Secret>,
    /// Where some of the users came from, to be watched for changes.
    pub users_file: Option<PathBuf>,
    pub realm: String,
    /// Whether the upstream is spared the Authorization field.
    pub remove_header: bool,
    /// A request field that carries the user's name to the upstream; a client's own is dropped.
    pub header_field: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpAllow {
    pub ranges: Vec<IpNet>,
    /// 0: `client-ip`. N: the Nth address of X-Forwarded-For from the right, the peer's not counted.
    pub depth: u32,
    pub status: u16,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// Requests in a period; `"5/s"` is 5 in one second.
    pub amount: u64,
    pub period: Duration,
    /// Requests that may come at once, at least 1.
    pub burst: u64,
    pub by: ClientKey,
}

/// What is counted as one client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientKey {
    /// IPv6 by /64.
    #[default]
    ClientIp,
    PeerIp,
    Host,
    /// The value of a request field; requests without it share one key.
    Header(String),
    /// All requests together.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compress {
    /// In the order of preference.
    pub encodings: Vec<Encoding>,
    /// Bytes.
    pub min_size: u64,
    /// Media types, `type/*` allowed. Empty: text, JSON, JavaScript, XML, SVG, WASM, fonts.
    pub types: Vec<String>,
    /// Media types that are never compressed.
    pub exclude: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    pub status: StatusRanges,
    pub service: ServiceName,
    /// `{status}` is replaced by the code, `{url}` by the percent-encoded URL that was asked for.
    pub path: String,
}

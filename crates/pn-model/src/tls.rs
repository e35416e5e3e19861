//! TLS policies and issuers.

use crate::HostPattern;
use crate::acme::AcmeIssuer;
use crate::ids::{IssuerName, NodePath, TlsPolicyName};
use crate::site::PemSource;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What is demanded of a client's TLS before any route is known.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsPolicy {
    pub name: TlsPolicyName,
    pub min_version: TlsVersion,
    pub max_version: TlsVersion,
    /// IANA names. Empty: the library's order.
    pub cipher_suites: Vec<String>,
    /// Named groups by their IANA names. Empty: the library's order, X25519MLKEM768 first.
    pub groups: Vec<String>,
    /// Empty: by the listener's protocols.
    pub alpn: Vec<String>,
    pub client_auth: Option<ClientAuth>,
    /// Refuse clients that send no server name, or one that no site has.
    pub sni_strict: bool,
    pub path: NodePath,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    pub mode: ClientAuthMode,
    pub roots: Vec<PemSource>,
    pub crls: Vec<PemSource>,
    /// Who comes in of those whose certificate is verified: by the whole subject, as RFC 4514 writes it, or by a name.
    /// Both empty: all.
    pub subjects: Vec<String>,
    pub names: Vec<ClientName>,
}

/// A subject alternative name of client certificates (RFC 5280 section 4.2.1.6), each of its own kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientName {
    Host(HostPattern),
    Email(String),
    Uri(String),
    /// All URIs that begin so and go on.
    UriBelow(String),
    Ip(IpAddr),
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Email(text) | Self::Uri(text) => f.write_str(text),
            Self::UriBelow(prefix) => write!(f, "{prefix}*"),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// Ask, take any or none.
    Request,
    /// Demand one, verify nothing.
    RequireAny,
    /// Ask, and verify what comes.
    VerifyIfGiven,
    RequireAndVerify,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    pub name: IssuerName,
    pub kind: IssuerKind,
    pub path: NodePath,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerKind {
    InternalCa { lifetime: Duration },
    Acme(Box<AcmeIssuer>),
}

impl IssuerKind {
    /// The key that stands for it in a configuration.
    pub fn key(&self) -> &'static str {
        match self {
            Self::InternalCa { .. } => "internal-ca",
            Self::Acme(_) => "acme",
        }
    }
}

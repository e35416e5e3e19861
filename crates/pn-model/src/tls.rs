//! TLS policies and issuers.

use crate::acme::AcmeIssuer;
use crate::ids::{IssuerName, NodePath, TlsPolicyName};
use crate::site::PemSource;
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

//! What can be wrong with the TLS of a configuration, each with its place and a remedy.

use pn_core::{PrepareError, PrepareWarning};
use pn_model::NodePath;
use std::path::Path;

/// Why a configuration's TLS cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {kind}")]
pub struct TlsError {
    pub at: NodePath,
    pub kind: TlsErrorKind,
}

/// Something that works and should be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsWarning {
    pub at: NodePath,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsErrorKind {
    #[error("there is no cipher suite `{0}`")]
    UnknownSuite(String),
    #[error("there is no group `{0}`")]
    UnknownGroup(String),
    #[error("`{0}` is not a protocol that a listener speaks")]
    UnknownAlpn(String),
    #[error("the policy has no protocol in common with the listener `{listener}`")]
    NoCommonAlpn { listener: String },
    #[error("the lowest version is above the highest")]
    VersionsReversed,
    #[error("none of the cipher suites and groups belongs to an allowed version")]
    NothingUsable,
    #[error("clients are to be verified, but no roots are given")]
    NoClientRoots,
    #[error("`subjects` and `sans` of certificates that nobody verifies say nothing")]
    UnverifiedNames,
    #[error("{source_name} cannot be read: {reason}")]
    Unreadable { source_name: String, reason: String },
    #[error("{source_name} has no {wanted}")]
    Missing { source_name: String, wanted: &'static str },
    #[error("{source_name} is not valid: {reason}")]
    Invalid { source_name: String, reason: String },
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    KeyMismatch { certificate: String, key: String },
    #[error("no certificate covers `{host}`; the certificates are for {names}")]
    NotCovered { host: String, names: String },
    #[error("`{host}` is already taken by the site `{other}` on the listener `{listener}`")]
    DuplicateHost { host: String, other: String, listener: String },
    #[error("the system has no trusted roots: {reason}")]
    NoSystemRoots { reason: String },
    #[error("`{0}` is not a host name or an IP address")]
    BadServerName(String),
    #[error("no random numbers are to be had from the system")]
    NoRandom,
}

impl TlsError {
    pub(crate) fn new(at: NodePath, kind: TlsErrorKind) -> Self {
        Self { at, kind }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        self.kind.help()
    }
}

impl TlsErrorKind {
    fn help(&self) -> String {
        use crate::suites;
        match self {
            Self::UnknownSuite(_) => format!("known are {}", suites::suite_names().join(", ")),
            Self::UnknownGroup(_) => format!("known are {}", suites::group_names().join(", ")),
            Self::UnknownAlpn(_) => "known are h2, http/1.1, http/1.0".into(),
            Self::NoCommonAlpn { .. } => {
                "add one of the listener's `protocols` to `alpn`, or leave `alpn` out".into()
            }
            Self::VersionsReversed => "set `min-version` to `max-version` or below".into(),
            Self::NothingUsable => {
                "name a cipher suite of each allowed version, and a group such as x25519".into()
            }
            Self::NoClientRoots => {
                "set `client-auth.roots` to the PEM files of the CAs that certify clients".into()
            }
            Self::UnverifiedNames => "set `mode` to `require-and-verify` or `verify-if-given`".into(),
            Self::Unreadable { .. } => "check the path, and that the proxy's user may read it".into(),
            Self::Missing { wanted, .. } => {
                format!("the file must hold a {wanted} in PEM (a key must not be encrypted with a password)")
            }
            Self::Invalid { .. } => "look at it with `openssl x509 -text`, or make it anew".into(),
            Self::KeyMismatch { .. } => {
                "use the key with which the certificate was requested, leaf first in the chain".into()
            }
            Self::NotCovered { .. } => {
                "use a certificate with this name, or leave `certificate` out to have one issued".into()
            }
            Self::DuplicateHost { .. } => "keep the host in one site".into(),
            Self::NoSystemRoots { .. } => {
                "install the package `ca-certificates`, or set the transport's `roots`".into()
            }
            Self::BadServerName(_) => "set the transport's `server-name`".into(),
            Self::NoRandom => "check that the kernel offers getrandom(2)".into(),
        }
    }
}

impl From<TlsError> for PrepareError {
    fn from(error: TlsError) -> Self {
        let help = Some(error.help());
        Self { message: error.kind.to_string(), at: error.at, help }
    }
}

impl From<&TlsWarning> for PrepareWarning {
    fn from(warning: &TlsWarning) -> Self {
        Self { at: warning.at.clone(), message: warning.message.clone() }
    }
}

/// How a file is called in messages: its path, or that its text came from a secret.
pub(crate) fn unreadable(path: &Path, reason: &impl ToString) -> TlsErrorKind {
    TlsErrorKind::Unreadable { source_name: format!("`{}`", path.display()), reason: reason.to_string() }
}

//! What the contract knows of TLS: the unauthenticated signal of a ClientHello, and the facts of a finished
//! handshake. Certificates, policies and rustls live in `pn-tls`.

use std::sync::Arc;

/// What a client said before anything was proved. Advisory: it chooses a certificate and a policy, and may choose
/// among backends of equal trust; it decides no access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSignal {
    /// Lower-case, without a trailing dot; `None` when the client sent none, or no valid one.
    pub sni: Option<String>,
    /// Protocol names as offered, in order.
    pub alpn: Vec<Vec<u8>>,
    /// Cipher suites by number, in the client's order.
    pub cipher_suites: Vec<u16>,
    /// Signature schemes by number, in the client's order.
    pub signature_schemes: Vec<u16>,
    /// Named groups by number, in the client's order.
    pub groups: Vec<u16>,
}

/// What holds for the connection of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// IANA name.
    pub cipher_suite: &'static str,
    pub sni: Option<Arc<str>>,
    /// The policy under which the connection was opened; compared with that of a request's host (421).
    pub policy: PolicyId,
    pub resumed: bool,
    /// `None` when no certificate was asked for or given.
    pub client: Option<Arc<ClientIdentity>>,
}

/// Stands for all that a TLS policy demands of a client. Equal demands have equal ids, over reloads and restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(pub u64);

/// The certificate of a client, and whether it was verified against the policy's roots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientIdentity {
    pub verified: bool,
    /// RFC 4514 text.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// DNS names, IP addresses, URIs and e-mail addresses, in the certificate's order.
    pub sans: Vec<String>,
    /// Hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// The certificate itself, DER.
    pub certificate: Vec<u8>,
}

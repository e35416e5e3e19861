//! Why a TLS handshake failed, as a label.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Longer than the listener's `handshake`.
    Timeout,
    /// The client went away.
    Closed,
    /// No site for the name, or for none; the certificate of a client had ended.
    NoSite,
    /// The name has no certificate yet, and none was obtained in time.
    NoCertificate,
    /// No version, cipher suite or protocol in common.
    Incompatible,
    /// The client refused what it was shown.
    Alert,
    /// The client's certificate is missing or not accepted.
    ClientCertificate,
    /// Not TLS, or broken.
    Malformed,
}

impl Reason {
    pub(crate) const ALL: [Self; 8] = [
        Self::Timeout,
        Self::Closed,
        Self::NoSite,
        Self::NoCertificate,
        Self::Incompatible,
        Self::Alert,
        Self::ClientCertificate,
        Self::Malformed,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::NoSite => "no-site",
            Self::NoCertificate => "no-certificate",
            Self::Incompatible => "incompatible",
            Self::Alert => "alert",
            Self::ClientCertificate => "client-certificate",
            Self::Malformed => "malformed",
        }
    }
}

//! Host patterns as sites and rules write them. Normalised by `pn-config`: lower-case A-labels, no trailing dot.

use std::fmt;

/// Which hosts a site or a `Host()` matcher takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// `app.corp.example`, an IPv4 address, or an IPv6 address without brackets.
    Exact(String),
    /// `*.corp.example`: exactly one more label. Holds the part after `*.`.
    OneLabel(String),
    /// `**.corp.example`: one or more further labels. Holds the part after `**.`.
    AnyDepth(String),
    /// `*`: every host that no other pattern takes, and clients that send no name.
    Any,
}

impl HostPattern {
    /// Whether `host`, normalised, is taken by this pattern alone.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(own) => own == host,
            Self::OneLabel(suffix) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == suffix)
            }
            Self::AnyDepth(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|head| head.strip_suffix('.'))
                .is_some_and(|head| !head.is_empty()),
            Self::Any => true,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::OneLabel(suffix) => write!(f, "*.{suffix}"),
            Self::AnyDepth(suffix) => write!(f, "**.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

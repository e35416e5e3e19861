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

/// Zones that no public authority certifies names of: RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa),
/// the zone that ICANN keeps for private use (internal), and the one that home routers hand out (lan).
const LOCAL_ZONES: [&str; 5] = ["localhost", "internal", "home.arpa", "lan", "local"];

impl HostPattern {
    /// Whether every host of this pattern is local, so that the built-in internal CA may certify it when no issuer is
    /// named. See [`is_local_host`].
    pub fn is_local(&self) -> bool {
        match self {
            Self::Exact(host) => is_local_host(host),
            Self::OneLabel(suffix) | Self::AnyDepth(suffix) => {
                LOCAL_ZONES.iter().any(|zone| suffix == zone || is_under(suffix, zone))
            }
            Self::Any => false,
        }
    }
}

/// Whether `host`, normalised, is a name that only a private network knows: an IP address, a single label, or a name
/// under `localhost`, `internal`, `home.arpa`, `lan` or `local`.
pub fn is_local_host(host: &str) -> bool {
    !host.contains('.')
        || host.parse::<std::net::IpAddr>().is_ok()
        || LOCAL_ZONES.iter().any(|zone| is_under(host, zone))
}

fn is_under(host: &str, zone: &str) -> bool {
    host.strip_suffix(zone).and_then(|head| head.strip_suffix('.')).is_some_and(|head| !head.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_hosts() {
        for (host, local) in [
            ("localhost", true),
            ("app.localhost", true),
            ("a.b.localhost", true),
            ("nas", true),
            ("db.internal", true),
            ("x.home.arpa", true),
            ("home.arpa", false),
            ("printer.lan", true),
            ("mac.local", true),
            ("10.0.0.1", true),
            ("::1", true),
            ("2001:db8::7", true),
            ("notlocalhost.example", false),
            ("evil-localhost.com", false),
            ("localhost.example.com", false),
            ("app.corp.example", false),
            (".local", false),
            ("1.2.3.4.5", false),
        ] {
            assert_eq!(is_local_host(host), local, "{host}");
            assert_eq!(HostPattern::Exact(host.into()).is_local(), local, "{host}");
        }
    }

    #[test]
    fn local_patterns() {
        for (suffix, local) in [
            ("localhost", true),
            ("app.lan", true),
            ("home.arpa", true),
            ("nas", false),
            ("arpa", false),
            ("corp.example", false),
        ] {
            assert_eq!(HostPattern::OneLabel(suffix.into()).is_local(), local, "*.{suffix}");
            assert_eq!(HostPattern::AnyDepth(suffix.into()).is_local(), local, "**.{suffix}");
        }
        assert!(!HostPattern::Any.is_local());
    }
}

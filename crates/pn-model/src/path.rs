//! Path patterns of a site's routes.

use std::fmt;

/// Which paths a route of a site takes, in the normalised form of a path (see `pn-core`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPattern {
    /// `/a`: this path only.
    Exact(String),
    /// `/a/*`: the segment prefix, so `/a`, `/a/` and `/a/b`, never `/ab`. Holds `/a`; `/*` holds the empty string
    /// and takes every path.
    SegmentPrefix(String),
    /// `PathPrefix()` of a rule: a plain string prefix, as in Traefik.
    StringPrefix(String),
    /// `~regex` or `PathRegexp()`: unanchored, as the regex says.
    Regex(String),
}

impl PathPattern {
    /// Every path.
    pub fn any() -> Self {
        Self::SegmentPrefix(String::new())
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::SegmentPrefix(path) => write!(f, "{path}/*"),
            Self::StringPrefix(path) => write!(f, "PathPrefix({path})"),
            Self::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

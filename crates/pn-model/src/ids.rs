//! Names of nodes and the path by which a value is addressed. Names are checked by `pn-config`; here they only
//! keep one kind of name from being taken for another.

use std::fmt;
use std::sync::Arc;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// Shares the text instead of copying it.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// `listeners.NAME`
    ListenerName,
    /// `sites."HOST"`: the host pattern as its owner wrote it, normalised.
    SiteName,
    /// A route as shown to people and in metrics: `HOST/PATH` of a site's route, `NAME` of a free-form one.
    RouteName,
    /// `services.NAME`, `@builtin`, or the address that stands for a service.
    ServiceName,
    /// `transports.NAME`, or a name made up for one that was written inline.
    TransportName,
    /// `middlewares.NAME`, or a name made up for one that a shorthand stands for (`strip-prefix = true`).
    MiddlewareName,
    /// `issuers.NAME`
    IssuerName,
    /// `tls-policies.NAME`
    TlsPolicyName,
}

/// The kinds of node, by the name of their table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    Listener,
    Site,
    /// A route inside a site.
    SiteRoute,
    /// `routes.NAME`
    Route,
    Service,
    Transport,
    Middleware,
    Issuer,
    TlsPolicy,
    Runtime,
    Admin,
    Logs,
    Metrics,
}

/// The address of a value in the configuration, as segments: `["sites", "app.corp", "routes", "/api/*", "to"]`.
/// Stages after `pn-config` report errors at such a path, and `pn-config` knows the file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodePath(pub Vec<Arc<str>>);

impl NodePath {
    pub fn of<I, S>(segments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<Arc<str>>,
    {
        Self(segments.into_iter().map(Into::into).collect())
    }

    /// The path of a value below this one.
    #[must_use]
    pub fn child(&self, segment: impl Into<Arc<str>>) -> Self {
        let mut path = self.clone();
        path.0.push(segment.into());
        path
    }
}

/// As it is written in TOML: bare where a bare key may stand, quoted elsewhere, array elements as `[0]`.
impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if segment.starts_with('[') {
                f.write_str(segment)?;
                continue;
            }
            if i > 0 {
                f.write_str(".")?;
            }
            if !segment.is_empty() && segment.chars().all(bare) {
                f.write_str(segment)?;
            } else {
                write!(f, "\"{segment}\"")?;
            }
        }
        Ok(())
    }
}

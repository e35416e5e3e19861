//! Sites, and the routes under them or beside them.

use crate::ids::{
    IssuerName, ListenerName, MiddlewareName, NodePath, RouteName, ServiceName, SiteName, TlsPolicyName,
};
use crate::path::PathPattern;
use crate::rule::{Conditions, Expr};
use crate::{HostPattern, Secret};
use std::path::PathBuf;

/// `sites."HOST"`: owns the certificate and TLS policy of its hosts, and the routes under them.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    pub name: SiteName,
    /// The site's own pattern first, then its aliases. Never empty.
    pub hosts: Vec<HostPattern>,
    pub listeners: Vec<ListenerName>,
    pub https: HttpsMode,
    pub certificate: CertificateSource,
    /// Sites of one group share a certificate. Empty: its own.
    pub san_group: String,
    /// `None`: the built-in default policy.
    pub tls_policy: Option<TlsPolicyName>,
    /// Every route of the site, the site's own `to` as a route of the path `/*` among them, and every free-form
    /// route of which a branch names one of the site's hosts is listed in `Model::sites` under each such site.
    pub routes: Vec<Route>,
    /// Whether the site was only implied by the host of a free-form rule.
    pub implied: bool,
    pub path: NodePath,
}

/// What plain HTTP does for a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpsMode {
    #[default]
    Redirect,
    /// Served on both.
    Both,
    /// No TLS for this site: it is served on plain listeners only.
    Off,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CertificateSource {
    /// The site has no TLS (`https = "off"`).
    None,
    /// One or more pairs (say ECDSA and RSA); the client's algorithms choose.
    Files(Vec<CertificateFiles>),
    Issuer(IssuerName),
    /// The built-in internal CA, for local names when no issuer is named.
    InternalCa,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub cert: PemSource,
    /// PKCS#8, PKCS#1 or SEC1 PEM.
    pub key: PemSource,
}

/// PEM by path, or text that a secret brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PemSource {
    File(PathBuf),
    Inline(Secret),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: RouteName,
    pub matcher: RouteMatch,
    /// Default 0; higher goes first.
    pub priority: i64,
    /// In the order they run, after the listener's and before the service's: defaults, parents, site, route. What
    /// `strip-prefix` of the route stands for is last.
    pub middlewares: Vec<MiddlewareName>,
    pub to: ServiceName,
    /// Whether a request that misses a condition of this route may fall to a less guarded one.
    pub fall_through: bool,
    pub path: NodePath,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RouteMatch {
    /// Below every host of the site.
    Native { path: PathPattern, conditions: Conditions },
    /// A whole rule. Only the branches that belong to the site under which it is listed apply there.
    Rule { expr: Expr, text: String },
}

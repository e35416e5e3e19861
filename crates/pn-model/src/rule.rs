//! Conditions of routes: the atoms that both forms of a route are made of, and the expression of a free-form rule.
//! Parsing lives in `pn-config`, the disjunctive form and the ranking in `pn-core`.

use crate::host::HostPattern;
use crate::path::PathPattern;
use ipnet::IpNet;

/// A free-form rule: the Traefik v3 language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    Atom(Atom),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

/// One matcher. A matcher with several values in Traefik's v2 form is an `Or` of atoms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    Host(HostPattern),
    /// Unanchored, on the normalised host.
    HostRegex(String),
    Path(PathPattern),
    /// Upper-case, as on the wire.
    Method(String),
    Header(FieldMatch),
    Query(FieldMatch),
    /// After PROXY protocol and trusted proxies.
    ClientIp(IpNet),
    /// The socket's address after PROXY protocol. Traefik's `ClientIP()` means this one.
    PeerIp(IpNet),
    /// Whether the client's connection is TLS.
    Tls(bool),
}

/// A condition on a header field or a query parameter. With several values any may match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldMatch {
    /// Lower-case for headers, percent-decoded for query parameters.
    pub name: String,
    pub value: ValueMatch,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueMatch {
    Literal(String),
    /// Unanchored.
    Regex(String),
    Present,
    Absent,
}

/// A condition of a site's route: every member holds, and of each member any value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Upper-case; empty means every method.
    pub methods: Vec<String>,
    pub headers: Vec<FieldMatch>,
    pub query: Vec<FieldMatch>,
    /// Empty means every address.
    pub client_ip: Vec<IpNet>,
    /// Empty means every address.
    pub peer_ip: Vec<IpNet>,
    pub tls: Option<bool>,
}

//! Services: where requests end.

use crate::ids::{MiddlewareName, NodePath, ServiceName, TransportName};
use crate::secret::Text;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: ServiceName,
    pub kind: ServiceKind,
    /// In the order they run, after the route's: defaults, parents, the service itself.
    pub middlewares: Vec<MiddlewareName>,
    pub path: NodePath,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made once a generation, and nearly always the large one")]
pub enum ServiceKind {
    Servers(Servers),
    Split(Split),
    Respond(Respond),
    Redirect(Redirect),
    Builtin(Builtin),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Servers {
    /// Never empty.
    pub servers: Vec<Server>,
    pub balance: Balance,
    pub sticky: Option<StickyCookie>,
    pub health_check: Option<HealthCheck>,
    pub outlier: Option<Outlier>,
    pub retries: Option<Retries>,
    pub host_header: HostHeader,
    /// `None`: the built-in default transport.
    pub transport: Option<TransportName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As written, normalised: shown in logs and metrics, and the key of the server's state.
    pub url: String,
    pub scheme: UpstreamScheme,
    pub address: UpstreamAddress,
    /// 0: takes no new requests. Not all of a service are zero.
    pub weight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamScheme {
    /// `http`, HTTP/1.1.
    Http,
    /// `h2c`, HTTP/2 with prior knowledge.
    H2c,
    /// `https`; the transport's protocol and ALPN decide on the version.
    Https,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UpstreamAddress {
    Socket(SocketAddr),
    /// Resolved, and refreshed by the TTL of the answer.
    Name {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// Smooth weighted round robin.
    #[default]
    RoundRobin,
    LeastConn,
    /// Power of two choices by requests in flight.
    P2c,
    Hash(HashBy),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashBy {
    ClientIp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickyCookie {
    pub name: String,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: Option<SameSite>,
    /// `None`: a session cookie.
    pub max_age: Option<Duration>,
    pub path: String,
    pub domain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    Strict,
    Lax,
    None,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    pub probe: Probe,
    pub interval: Duration,
    pub timeout: Duration,
    /// Successes in a row that bring a server back.
    pub passes: u32,
    /// Failures in a row that take a server out.
    pub fails: u32,
    /// `None`: the server's own port.
    pub port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    Http {
        path: String,
        method: String,
        host: Option<String>,
        headers: Vec<(String, Text)>,
        status: StatusRanges,
    },
    /// grpc.health.v1.Health/Check over HTTP/2.
    Grpc { service: String },
    /// The connection opens.
    Tcp,
}

/// Status codes by inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRanges(pub Vec<(u16, u16)>);

impl StatusRanges {
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&status))
    }
}

/// Passive ejection: `failures` failed requests within `window` take a server out for `eject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlier {
    pub failures: u32,
    pub window: Duration,
    pub eject: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// Further attempts after the first.
    pub attempts: u32,
    pub on: Vec<RetryOn>,
    /// Retries as a share of requests, over ten seconds; at least one retry a second is always allowed.
    pub budget: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOn {
    /// No connection could be made, or a kept one closed before it took the request.
    Connect,
    /// The connection broke before a response head came.
    Reset,
    /// The response head took longer than the transport's timeout.
    Timeout,
    Status(u16),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostHeader {
    /// The client's own.
    #[default]
    Preserve,
    /// The server's host and port.
    Server,
    Literal(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Service and weight; not all zero.
    pub targets: Vec<(ServiceName, u32)>,
    pub sticky: Option<StickyCookie>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    pub status: u16,
    pub body: Text,
    pub headers: Vec<(String, Text)>,
}

/// A redirect to a URL in which `{scheme}`, `{host}`, `{port}`, `{path}`, `{query}` and `{uri}` are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub to: String,
    pub permanent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    Whoami,
    Ping,
    Metrics,
    Api,
}

impl Builtin {
    pub const ALL: [Self; 4] = [Self::Whoami, Self::Ping, Self::Metrics, Self::Api];

    /// The name with its `@`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whoami => "@whoami",
            Self::Ping => "@ping",
            Self::Metrics => "@metrics",
            Self::Api => "@api",
        }
    }
}

//! The router: its types as compile() and the data plane use them.
use pn_model::*;
use std::collections::BTreeSet;
use std::net::IpAddr;
#[derive(Debug)]
pub struct Router;
#[derive(Debug)]
pub struct SiteSpec {
    pub id: u32,
    pub hosts: Vec<HostPattern>,
}
#[derive(Debug)]
pub struct RouteSpec {
    pub id: u32,
    pub site: u32,
    pub matcher: site::RouteMatch,
    pub priority: i64,
    pub guards: BTreeSet<MiddlewareName>,
    pub fall_through: bool,
    pub name: RouteName,
    pub path: NodePath,
}
#[derive(Debug)]
pub struct RouteError {
    pub at: NodePath,
    pub message: String,
    pub help: Option<String>,
}
#[derive(Debug)]
pub enum Lookup {
    Matched {
        route: u32,
    },
    /// No site owns the host.
    NoHost,
    NoRoute {
        site: u32,
    },
    /// `allow` is the value of the Allow field.
    MethodNotAllowed {
        site: u32,
        allow: String,
    },
}
pub trait RequestView {
    fn host(&self) -> &str;
    fn path(&self) -> &str;
    fn method(&self) -> &str;
    fn header(&self, n: &str) -> impl Iterator<Item = &[u8]>;
    fn query(&self) -> &str;
    fn client_ip(&self) -> IpAddr;
    fn peer_ip(&self) -> IpAddr;
    fn is_tls(&self) -> bool;
}
impl Router {
    pub fn empty() -> Self {
        Self
    }
    pub fn new(
        _: &[SiteSpec],
        _: &[RouteSpec],
        _: process::RulePriority,
        _: process::RouterChoice,
    ) -> Result<(Self, Vec<RouteError>), Vec<RouteError>> {
        Ok((Self, vec![]))
    }
    pub fn lookup(&self, _: &impl RequestView) -> Lookup {
        Lookup::NoHost
    }
    pub fn site_of(&self, _: &str) -> Option<u32> {
        None
    }
}

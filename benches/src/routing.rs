//! What the routing benchmarks route: graphs of so many routes, and requests for them.

use anyhow::{Result, bail};
use pn_core::router::{Lookup, RequestView, RouteSpec, Router, SiteSpec};
use pn_model::path::PathPattern;
use pn_model::process::{RouterChoice, RulePriority};
use pn_model::rule::Conditions;
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, NodePath, RouteName};
use std::net::{IpAddr, Ipv4Addr};

/// How the routes are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As many sites as routes, each with a path prefix.
    Hosts,
    /// One site with as many path prefixes.
    Paths,
}

/// Which routes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    First,
    Last,
    Random,
    Miss,
}

pub const SHAPES: [Shape; 2] = [Shape::Hosts, Shape::Paths];
pub const TARGETS: [Target; 4] = [Target::First, Target::Last, Target::Random, Target::Miss];
pub const COUNTS: [usize; 5] = [1, 10, 100, 1_000, 10_000];

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hosts => "host and path",
            Self::Paths => "one host",
        }
    }

    fn host(self, route: usize) -> String {
        match self {
            Self::Hosts => format!("app-{route:05}.corp.example"),
            Self::Paths => "app.corp.example".to_owned(),
        }
    }

    fn prefix(self, route: usize) -> String {
        match self {
            Self::Hosts => "/api/v1".to_owned(),
            // Not in the order of their numbers, and not all of one length, as paths are.
            Self::Paths => format!("/{}/service-{route}", ["shop", "billing", "search", "auth"][route % 4]),
        }
    }
}

impl Target {
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Random => "random",
            Self::Miss => "miss",
        }
    }
}

/// A router of so many routes.
pub fn router(shape: Shape, count: usize, choice: RouterChoice) -> Result<Router> {
    let sites = if shape == Shape::Hosts { count } else { 1 };
    let number = |n: usize| u32::try_from(n);
    let mut specs = Vec::with_capacity(count);
    for route in 0..count {
        specs.push(RouteSpec {
            id: number(route)?,
            site: number(route.min(sites - 1))?,
            matcher: RouteMatch::Native {
                path: PathPattern::SegmentPrefix(shape.prefix(route)),
                conditions: Conditions::default(),
            },
            priority: 0,
            guards: Default::default(),
            fall_through: false,
            name: RouteName::new(format!("r{route}")),
            path: NodePath::of(["routes".to_owned(), format!("r{route}")]),
        });
    }
    let site = |id: u32| SiteSpec { id, hosts: vec![HostPattern::Exact(shape.host(id as usize))] };
    let sites: Vec<_> = (0..number(sites)?).map(site).collect();
    match Router::new(&sites, &specs, RulePriority::Specificity, choice) {
        Ok((router, _)) => Ok(router),
        Err(errors) => bail!("{errors:?}"),
    }
}

/// Requests in the order in which they are made, their text in that order too, so that what is measured are the
/// router's cache misses and not those of the benchmark: a real request has just been read.
#[derive(Debug)]
pub struct Requests {
    text: String,
    /// Ends of host and path.
    ends: Vec<(usize, usize)>,
    next: usize,
}

impl Requests {
    pub fn new(shape: Shape, count: usize, target: Target) -> Self {
        /// Enough that random requests do not find everything in the cache that the ones before them left.
        const RANDOM: usize = 16_384;
        let mut requests = Self { text: String::new(), ends: Vec::new(), next: 0 };
        let mut random = Random(1);
        for _ in 0..if target == Target::Random { RANDOM } else { 1 } {
            let route = match target {
                Target::First => 0,
                Target::Last => count - 1,
                Target::Random => random.below(count),
                Target::Miss => count,
            };
            requests.text.push_str(&shape.host(route));
            let host = requests.text.len();
            requests.text.push_str(&shape.prefix(route));
            requests.text.push_str("/orders/17");
            requests.ends.push((host, requests.text.len()));
        }
        requests
    }

    /// How many there are before they come again.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The next one, round and round.
    pub fn take(&mut self) -> Request<'_> {
        let at = self.next;
        self.next = if at + 1 == self.ends.len() { 0 } else { at + 1 };
        let from = if at == 0 { 0 } else { self.ends[at - 1].1 };
        let (host, path) = self.ends[at];
        Request {
            host: self.text.get(from..host).unwrap_or(""),
            path: self.text.get(host..path).unwrap_or(""),
        }
    }
}

/// The generator of Knuth's MMIX: the same requests in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[derive(Debug)]
pub struct Request<'t> {
    host: &'t str,
    path: &'t str,
}

impl RequestView for Request<'_> {
    fn host(&self) -> &str {
        self.host
    }

    fn path(&self) -> &str {
        self.path
    }

    fn method(&self) -> &str {
        "GET"
    }

    fn header(&self, _: &str) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    fn query(&self) -> &str {
        ""
    }

    fn client_ip(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }

    fn peer_ip(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }

    fn is_tls(&self) -> bool {
        false
    }
}

/// Panics when a request does not find what it is for.
pub fn verify(shape: Shape, count: usize, target: Target, router: &Router) {
    let mut requests = Requests::new(shape, count, target);
    for _ in 0..requests.len() {
        let request = requests.take();
        let found = router.lookup(&request);
        let hit = matches!(found, Lookup::Matched { .. });
        assert_eq!(hit, target != Target::Miss, "{shape:?} {count} {target:?}: {request:?} is {found:?}");
    }
}

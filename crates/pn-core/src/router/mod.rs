//! Which route takes a request. Rules are brought into branches (`dnf`, `branch`), bound to sites and ranked
//! (`rules`), compared with each other (`check`), and run by one of two matchers that give the same answer: every
//! branch in rank order (`sequential`), or a host table with a path index (`compiled`).
//!
//! The order, in short. First the host: exact, then the longest wildcard, then `*`; a request never falls from one
//! site to a wider one. Within the site: priority, exact path, longest prefix, regex, every path (`/*`, or none named),
//! more conditions before fewer.
//! Where only the method misses and no entry of that path takes it: 405, and no wider path is tried. Where another
//! condition misses, the next branch of the site is tried.

mod branch;
mod check;
mod compiled;
mod condition;
mod dnf;
mod index;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod length;
mod method;
mod regex;
mod rules;
mod sequential;
#[cfg(test)]
mod tests;
mod value;

use ahash::HashMap;
use compiled::Compiled;
use pn_model::process::{RouterChoice, RulePriority};
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, MiddlewareName, NodePath, RouteName};
use rules::Rules;
use sequential::Sequential;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Up to so many rules `auto` tries them one by one. Measured (`docs/routing-cost.md`): from 6 sites, or 12 paths of one
/// site, trying each costs more.
const SEQUENTIAL_MAX: usize = 5;

/// The routes of a graph, ready to be asked. Immutable; lookups share nothing that one of them writes.
#[derive(Debug)]
pub struct Router {
    matcher: Matcher,
    rules: usize,
    rules_of: HashMap<u32, usize>,
}

/// A site: the hosts it owns. A host has one site.
#[derive(Debug, Clone)]
pub struct SiteSpec {
    pub id: u32,
    pub hosts: Vec<HostPattern>,
}

/// A route as one site lists it.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// What a lookup answers with.
    pub id: u32,
    pub site: u32,
    pub matcher: RouteMatch,
    pub priority: i64,
    /// Middlewares of the route that keep somebody out.
    pub guards: BTreeSet<MiddlewareName>,
    pub fall_through: bool,
    pub name: RouteName,
    /// Listed under several sites, a route is known as one by its path.
    pub path: NodePath,
}

/// What is wrong, or under warnings doubtful, with a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteError {
    pub at: NodePath,
    pub message: String,
    pub help: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What the router reads of a request.
pub trait RequestView {
    /// Lower-case, without port, brackets or trailing dot. Empty when the client sent none.
    fn host(&self) -> &str;
    /// Normalised.
    fn path(&self) -> &str;
    fn method(&self) -> &str;
    /// The values of a field; the name is lower-case.
    fn header(&self, name: &str) -> impl Iterator<Item = &[u8]>;
    /// Without the question mark, as it came.
    fn query(&self) -> &str;
    fn client_ip(&self) -> IpAddr;
    fn peer_ip(&self) -> IpAddr;
    fn is_tls(&self) -> bool;
}

impl Router {
    /// Knows no host.
    pub fn empty() -> Self {
        Self::of(&Rules::none(), RouterChoice::Sequential)
    }

    /// Builds the router, with warnings; or returns every error there is.
    pub fn new(
        sites: &[SiteSpec],
        routes: &[RouteSpec],
        priority: RulePriority,
        choice: RouterChoice,
    ) -> Result<(Self, Vec<RouteError>), Vec<RouteError>> {
        let (rules, mut errors) = Rules::new(sites, routes, priority);
        if errors.is_empty() {
            let findings = check::check(&rules, routes);
            if findings.errors.is_empty() {
                return Ok((Self::of(&rules, choice), findings.warnings));
            }
            errors = findings.errors;
        }
        // A rule that several sites list says the same of itself in each.
        errors.sort_by(|a, b| (&a.at, &a.message).cmp(&(&b.at, &b.message)));
        errors.dedup();
        Err(errors)
    }

    fn of(rules: &Rules, choice: RouterChoice) -> Self {
        let mut rules_of: HashMap<u32, usize> = HashMap::default();
        for branch in &rules.branches {
            if let Some(site) = usize::try_from(branch.scope).ok().and_then(|at| rules.scopes.get(at)) {
                *rules_of.entry(*site).or_default() += 1;
            }
        }
        let compiled = match choice {
            RouterChoice::Auto => rules.branches.len() > SEQUENTIAL_MAX,
            RouterChoice::Compiled => true,
            RouterChoice::Sequential => false,
        };
        let matcher = if compiled {
            Matcher::Compiled(Box::new(Compiled::new(rules)))
        } else {
            Matcher::Sequential(Sequential::new(rules))
        };
        Self { matcher, rules: rules.branches.len(), rules_of }
    }

    /// Allocates nothing but the value of `Allow`.
    pub fn lookup(&self, request: &impl RequestView) -> Lookup {
        match &self.matcher {
            Matcher::Sequential(matcher) => matcher.lookup(request),
            Matcher::Compiled(matcher) => matcher.lookup(request),
        }
    }

    /// The site that owns a host (normalised), whatever its routes.
    pub fn site_of(&self, host: &str) -> Option<u32> {
        match &self.matcher {
            Matcher::Sequential(matcher) => matcher.site_of(host),
            Matcher::Compiled(matcher) => matcher.site_of(host),
        }
    }

    /// Branches of all routes: what `router_rules` counts.
    pub fn rules(&self) -> usize {
        self.rules
    }

    /// Branches of the routes of one site.
    pub fn rules_of(&self, site: u32) -> usize {
        self.rules_of.get(&site).copied().unwrap_or_default()
    }
}

#[derive(Debug)]
enum Matcher {
    Sequential(Sequential),
    Compiled(Box<Compiled>),
}

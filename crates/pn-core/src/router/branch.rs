//! From a route as it was written to branches: conjunctions of conditions, each with the host and the path that rank it.

use super::condition::{Condition, PathTest, Test, host_contains};
use super::dnf::{self, Conjunction};
use super::method::MethodSet;
use super::regex::Regex;
use super::value::FieldTest;
use super::{RouteError, RouteSpec};
use ahash::HashMap;
use ipnet::{IpNet, Ipv4Net};
use pn_model::path::PathPattern;
use pn_model::rule::{Atom, Conditions, Expr, FieldMatch, ValueMatch};
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, limits};

/// A branch that is not yet bound to a site.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// The narrowest host that the branch names. `None`: every host of its site.
    pub(super) host: Option<HostPattern>,
    /// Exact before prefix before regex before every path, and the longest prefix, of what the branch says of the path.
    pub(super) path: PathTest,
    /// The methods it takes and those it refuses, as written: whether `GET` covers `HEAD` depends on the other
    /// branches of its path.
    pub(super) methods: Vec<(Vec<String>, bool)>,
    pub(super) conditions: Vec<Condition>,
    /// Conditions beside host and path, as written; all methods together are one.
    pub(super) weight: usize,
}

impl Draft {
    /// Whether `HEAD` is named, so that no `GET` of the same path covers it.
    pub(super) fn names_head(&self) -> bool {
        self.methods.iter().any(|(names, negated)| !negated && names.iter().any(|name| name == "HEAD"))
    }

    pub(super) fn method_set(&self, cover: bool) -> MethodSet {
        self.methods.iter().fold(MethodSet::all(), |all, (names, negated)| {
            let set = MethodSet::of(names.iter().map(String::as_str), cover);
            all.and(&if *negated { set.not() } else { set })
        })
    }
}

/// Builds drafts; remembers the regexes it has compiled.
#[derive(Debug, Default)]
pub(super) struct Drafter {
    regexes: HashMap<String, Result<Regex, String>>,
}

impl Drafter {
    /// The branches of a route. Contradictions within one are left out, so there may be none.
    pub(super) fn drafts(&mut self, spec: &RouteSpec) -> Result<Vec<Draft>, RouteError> {
        let drafts = match &spec.matcher {
            RouteMatch::Native { path, conditions } => self.native(path, conditions).map(|draft| vec![draft]),
            RouteMatch::Rule { expr, .. } => self.rule(expr),
        };
        drafts.map_err(|(message, help)| RouteError {
            at: spec.path.clone(),
            message: format!("route `{}`: {message}", spec.name),
            help: help.map(str::to_owned),
        })
    }

    fn native(&mut self, path: &PathPattern, conditions: &Conditions) -> Result<Draft, Fault> {
        let mut tests = Vec::new();
        for field in &conditions.headers {
            tests.push(self.field(field, Test::Header)?);
        }
        for field in &conditions.query {
            tests.push(self.field(field, Test::Query)?);
        }
        let nets = |nets: &[IpNet]| nets.iter().map(canonical).collect::<Vec<_>>();
        if !conditions.client_ip.is_empty() {
            tests.push(Condition::plain(Test::ClientIp(nets(&conditions.client_ip))));
        }
        if !conditions.peer_ip.is_empty() {
            tests.push(Condition::plain(Test::PeerIp(nets(&conditions.peer_ip))));
        }
        tests.extend(conditions.tls.map(|tls| Condition { test: Test::Tls, negated: !tls }));
        let methods = (!conditions.methods.is_empty()).then(|| (conditions.methods.clone(), false));
        let conditions = without_repetition(tests);
        Ok(Draft {
            host: None,
            path: self.path(path)?,
            weight: conditions.len() + usize::from(methods.is_some()),
            methods: methods.into_iter().collect(),
            conditions,
        })
    }

    fn rule(&mut self, expr: &Expr) -> Result<Vec<Draft>, Fault> {
        let branches = dnf::disjunctive(expr).map_err(|dnf::TooManyBranches| {
            let message = format!("its rule has more than {} branches", limits::RULE_BRANCHES);
            (message, Some("split it into several routes, or use regexes in place of `||`"))
        })?;
        branches.iter().filter_map(|branch| self.branch(branch).transpose()).collect()
    }

    /// `None` when the branch contradicts itself.
    fn branch(&mut self, branch: &Conjunction) -> Result<Option<Draft>, Fault> {
        let (mut hosts, mut paths) = (Vec::new(), Vec::new());
        let (mut methods, mut conditions) = (Vec::new(), Vec::new());
        for literal in branch {
            match (&literal.atom, literal.negated) {
                (Atom::Host(host), false) => hosts.push(host.clone()),
                (Atom::Path(path), false) => paths.push(self.path(path)?),
                (Atom::Method(name), negated) => methods.push((vec![name.clone()], negated)),
                (atom, negated) => conditions.push(Condition { test: self.test(atom)?, negated }),
            }
        }
        let host = narrowest_host(&mut hosts);
        let path = primary_path(&mut paths);
        conditions.extend(hosts.into_iter().map(|host| Condition::plain(Test::Host(vec![host]))));
        conditions.extend(paths.into_iter().map(|path| Condition::plain(Test::Path(path))));
        let conditions = without_repetition(conditions);
        let weight = conditions.len() + usize::from(!methods.is_empty());
        Ok(without_the_obvious(Draft { host, path, methods, conditions, weight }))
    }

    fn test(&mut self, atom: &Atom) -> Result<Test, Fault> {
        Ok(match atom {
            Atom::Host(host) => Test::Host(vec![host.clone()]),
            Atom::HostRegex(regex) => Test::HostRegex(self.regex(regex)?),
            Atom::Path(path) => Test::Path(self.path(path)?),
            Atom::Header(field) => self.field(field, Test::Header)?.test,
            Atom::Query(field) => self.field(field, Test::Query)?.test,
            Atom::ClientIp(net) => Test::ClientIp(vec![canonical(net)]),
            Atom::PeerIp(net) => Test::PeerIp(vec![canonical(net)]),
            // Methods have their own place, and a plain connection is written as no TLS before this.
            Atom::Tls(_) | Atom::Method(_) => Test::Tls,
        })
    }

    fn field(&mut self, field: &FieldMatch, kind: fn(String, FieldTest) -> Test) -> Result<Condition, Fault> {
        let test = match &field.value {
            ValueMatch::Literal(value) => FieldTest::Literal(value.clone()),
            ValueMatch::Regex(regex) => FieldTest::Regex(self.regex(regex)?),
            ValueMatch::Present | ValueMatch::Absent => FieldTest::Present,
        };
        let negated = field.value == ValueMatch::Absent;
        Ok(Condition { test: kind(field.name.clone(), test), negated })
    }

    /// `PathPrefix(/)` takes every path, as no path at all does.
    fn path(&mut self, path: &PathPattern) -> Result<PathTest, Fault> {
        Ok(match path {
            PathPattern::Exact(path) => PathTest::Exact(path.clone()),
            PathPattern::SegmentPrefix(prefix) => PathTest::Segment(prefix.clone()),
            PathPattern::StringPrefix(prefix) if prefix == "/" => PathTest::Segment(String::new()),
            PathPattern::StringPrefix(prefix) => PathTest::Prefix(prefix.clone()),
            PathPattern::Regex(regex) => PathTest::Regex(self.regex(regex)?),
        })
    }

    fn regex(&mut self, text: &str) -> Result<Regex, Fault> {
        let known = self.regexes.entry(text.to_owned()).or_insert_with(|| Regex::new(text));
        known.clone().map_err(|message| (message, Some("make it smaller, or split it into several routes")))
    }
}

type Fault = (String, Option<&'static str>);

/// Takes the narrowest pattern out; `*` says nothing.
fn narrowest_host(hosts: &mut Vec<HostPattern>) -> Option<HostPattern> {
    hosts.retain(|host| *host != HostPattern::Any);
    let narrowest = (0..hosts.len()).min_by_key(|&at| hosts.get(at).map(breadth))?;
    Some(hosts.swap_remove(narrowest))
}

/// Less is narrower.
fn breadth(host: &HostPattern) -> (u8, std::cmp::Reverse<usize>) {
    let (class, text) = match host {
        HostPattern::Exact(host) => (0, host.as_str()),
        HostPattern::OneLabel(suffix) => (1, suffix.as_str()),
        HostPattern::AnyDepth(suffix) => (2, suffix.as_str()),
        HostPattern::Any => (3, ""),
    };
    (class, std::cmp::Reverse(text.len()))
}

fn primary_path(paths: &mut Vec<PathTest>) -> PathTest {
    let first = (0..paths.len()).min_by_key(|&at| paths.get(at).map(path_rank));
    first.map_or_else(|| PathTest::Segment(String::new()), |at| paths.swap_remove(at))
}

/// Less goes first: exact, longest prefix, regex, and last what takes every path.
pub(super) fn path_rank(path: &PathTest) -> (u8, std::cmp::Reverse<usize>) {
    let (class, length) = match path {
        PathTest::Exact(_) => (0, 0),
        any if any.is_any() => (3, 0),
        PathTest::Segment(text) | PathTest::Prefix(text) => (1, text.len()),
        PathTest::Regex(_) => (2, 0),
    };
    (class, std::cmp::Reverse(length))
}

/// Leaves out conditions that the host or the path of the branch already decides; `None` when one decides against it.
fn without_the_obvious(mut draft: Draft) -> Option<Draft> {
    let host = draft.host.clone().map(|host| Condition::plain(Test::Host(vec![host])));
    let path = Condition::plain(Test::Path(draft.path.clone()));
    let known: Vec<_> = host.into_iter().chain([path]).collect();
    if draft.conditions.iter().any(|one| known.iter().any(|known| known.excludes(one))) {
        return None;
    }
    draft.conditions.retain(|one| !known.iter().any(|known| known.implies(one)));
    let among = |one: &Condition| draft.conditions.iter().any(|other| one.excludes(other));
    (!draft.conditions.iter().any(among)).then_some(draft)
}

fn without_repetition(conditions: Vec<Condition>) -> Vec<Condition> {
    let mut kept: Vec<Condition> = Vec::with_capacity(conditions.len());
    for condition in conditions {
        if !kept.contains(&condition) {
            kept.push(condition);
        }
    }
    kept
}

/// Addresses are compared in IPv4 where they are IPv4 in IPv6's clothes (`::ffff:10.0.0.1`), so networks are too.
fn canonical(net: &IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(address) = v6.addr().to_ipv4_mapped()
        && let Some(length) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(address, length)
    {
        return IpNet::V4(v4);
    }
    *net
}

/// Whether a site of these hosts is the one that a branch of this host belongs to.
pub(super) fn belongs(host: Option<&HostPattern>, site: &[HostPattern]) -> bool {
    site.contains(host.unwrap_or(&HostPattern::Any))
}

/// Whether a branch of this host takes every host of the site.
pub(super) fn takes_whole_site(host: Option<&HostPattern>, site: &[HostPattern]) -> bool {
    host.is_none_or(|host| site.iter().all(|own| host_contains(host, own)))
}

//! Graphs and requests out of a small alphabet, so that they meet.

use super::{Choices, Request};
use crate::router::{RouteSpec, SiteSpec};
use pn_model::path::PathPattern;
use pn_model::process::RulePriority;
use pn_model::rule::{Atom, Conditions, Expr, FieldMatch, ValueMatch};
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, MiddlewareName, NodePath, RouteName};
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PURGE", "TRACE"];
const HOSTS: [&str; 10] = ["a.x", "b.x", "c.x", "c.b.x", "d.c.b.x", "x", "z", "", ".x", "y.z"];
const PATHS: [&str; 11] = ["/a", "/", "/a/", "/a/b", "/a/b/c", "/ab", "/abc", "/b", "/b/a", "/a/bc", "*"];
const NETS: [&str; 5] = ["10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/16", "::1/128", "10.1.2.3/32"];
const ADDRESSES: [&str; 6] = ["10.1.2.3", "10.2.3.4", "192.168.0.1", "::1", "::ffff:10.1.2.3", "8.8.8.8"];
const REGEXES: [&str; 4] = ["^/a", "b$", "^[0-9]$", "^/a/[a-z]+$"];

#[derive(Debug)]
pub(super) struct Graph {
    pub(super) mode: RulePriority,
    pub(super) sites: Vec<SiteSpec>,
    pub(super) specs: Vec<RouteSpec>,
}

pub(super) fn graph(choices: &mut Choices<'_>) -> Graph {
    let mode = if choices.one_in(4) { RulePriority::Length } else { RulePriority::Specificity };
    let sites = sites(choices);
    let mut graph = Graph { mode, sites, specs: Vec::new() };
    // Without, most graphs are ambiguous.
    let apart = choices.one_in(2);
    for route in 0..choices.below(10) + 1 {
        let priority = match (apart, choices.below(6)) {
            (true, jitter) => i64::try_from((route * 7 + jitter) % 11).unwrap_or_default() - 4,
            (false, 0) => 1,
            (false, 1) => -1,
            (false, _) => 0,
        };
        if choices.one_in(3) {
            let expr = rule(choices, &graph.sites);
            list_rule(&mut graph, route, priority, expr, choices.below(40) + 10);
        } else {
            let site = choices.pick(&graph.sites).id;
            let path = path_pattern(choices);
            let matcher = RouteMatch::Native { path, conditions: conditions(choices) };
            push(&mut graph, route, site, priority, matcher, choices);
        }
    }
    graph
}

/// One rule under the sites of its hosts and under `*`.
pub(super) fn one_rule(choices: &mut Choices<'_>) -> Graph {
    let mut hosts = patterns();
    hosts.push(HostPattern::Any);
    let sites = (0..).zip(hosts).map(|(id, host)| SiteSpec { id, hosts: vec![host] }).collect();
    let mut graph = Graph { mode: RulePriority::Length, sites, specs: Vec::new() };
    // Only exact hosts: a rule that names a wildcard does not get the hosts below that have a site of their own.
    graph.sites.retain(|site| matches!(site.hosts.first(), Some(HostPattern::Exact(_) | HostPattern::Any)));
    let any = graph.sites.clone();
    let expr = expr(choices, &any, 3);
    list_rule(&mut graph, 0, 0, expr, 10);
    graph
}

fn patterns() -> Vec<HostPattern> {
    let exact = ["a.x", "b.x", "c.b.x", "z"].map(|host| HostPattern::Exact(host.to_owned()));
    let one = ["x", "b.x"].map(|suffix| HostPattern::OneLabel(suffix.to_owned()));
    let deep = ["x", "b.x"].map(|suffix| HostPattern::AnyDepth(suffix.to_owned()));
    exact.into_iter().chain(one).chain(deep).collect()
}

fn sites(choices: &mut Choices<'_>) -> Vec<SiteSpec> {
    let mut free = patterns();
    let mut sites = vec![SiteSpec { id: 7, hosts: vec![HostPattern::Any] }];
    for id in 0..choices.below(4) {
        let hosts = (0..choices.below(2) + 1).map(|_| free.remove(choices.below(free.len()))).collect();
        sites.push(SiteSpec { id: u32::try_from(id).unwrap_or_default(), hosts });
    }
    if choices.one_in(3) {
        sites.remove(0);
    }
    if sites.is_empty() {
        sites.push(SiteSpec { id: 9, hosts: vec![HostPattern::Exact("a.x".to_owned())] });
    }
    sites
}

fn push(
    graph: &mut Graph,
    route: usize,
    site: u32,
    priority: i64,
    matcher: RouteMatch,
    choices: &mut Choices<'_>,
) {
    let guarded = choices.one_in(8);
    let guards = guarded.then(|| MiddlewareName::from("auth")).into_iter().collect();
    graph.specs.push(spec(graph.specs.len(), route, site, priority, matcher, guards));
}

fn spec(
    id: usize,
    route: usize,
    site: u32,
    priority: i64,
    matcher: RouteMatch,
    guards: BTreeSet<MiddlewareName>,
) -> RouteSpec {
    RouteSpec {
        id: u32::try_from(id).unwrap_or_default(),
        site,
        matcher,
        priority,
        guards,
        fall_through: true,
        name: RouteName::new(format!("r{route}")),
        path: NodePath::of(["routes".to_owned(), format!("r{route}")]),
    }
}

/// As `pn-config` does, but under every site: a site takes only its own branches.
fn list_rule(graph: &mut Graph, route: usize, priority: i64, expr: Expr, length: usize) {
    for site in graph.sites.iter().map(|site| site.id).collect::<Vec<_>>() {
        let matcher = RouteMatch::Rule { expr: expr.clone(), text: "x".repeat(length) };
        graph.specs.push(spec(graph.specs.len(), route, site, priority, matcher, BTreeSet::new()));
    }
}

fn rule(choices: &mut Choices<'_>, sites: &[SiteSpec]) -> Expr {
    let inner = expr(choices, sites, 2);
    if choices.one_in(4) {
        return inner;
    }
    let site = choices.pick(sites);
    Expr::And(vec![Expr::Atom(Atom::Host(choices.pick(&site.hosts))), inner])
}

fn expr(choices: &mut Choices<'_>, sites: &[SiteSpec], depth: usize) -> Expr {
    match choices.below(if depth == 0 { 3 } else { 6 }) {
        0..=2 => Expr::Atom(atom(choices, sites)),
        3 => Expr::Not(Box::new(expr(choices, sites, depth - 1))),
        4 => Expr::And((0..2).map(|_| expr(choices, sites, depth - 1)).collect()),
        _ => Expr::Or((0..2).map(|_| expr(choices, sites, depth - 1)).collect()),
    }
}

fn atom(choices: &mut Choices<'_>, sites: &[SiteSpec]) -> Atom {
    match choices.below(10) {
        0 | 1 => Atom::Path(path_pattern(choices)),
        2 => {
            let site = choices.pick(sites);
            Atom::Host(choices.pick(&site.hosts))
        }
        3 => Atom::HostRegex(choices.pick(&["^a", "x$", "b"]).to_owned()),
        4 => Atom::Method(choices.pick(&METHODS).to_owned()),
        5 => Atom::Header(field(choices, &["h", "k"])),
        6 => Atom::Query(field(choices, &["q", "r s"])),
        7 => Atom::ClientIp(net(choices)),
        8 => Atom::PeerIp(net(choices)),
        _ => Atom::Tls(choices.one_in(2)),
    }
}

fn path_pattern(choices: &mut Choices<'_>) -> PathPattern {
    match choices.below(5) {
        0 => PathPattern::Exact(choices.pick(&PATHS[..6]).to_owned()),
        1 => PathPattern::SegmentPrefix(choices.pick(&["", "/a", "/a/b", "/b"]).to_owned()),
        2 => PathPattern::StringPrefix(choices.pick(&["/", "/a", "/a/", "/a/b", "/ab"]).to_owned()),
        3 => PathPattern::Regex(choices.pick(&REGEXES).to_owned()),
        _ => PathPattern::any(),
    }
}

fn conditions(choices: &mut Choices<'_>) -> Conditions {
    let mut conditions = Conditions::default();
    if choices.one_in(3) {
        conditions.methods = choices.some(3, &METHODS).into_iter().map(str::to_owned).collect();
    }
    if choices.one_in(4) {
        conditions.headers = (0..choices.below(3)).map(|_| field(choices, &["h", "k"])).collect();
    }
    if choices.one_in(5) {
        conditions.query = vec![field(choices, &["q", "r s"])];
    }
    if choices.one_in(6) {
        conditions.client_ip = (0..choices.below(3)).map(|_| net(choices)).collect();
    }
    if choices.one_in(6) {
        conditions.peer_ip = vec![net(choices)];
    }
    if choices.one_in(6) {
        conditions.tls = Some(choices.one_in(2));
    }
    conditions
}

fn field(choices: &mut Choices<'_>, names: &[&str]) -> FieldMatch {
    let value = match choices.below(5) {
        0 => ValueMatch::Literal("1".to_owned()),
        1 => ValueMatch::Literal("2".to_owned()),
        2 => ValueMatch::Regex("^[0-9]$".to_owned()),
        3 => ValueMatch::Present,
        _ => ValueMatch::Absent,
    };
    FieldMatch { name: choices.pick(names).to_owned(), value }
}

#[expect(clippy::unwrap_used, reason = "the constants parse")]
fn net(choices: &mut Choices<'_>) -> ipnet::IpNet {
    choices.pick(&NETS).parse().unwrap()
}

#[expect(clippy::unwrap_used, reason = "the constants parse")]
pub(super) fn request(choices: &mut Choices<'_>, graph: &Graph) -> Request {
    let path = if graph.specs.is_empty() || choices.one_in(2) {
        choices.pick(&PATHS).to_owned()
    } else {
        match choices.pick(&graph.specs).matcher {
            RouteMatch::Native {
                path: PathPattern::Exact(text) | PathPattern::StringPrefix(text), ..
            } => text,
            RouteMatch::Native { path: PathPattern::SegmentPrefix(text), .. } => format!("{text}/c"),
            _ => choices.pick(&PATHS).to_owned(),
        }
    };
    let value = |choices: &mut Choices<'_>| choices.pick(&["1", "2", "x", ""]).to_owned();
    Request {
        host: choices.pick(&HOSTS).to_owned(),
        path,
        method: choices.pick(&METHODS).to_owned(),
        headers: (0..choices.below(3))
            .map(|_| (choices.pick(&["h", "k"]).to_owned(), value(choices)))
            .collect(),
        query: choices.some(3, &["q=1", "q", "q=2", "r+s=1", "r%20s=%31", "", "x=1"]).join("&"),
        client_ip: choices.pick(&ADDRESSES).parse().unwrap(),
        peer_ip: choices.pick(&ADDRESSES).parse().unwrap(),
        tls: choices.one_in(2),
    }
}

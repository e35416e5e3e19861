//! Graphs and requests as a test writes them.
//!
//! ```text
//! site app.x www.x                         a site with its hosts; its routes follow
//!   NAME: PATH [GET,POST] [h:k=v] [h:k=~re] [h:k] [h:!k] [q:..] [client:NET,NET] [peer:NET] [tls|plain] [prio=N] [guard=a,b] [fall]
//! rule NAME [prio=N] [guard=a] [fall] = Host(`app.x`) && !Path(`/a`)
//! ```

use crate::router::laws::Request;
use crate::router::{RouteSpec, SiteSpec};
use pn_model::path::PathPattern;
use pn_model::rule::{Atom, Conditions, Expr, FieldMatch, ValueMatch};
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, MiddlewareName, NodePath, RouteName};

#[derive(Default)]
pub(super) struct Graph {
    pub(super) sites: Vec<SiteSpec>,
    pub(super) specs: Vec<RouteSpec>,
}

impl Graph {
    pub(super) fn read(text: &str) -> Self {
        let mut graph = Self::default();
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        for hosts in lines().filter_map(|line| line.strip_prefix("site ")) {
            let id = u32::try_from(graph.sites.len()).unwrap();
            graph.sites.push(SiteSpec { id, hosts: hosts.split_whitespace().map(host).collect() });
        }
        let mut site = None;
        for line in lines() {
            if line.starts_with("site ") {
                site = Some(site.map_or(0, |site| site + 1));
            } else if let Some(rule) = line.strip_prefix("rule ") {
                let (head, text) = rule.split_once(" = ").unwrap();
                let (name, options) = head.split_once(' ').unwrap_or((head, ""));
                let matcher = RouteMatch::Rule { expr: rule_of(text), text: text.to_owned() };
                for id in 0..graph.sites.len() {
                    graph.push(u32::try_from(id).unwrap(), name, matcher.clone(), options);
                }
            } else {
                let (name, rest) = line.split_once(": ").unwrap();
                let (path, options) = rest.split_once(' ').unwrap_or((rest, ""));
                let matcher = RouteMatch::Native { path: pattern(path), conditions: conditions(options) };
                graph.push(site.unwrap(), name, matcher, options);
            }
        }
        graph
    }

    fn push(&mut self, site: u32, name: &str, matcher: RouteMatch, options: &str) {
        let mut spec = RouteSpec {
            id: u32::try_from(self.specs.len()).unwrap(),
            site,
            matcher,
            priority: 0,
            guards: Default::default(),
            fall_through: false,
            name: RouteName::from(name),
            path: NodePath::of(["routes", name]),
        };
        for option in options.split_whitespace() {
            match option.split_once('=') {
                Some(("prio", number)) => spec.priority = number.parse().unwrap(),
                Some(("guard", names)) => spec.guards = names.split(',').map(MiddlewareName::from).collect(),
                _ => spec.fall_through |= option == "fall",
            }
        }
        self.specs.push(spec);
    }

    pub(super) fn name(&self, route: u32) -> String {
        self.specs.iter().find(|spec| spec.id == route).unwrap().name.to_string()
    }

    pub(super) fn site(&self, site: u32) -> String {
        self.sites.iter().find(|one| one.id == site).unwrap().hosts[0].to_string()
    }
}

pub(super) fn host(text: &str) -> HostPattern {
    match (text.strip_prefix("**."), text.strip_prefix("*.")) {
        (Some(suffix), _) => HostPattern::AnyDepth(suffix.to_owned()),
        (_, Some(suffix)) => HostPattern::OneLabel(suffix.to_owned()),
        _ if text == "*" => HostPattern::Any,
        _ => HostPattern::Exact(text.to_owned()),
    }
}

fn pattern(text: &str) -> PathPattern {
    match (text.strip_prefix('~'), text.strip_suffix("/*")) {
        (Some(regex), _) => PathPattern::Regex(regex.to_owned()),
        (_, Some(prefix)) => PathPattern::SegmentPrefix(prefix.to_owned()),
        _ => PathPattern::Exact(text.to_owned()),
    }
}

fn conditions(options: &str) -> Conditions {
    let mut conditions = Conditions::default();
    let nets = |nets: &str| nets.split(',').map(|net| net.parse().unwrap()).collect();
    for option in options.split_whitespace() {
        match option.split_once(':') {
            Some(("h", rest)) => conditions.headers.push(field(rest)),
            Some(("q", rest)) => conditions.query.push(field(rest)),
            Some(("client", rest)) => conditions.client_ip = nets(rest),
            Some(("peer", rest)) => conditions.peer_ip = nets(rest),
            _ if option == "tls" || option == "plain" => conditions.tls = Some(option == "tls"),
            _ if option.starts_with(|c: char| c.is_ascii_uppercase()) => {
                conditions.methods = option.split(',').map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    conditions
}

fn field(text: &str) -> FieldMatch {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value_match(value)),
        None => match text.strip_prefix('!') {
            Some(name) => (name, ValueMatch::Absent),
            None => (text, ValueMatch::Present),
        },
    };
    FieldMatch { name: name.to_owned(), value }
}

fn value_match(text: &str) -> ValueMatch {
    match text.strip_prefix('~') {
        Some(regex) => ValueMatch::Regex(regex.to_owned()),
        None => ValueMatch::Literal(text.to_owned()),
    }
}

/// `METHOD host/path?query` and `h:k=v`, `client:ADDRESS`, `peer:ADDRESS`, `tls`.
pub(super) fn request(text: &str) -> Request {
    let mut words = text.split_whitespace();
    let mut request = Request { method: words.next().unwrap().to_owned(), ..Request::default() };
    let target = words.next().unwrap();
    let (host, path) = target.split_at(target.find('/').unwrap());
    request.host = host.to_owned();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    (request.path, request.query) = (path.to_owned(), query.to_owned());
    for word in words {
        match word.split_once(':') {
            Some(("h", field)) => {
                let (name, value) = field.split_once('=').unwrap();
                request.headers.push((name.to_owned(), value.to_owned()));
            }
            Some(("client", address)) => request.client_ip = address.parse().unwrap(),
            Some(("peer", address)) => request.peer_ip = address.parse().unwrap(),
            _ => request.tls = word == "tls",
        }
    }
    request
}

// === the rule language, as far as tests of the router need it ===

fn rule_of(text: &str) -> Expr {
    let mut rest = text.trim();
    let expr = any(&mut rest);
    assert!(rest.is_empty(), "left over: {rest}");
    expr
}

fn any(rest: &mut &str) -> Expr {
    let mut parts = vec![all(rest)];
    while eat(rest, "||") {
        parts.push(all(rest));
    }
    if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) }
}

fn all(rest: &mut &str) -> Expr {
    let mut parts = vec![one(rest)];
    while eat(rest, "&&") {
        parts.push(one(rest));
    }
    if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) }
}

fn one(rest: &mut &str) -> Expr {
    if eat(rest, "!") {
        return Expr::Not(Box::new(one(rest)));
    }
    if eat(rest, "(") {
        let inner = any(rest);
        assert!(eat(rest, ")"));
        return inner;
    }
    let (name, after) = rest.split_once('(').unwrap();
    let (values, after) = after.split_once(')').unwrap();
    *rest = after.trim_start();
    let values: Vec<&str> = values.split('`').skip(1).step_by(2).collect();
    Expr::Atom(atom(name, &values))
}

fn eat(rest: &mut &str, token: &str) -> bool {
    let after = rest.strip_prefix(token);
    *rest = after.unwrap_or(rest).trim_start();
    after.is_some()
}

fn atom(name: &str, values: &[&str]) -> Atom {
    let text = || values[0].to_owned();
    let field = |value| FieldMatch { name: text(), value };
    let second = || values.get(1).copied().unwrap_or_default().to_owned();
    match name {
        "Host" => Atom::Host(host(values[0])),
        "HostRegexp" => Atom::HostRegex(text()),
        "Path" => Atom::Path(PathPattern::Exact(text())),
        "PathPrefix" => Atom::Path(PathPattern::StringPrefix(text())),
        "PathRegexp" => Atom::Path(PathPattern::Regex(text())),
        "Method" => Atom::Method(text()),
        "Header" => Atom::Header(field(ValueMatch::Literal(second()))),
        "HeaderRegexp" => Atom::Header(field(ValueMatch::Regex(second()))),
        "Query" => Atom::Query(field(ValueMatch::Literal(second()))),
        "QueryRegexp" => Atom::Query(field(ValueMatch::Regex(second()))),
        "ClientIP" => Atom::PeerIp(values[0].parse().unwrap()),
        _ => panic!("no matcher {name}"),
    }
}

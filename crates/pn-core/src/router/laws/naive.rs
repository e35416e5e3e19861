//! The rules again, straight from the prose, slowly and without the router's types. Disagreement is a bug in one of
//! the two.

use super::Request;
use crate::router::length::rule_length;
use crate::router::{Lookup, RouteSpec, SiteSpec};
use pn_model::HostPattern;
use pn_model::path::PathPattern;
use pn_model::process::RulePriority;
use pn_model::rule::{Atom, Conditions, Expr, FieldMatch, ValueMatch};
use pn_model::site::RouteMatch;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// "First the host: exact, then the longest wildcard, then `*`."
pub(crate) fn site_of(sites: &[SiteSpec], host: &str) -> Option<u32> {
    let mut found: Vec<(usize, usize, u32)> = Vec::new();
    for (site, pattern) in sites.iter().flat_map(|site| site.hosts.iter().map(move |host| (site.id, host))) {
        if pattern.matches(host) {
            found.push(match pattern {
                HostPattern::Exact(_) => (usize::MAX, 0, site),
                HostPattern::OneLabel(suffix) => (suffix.len() + 1, 1, site),
                HostPattern::AnyDepth(suffix) => (suffix.len() + 1, 0, site),
                HostPattern::Any => (0, 0, site),
            });
        }
    }
    found.into_iter().max().map(|(_, _, site)| site)
}

/// An atom, and whether it is negated.
type Term = (Atom, bool);

/// What takes requests: one branch of a rule, or a route of a site.
struct Entry<'a> {
    spec: &'a RouteSpec,
    /// Of its site or its rule.
    hosts: Vec<HostPattern>,
    path: PathPattern,
    methods: Vec<Vec<Term>>,
    /// All of these, and of each any.
    others: Vec<Vec<Term>>,
    /// `GET` may stand for `HEAD`.
    cover: bool,
}

pub(crate) fn answer(
    sites: &[SiteSpec],
    specs: &[RouteSpec],
    mode: RulePriority,
    request: &Request,
) -> Lookup {
    let all = entries(sites, specs, mode);
    let here = |entry: &&Entry<'_>| entry.hosts.iter().any(|host| host.matches(&request.host));
    if mode == RulePriority::Length {
        let first = by_length(sites, &all, all.iter().filter(here), request);
        let none = site_of(sites, &request.host).map_or(Lookup::NoHost, |site| Lookup::NoRoute { site });
        return first.map_or(none, |entry| Lookup::Matched { route: entry.spec.id });
    }
    let Some(site) = site_of(sites, &request.host) else { return Lookup::NoHost };
    let mut ranked: Vec<_> = all.iter().filter(here).filter(|entry| entry.spec.site == site).collect();
    ranked.retain(|entry| is_possible(entry, &all));
    ranked.sort_by_key(|entry| {
        let (class, length) = path_rank(&entry.path);
        let conditions = entry.others.len() + usize::from(!entry.methods.is_empty());
        (-entry.spec.priority, class, -length, std::cmp::Reverse(conditions))
    });
    for entry in &ranked {
        if !path_matches(&entry.path, &request.path) || !all_hold(&entry.others, request) {
            continue;
        }
        if takes(entry, &all, &request.method) {
            return Lookup::Matched { route: entry.spec.id };
        }
        let same: Vec<_> = ranked.iter().filter(|other| other.path == entry.path).collect();
        if !same.iter().any(|other| takes(other, &all, &request.method)) {
            let open = same.into_iter().filter(|other| all_hold(&other.others, request));
            let allow: BTreeSet<_> = open.flat_map(|other| offered(other, &all)).collect();
            return Lookup::MethodNotAllowed {
                site,
                allow: allow.into_iter().collect::<Vec<_>>().join(", "),
            };
        }
    }
    Lookup::NoRoute { site }
}

/// How many branches there are to match.
pub(crate) fn count(sites: &[SiteSpec], specs: &[RouteSpec], mode: RulePriority) -> usize {
    let all = entries(sites, specs, mode);
    all.iter().filter(|entry| is_possible(entry, &all)).count()
}

/// Traefik: one list, the longest rule first, and a missed method is a miss like any other.
fn by_length<'a>(
    sites: &[SiteSpec],
    all: &[Entry<'_>],
    here: impl Iterator<Item = &'a Entry<'a>>,
    request: &Request,
) -> Option<&'a Entry<'a>> {
    let mut matching: Vec<_> = here
        .filter(|entry| path_matches(&entry.path, &request.path) && all_hold(&entry.others, request))
        .filter(|entry| takes(entry, all, &request.method))
        .collect();
    let length = |entry: &&Entry<'_>| match (&entry.spec.matcher, entry.spec.priority) {
        (RouteMatch::Rule { text, .. }, 0) => i64::try_from(text.len()).unwrap_or(i64::MAX),
        (matcher, 0) => rule_length(matcher, hosts_of(sites, entry.spec)),
        (_, priority) => priority,
    };
    matching.reverse();
    matching.into_iter().max_by_key(length)
}

fn hosts_of<'a>(sites: &'a [SiteSpec], spec: &RouteSpec) -> Option<&'a [HostPattern]> {
    sites.iter().find(|site| site.id == spec.site).map(|site| &site.hosts[..])
}

/// Whether the one rule of a graph holds, read from the expression as it stands.
pub(crate) fn rule_holds(specs: &[RouteSpec], request: &Request) -> bool {
    specs.iter().any(|spec| match &spec.matcher {
        RouteMatch::Rule { expr, .. } => holds(expr, request),
        RouteMatch::Native { .. } => false,
    })
}

fn holds(expr: &Expr, request: &Request) -> bool {
    match expr {
        Expr::Atom(atom) => atom_holds(atom, request),
        Expr::Not(inner) => !holds(inner, request),
        Expr::And(parts) => parts.iter().all(|part| holds(part, request)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, request)),
    }
}

fn method_is(name: &str, method: &str, cover: bool) -> bool {
    name == method || (cover && name == "GET" && method == "HEAD")
}

fn entries<'a>(sites: &[SiteSpec], specs: &'a [RouteSpec], mode: RulePriority) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for spec in specs {
        let hosts = hosts_of(sites, spec).unwrap_or_default();
        match (&spec.matcher, mode) {
            (RouteMatch::Native { path, conditions }, RulePriority::Specificity) => {
                entries.push(native(spec, hosts, path, conditions));
            }
            (RouteMatch::Native { path, conditions }, RulePriority::Length) => {
                let one = |host| native(spec, std::slice::from_ref(host), path, conditions);
                entries.extend(hosts.iter().map(one));
            }
            (RouteMatch::Rule { expr, .. }, _) => {
                let possible = |branch: &BTreeSet<Term>| {
                    !branch.iter().any(|(atom, not)| branch.contains(&(atom.clone(), !not)))
                };
                let mut branches = branches(expr, false);
                branches.retain(possible);
                branches.sort();
                branches.dedup();
                entries.extend(branches.into_iter().filter_map(|branch| rule(spec, hosts, branch, mode)));
            }
        }
    }
    entries
}

fn native<'a>(
    spec: &'a RouteSpec,
    hosts: &[HostPattern],
    path: &PathPattern,
    conditions: &Conditions,
) -> Entry<'a> {
    let plain = |atom| (atom, false);
    let mut others: Vec<Vec<Term>> = Vec::new();
    others.extend(conditions.headers.iter().map(|field| vec![plain(Atom::Header(field.clone()))]));
    others.extend(conditions.query.iter().map(|field| vec![plain(Atom::Query(field.clone()))]));
    others.push(conditions.client_ip.iter().map(|net| plain(Atom::ClientIp(*net))).collect());
    others.push(conditions.peer_ip.iter().map(|net| plain(Atom::PeerIp(*net))).collect());
    others.extend(conditions.tls.map(|tls| vec![plain(Atom::Tls(tls))]));
    others.retain(|any| !any.is_empty());
    let mut seen = Vec::new();
    others.retain(|any| {
        !seen.contains(any) && {
            seen.push(any.clone());
            true
        }
    });
    let methods: Vec<_> = conditions.methods.iter().map(|name| plain(Atom::Method(name.clone()))).collect();
    Entry {
        spec,
        hosts: hosts.to_vec(),
        path: canonical(path),
        methods: if methods.is_empty() { Vec::new() } else { vec![methods] },
        others,
        cover: true,
    }
}

/// A branch belongs to the site of its literal host, one without to `*`.
fn rule<'a>(
    spec: &'a RouteSpec,
    site: &[HostPattern],
    branch: BTreeSet<Term>,
    mode: RulePriority,
) -> Option<Entry<'a>> {
    let terms: Vec<Term> =
        branch.into_iter().filter(|term| *term != (Atom::Host(HostPattern::Any), false)).collect();
    let mut hosts: Vec<_> = terms
        .iter()
        .filter_map(|(atom, not)| match atom {
            Atom::Host(host) if !not => Some(host.clone()),
            _ => None,
        })
        .collect();
    hosts.sort_by_key(|host| match host {
        HostPattern::Exact(_) => (0, 0),
        HostPattern::OneLabel(suffix) => (1, -(suffix.len() as i64)),
        HostPattern::AnyDepth(suffix) => (2, -(suffix.len() as i64)),
        HostPattern::Any => (3, 0),
    });
    let mut paths: Vec<_> = terms
        .iter()
        .filter_map(|(atom, not)| match atom {
            Atom::Path(path) if !not => Some(path.clone()),
            _ => None,
        })
        .collect();
    paths.sort_by_key(|path| {
        let (class, length) = path_rank(path);
        (class, -length)
    });
    let (host, path) = (hosts.first().cloned(), paths.first().cloned());
    if !site.contains(host.as_ref().unwrap_or(&HostPattern::Any)) {
        return None;
    }
    let methods: Vec<_> = terms.iter().filter(|term| matches!(term.0, Atom::Method(_))).cloned().collect();
    let ranked = |term: &Term| {
        let (atom, not) = term;
        !not && (host.clone().map(Atom::Host).as_ref() == Some(atom)
            || path.clone().map(Atom::Path).as_ref() == Some(atom))
    };
    let others = terms.iter().filter(|term| !matches!(term.0, Atom::Method(_)) && !ranked(term));
    Some(Entry {
        spec,
        hosts: match (&host, mode) {
            (Some(host), _) => vec![host.clone()],
            (None, RulePriority::Length) => vec![HostPattern::Any],
            (None, RulePriority::Specificity) => site.to_vec(),
        },
        path: path.clone().unwrap_or_else(PathPattern::any),
        methods: methods.into_iter().map(|term| vec![term]).collect(),
        others: others.map(|term| vec![term.clone()]).collect(),
        cover: mode == RulePriority::Specificity,
    })
}

fn branches(expr: &Expr, negated: bool) -> Vec<BTreeSet<Term>> {
    let parts = match expr {
        Expr::Atom(atom) => return vec![BTreeSet::from([term(atom, negated)])],
        Expr::Not(inner) => return branches(inner, !negated),
        Expr::And(parts) | Expr::Or(parts) => parts,
    };
    let each = parts.iter().map(|part| branches(part, negated));
    if matches!(expr, Expr::Or(_)) != negated {
        return each.flatten().collect();
    }
    each.fold(vec![BTreeSet::new()], |all, part| {
        all.iter().flat_map(|a| part.iter().map(move |b| a | b)).collect()
    })
}

/// One spelling for what has two.
fn term(atom: &Atom, negated: bool) -> Term {
    let present = |field: &FieldMatch| FieldMatch { name: field.name.clone(), value: ValueMatch::Present };
    match atom {
        Atom::Header(field) if field.value == ValueMatch::Absent => (Atom::Header(present(field)), !negated),
        Atom::Query(field) if field.value == ValueMatch::Absent => (Atom::Query(present(field)), !negated),
        Atom::Tls(false) => (Atom::Tls(true), !negated),
        Atom::Path(path) => (Atom::Path(canonical(path)), negated),
        atom => (atom.clone(), negated),
    }
}

fn canonical(path: &PathPattern) -> PathPattern {
    match path {
        PathPattern::StringPrefix(prefix) if prefix == "/" => PathPattern::any(),
        path => path.clone(),
    }
}

fn path_rank(path: &PathPattern) -> (u8, i64) {
    match path {
        PathPattern::Exact(_) => (0, 0),
        every if canonical(every) == PathPattern::any() => (3, 0),
        PathPattern::SegmentPrefix(text) | PathPattern::StringPrefix(text) => {
            (1, i64::try_from(text.len()).unwrap_or(i64::MAX))
        }
        PathPattern::Regex(_) => (2, 0),
    }
}

/// "GET covers HEAD unless HEAD has its own entry": one of the same path, for all the hosts that this one is for.
fn takes(entry: &Entry<'_>, all: &[Entry<'_>], method: &str) -> bool {
    let head = (Atom::Method("HEAD".to_owned()), false);
    let own = all.iter().any(|other| {
        other.path == entry.path
            && other.spec.site == entry.spec.site
            && entry.hosts.iter().all(|host| other.hosts.iter().any(|wide| is_within(host, wide)))
            && other.methods.iter().flatten().any(|term| *term == head)
    });
    let cover = entry.cover && !own;
    entry.methods.iter().all(|any| {
        any.iter()
            .any(|(atom, not)| matches!(atom, Atom::Method(name) if method_is(name, method, cover) != *not))
    })
}

fn is_within(host: &HostPattern, wide: &HostPattern) -> bool {
    match (host, wide) {
        (HostPattern::Exact(host), wide) => wide.matches(host),
        (HostPattern::OneLabel(a) | HostPattern::AnyDepth(a), HostPattern::AnyDepth(b)) => {
            a == b || a.ends_with(&format!(".{b}"))
        }
        (host, wide) => host == wide || *wide == HostPattern::Any,
    }
}

const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

fn offered<'a>(entry: &'a Entry<'_>, all: &[Entry<'_>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = entry
        .methods
        .iter()
        .flatten()
        .filter_map(|(atom, not)| match atom {
            Atom::Method(name) if !not => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if names.is_empty() || names.contains(&"GET") {
        names.extend(USUAL);
    }
    names.retain(|name| takes(entry, all, name));
    names
}

/// Some branches of a rule ask for two methods at once.
fn is_possible(entry: &Entry<'_>, all: &[Entry<'_>]) -> bool {
    let named = entry.methods.iter().flatten().filter_map(|(atom, _)| match atom {
        Atom::Method(name) => Some(name.as_str()),
        _ => None,
    });
    named.chain(USUAL).chain(["OTHER"]).any(|method| takes(entry, all, method))
}

fn all_hold(others: &[Vec<Term>], request: &Request) -> bool {
    others.iter().all(|any| any.iter().any(|(atom, not)| atom_holds(atom, request) != *not))
}

fn path_matches(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(own) => own == path,
        PathPattern::SegmentPrefix(prefix) => {
            prefix.is_empty() || path == prefix || path.starts_with(&format!("{prefix}/"))
        }
        PathPattern::StringPrefix(prefix) => path.starts_with(prefix.as_str()),
        PathPattern::Regex(regex) => is_match(regex, path),
    }
}

fn atom_holds(atom: &Atom, request: &Request) -> bool {
    match atom {
        Atom::Host(host) => host.matches(&request.host),
        Atom::HostRegex(regex) => is_match(regex, &request.host),
        Atom::Path(path) => path_matches(&canonical(path), &request.path),
        Atom::Method(name) => *name == request.method,
        Atom::Header(field) => field_holds(field, &request.headers),
        Atom::Query(field) => field_holds(field, &parameters(&request.query)),
        Atom::ClientIp(net) => net.contains(&plain(request.client_ip)),
        Atom::PeerIp(net) => net.contains(&plain(request.peer_ip)),
        Atom::Tls(tls) => *tls == request.tls,
    }
}

fn field_holds(field: &FieldMatch, pairs: &[(String, String)]) -> bool {
    let mut values = pairs.iter().filter(|(name, _)| *name == field.name).map(|(_, value)| value);
    match &field.value {
        ValueMatch::Literal(wanted) => values.any(|value| value == wanted),
        ValueMatch::Regex(regex) => values.any(|value| is_match(regex, value)),
        ValueMatch::Present => values.next().is_some(),
        ValueMatch::Absent => values.next().is_none(),
    }
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn is_match(regex: &str, text: &str) -> bool {
    regex::Regex::new(regex).is_ok_and(|regex| regex.is_match(text))
}

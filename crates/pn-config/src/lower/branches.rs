//! Which hosts the branches of a rule belong to. The whole disjunctive form is made in `pn-core`; here only what
//! it says of hosts, so that a rule can be listed under its sites.

use pn_model::HostPattern;
use pn_model::limits::RULE_BRANCHES;
use pn_model::rule::{Atom, Expr};
use std::collections::BTreeSet;

/// The positive hosts of a branch: all of them hold of a request that the branch takes.
type Hosts = BTreeSet<HostPattern>;

/// The sites' hosts that some branch of the rule belongs to, each the narrowest of its branch; `Any` for branches
/// with no host. Branches whose hosts exclude each other take nothing and are left out.
///
/// `None` when the rule has too many branches.
pub(super) fn owners(expr: &Expr) -> Option<BTreeSet<HostPattern>> {
    let branches = branches(expr, true)?;
    Some(branches.iter().filter_map(narrowest).collect())
}

/// Branches by their hosts alone; equal ones are one.
fn branches(expr: &Expr, positive: bool) -> Option<BTreeSet<Hosts>> {
    match expr {
        Expr::Atom(Atom::Host(host)) if positive => Some(BTreeSet::from([Hosts::from([host.clone()])])),
        Expr::Atom(_) => Some(BTreeSet::from([Hosts::new()])),
        Expr::Not(inner) => branches(inner, !positive),
        Expr::And(parts) if positive => all(parts, positive),
        Expr::Or(parts) if !positive => all(parts, positive),
        Expr::And(parts) | Expr::Or(parts) => any(parts, positive),
    }
}

fn any(parts: &[Expr], positive: bool) -> Option<BTreeSet<Hosts>> {
    let mut union = BTreeSet::new();
    for part in parts {
        union.extend(branches(part, positive)?);
    }
    (union.len() <= RULE_BRANCHES).then_some(union)
}

fn all(parts: &[Expr], positive: bool) -> Option<BTreeSet<Hosts>> {
    let mut product = BTreeSet::from([Hosts::new()]);
    for part in parts {
        let more = branches(part, positive)?;
        let joined = product.iter().flat_map(|left| more.iter().map(move |right| left | right));
        product = joined.filter(|hosts| narrowest(hosts).is_some()).take(RULE_BRANCHES + 1).collect();
        if product.len() > RULE_BRANCHES {
            return None;
        }
    }
    Some(product)
}

/// The one host that lies within all others, `None` when there is none: then no request has them all.
fn narrowest(hosts: &Hosts) -> Option<HostPattern> {
    let Some(first) = hosts.first() else { return Some(HostPattern::Any) };
    let narrow = hosts.iter().fold(first, |narrow, host| if within(host, narrow) { host } else { narrow });
    hosts.iter().all(|host| within(narrow, host)).then(|| narrow.clone())
}

/// Whether every host of `inner` is one of `outer`.
pub(crate) fn within(inner: &HostPattern, outer: &HostPattern) -> bool {
    match (inner, outer) {
        (HostPattern::Exact(host), outer) => outer.matches(host),
        (HostPattern::OneLabel(a), HostPattern::OneLabel(b)) => a == b,
        (HostPattern::OneLabel(a) | HostPattern::AnyDepth(a), HostPattern::AnyDepth(b)) => {
            a == b || a.strip_suffix(b.as_str()).is_some_and(|head| head.ends_with('.'))
        }
        (_, HostPattern::Any) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, expected: &[&str]) {
        let owners = owners(&crate::rule::parse(rule).unwrap()).unwrap();
        let owners: Vec<_> = owners.iter().map(ToString::to_string).collect();
        assert_eq!(owners, expected, "{rule}");
    }

    #[test]
    fn branches_belong_to_the_narrowest_of_their_hosts() {
        check("Host(`a`)", &["a"]);
        check("Host(`a`) || Host(`b`)", &["a", "b"]);
        check("Host(`a`) && (Path(`/x`) || Path(`/y`))", &["a"]);
        check("(Host(`a`) || Host(`b`)) && Path(`/x`)", &["a", "b"]);
        check("Path(`/x`)", &["*"]);
        check("Host(`a`) || Path(`/x`)", &["a", "*"]);
        check("HostRegexp(`a`)", &["*"]);
        check("HostRegexp(`a`) && Host(`a`)", &["a"]);
        check("Host(`a.x`) && Host(`*.x`)", &["a.x"]);
        check("Host(`*.x`) && Host(`**.x`)", &["*.x"]);
        check("Host(`*.y.x`) && Host(`**.x`)", &["*.y.x"]);
        check("Host(`*`)", &["*"]);
        check("Host(`*`) && Host(`a`)", &["a"]);
        check("!Host(`a`)", &["*"]);
        check("!!Host(`a`)", &["a"]);
        check("!(Path(`/x`) || !Host(`a`))", &["a"]);
        check("Host(`a`) && Host(`b`)", &[]);
        check("Host(`*.x`) && Host(`*.y`)", &[]);
        check("(Host(`a`) || Host(`b`)) && (Host(`b`) || Host(`c`))", &["b"]);
    }

    #[test]
    fn too_many_branches() {
        let hosts = |from: usize, to: usize| {
            (from..to).map(|i| format!("Host(`h{i}`)")).collect::<Vec<_>>().join(" || ")
        };
        let of = |rule: &str| owners(&crate::rule::parse(rule).unwrap());
        assert_eq!(of(&hosts(0, 256)).unwrap().len(), 256);
        assert_eq!(of(&hosts(0, 257)), None);
        let crossed = (0..40).map(|_| "(Host(`a`) || Path(`/x`))").collect::<Vec<_>>().join(" && ");
        assert_eq!(of(&crossed).unwrap().len(), 2);
    }
}

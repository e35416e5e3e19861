//! One condition of a branch: whether a request meets it, and what can be said of two conditions without a request.

use super::RequestView;
use super::regex::Regex;
use super::value::{FieldTest, any_query_value};
use ipnet::IpNet;
use pn_model::HostPattern;
use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) test: Test,
    pub(super) negated: bool,
}

/// With several values any may match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Host(Vec<HostPattern>),
    HostRegex(Regex),
    Path(PathTest),
    Header(String, FieldTest),
    Query(String, FieldTest),
    ClientIp(Vec<IpNet>),
    PeerIp(Vec<IpNet>),
    Tls,
}

/// A path pattern that can be run. `Segment` holds `/a` for `/a/*`, and the empty string for every path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathTest {
    Exact(String),
    Segment(String),
    Prefix(String),
    Regex(Regex),
}

impl Condition {
    pub(super) fn plain(test: Test) -> Self {
        Self { test, negated: false }
    }

    pub(super) fn holds(&self, request: &impl RequestView) -> bool {
        self.test.holds(request) != self.negated
    }

    /// Whether every request that meets this one meets the other. `false` where it cannot be told.
    pub(super) fn implies(&self, other: &Self) -> bool {
        match (self.negated, other.negated) {
            (false, false) => other.test.contains(&self.test),
            (true, true) => self.test.contains(&other.test),
            (false, true) => self.test.is_disjoint(&other.test),
            (true, false) => false,
        }
    }

    /// Whether no request meets both. `false` where it cannot be told.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        match (self.negated, other.negated) {
            (false, false) => self.test.is_disjoint(&other.test),
            (false, true) => other.test.contains(&self.test),
            (true, false) => self.test.contains(&other.test),
            (true, true) => false,
        }
    }
}

impl Test {
    fn holds(&self, request: &impl RequestView) -> bool {
        match self {
            Self::Host(patterns) => patterns.iter().any(|pattern| pattern.matches(request.host())),
            Self::HostRegex(regex) => regex.is_match(request.host().as_bytes()),
            Self::Path(test) => test.matches(request.path()),
            Self::Header(name, test) => request.header(name).any(|value| test.matches(value)),
            Self::Query(name, test) => any_query_value(request.query(), name, test),
            Self::ClientIp(nets) => within(nets, request.client_ip()),
            Self::PeerIp(nets) => within(nets, request.peer_ip()),
            Self::Tls => request.is_tls(),
        }
    }

    /// Whether every request that meets the other meets this one.
    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Host(own), Self::Host(others)) => {
                others.iter().all(|b| own.iter().any(|a| host_contains(a, b)))
            }
            (Self::HostRegex(regex), Self::Host(others)) => others.iter().all(|b| match b {
                HostPattern::Exact(host) => regex.is_match(host.as_bytes()),
                _ => false,
            }),
            (Self::Path(own), Self::Path(other)) => own.contains(other),
            (Self::Header(name, own), Self::Header(other_name, other))
            | (Self::Query(name, own), Self::Query(other_name, other)) => {
                name == other_name && own.contains(other)
            }
            (Self::ClientIp(own), Self::ClientIp(others)) | (Self::PeerIp(own), Self::PeerIp(others)) => {
                others.iter().all(|b| own.iter().any(|a| a.contains(b)))
            }
            _ => self == other,
        }
    }

    /// Whether no request meets both. Fields and parameters may come twice, so two values of one can.
    fn is_disjoint(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Host(own), Self::Host(others)) => all_pairs(own, others, host_disjoint),
            (Self::HostRegex(regex), Self::Host(hosts)) | (Self::Host(hosts), Self::HostRegex(regex)) => {
                let missed = |host: &HostPattern| matches!(host, HostPattern::Exact(h) if !regex.is_match(h.as_bytes()));
                hosts.iter().all(missed)
            }
            (Self::Path(own), Self::Path(other)) => own.is_disjoint(other),
            (Self::ClientIp(own), Self::ClientIp(others)) | (Self::PeerIp(own), Self::PeerIp(others)) => {
                all_pairs(own, others, |a, b| !a.contains(b) && !b.contains(a))
            }
            _ => false,
        }
    }
}

impl PathTest {
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(own) => own == path,
            Self::Segment(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/')),
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Regex(regex) => regex.is_match(path.as_bytes()),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Segment(text) | Self::Prefix(text) => text,
            Self::Regex(regex) => regex.as_str(),
        }
    }

    pub(super) fn is_any(&self) -> bool {
        matches!(self, Self::Segment(prefix) if prefix.is_empty())
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            _ if self == other || self.is_any() => true,
            (_, Self::Exact(path)) => self.matches(path),
            (Self::Segment(_) | Self::Prefix(_), Self::Segment(prefix)) => self.matches(prefix),
            // `/ab` is under the string prefix `/a` but not under the segment prefix `/a`; `/a/b` is under both.
            (Self::Prefix(_), Self::Prefix(prefix)) => self.matches(prefix),
            (Self::Segment(own), Self::Prefix(prefix)) => {
                prefix.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            _ => false,
        }
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        match (self, other) {
            _ if self.is_any() || other.is_any() => false,
            (Self::Exact(path), test) | (test, Self::Exact(path)) => !test.matches(path),
            (Self::Regex(_), _) | (_, Self::Regex(_)) => false,
            (Self::Segment(_), Self::Segment(_)) => !self.contains(other) && !other.contains(self),
            (Self::Prefix(a), Self::Prefix(b)) => !a.starts_with(b.as_str()) && !b.starts_with(a.as_str()),
            // `/a` and `/a/..` against a string prefix: one must lie on the way of the other.
            (Self::Segment(segment), Self::Prefix(prefix))
            | (Self::Prefix(prefix), Self::Segment(segment)) => {
                let below = prefix.strip_prefix(segment.as_str()).is_some_and(|rest| rest.starts_with('/'));
                !segment.starts_with(prefix.as_str()) && !below
            }
        }
    }
}

fn within(nets: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    nets.iter().any(|net| net.contains(&address))
}

fn all_pairs<T>(a: &[T], b: &[T], holds: impl Fn(&T, &T) -> bool) -> bool {
    a.iter().all(|a| b.iter().all(|b| holds(a, b)))
}

/// Whether every host of `b` is one of `a`.
pub(super) fn host_contains(a: &HostPattern, b: &HostPattern) -> bool {
    match (a, b) {
        (HostPattern::Any, _) => true,
        (_, HostPattern::Exact(host)) => a.matches(host),
        (HostPattern::OneLabel(a), HostPattern::OneLabel(b)) => a == b,
        (HostPattern::AnyDepth(suffix), HostPattern::OneLabel(b) | HostPattern::AnyDepth(b)) => {
            suffix == b || a.matches(b)
        }
        _ => false,
    }
}

fn host_disjoint(a: &HostPattern, b: &HostPattern) -> bool {
    let apart = |suffix: &str, one: &HostPattern| match one {
        HostPattern::AnyDepth(own) => own != suffix && !one.matches(suffix),
        _ => true,
    };
    match (a, b) {
        (HostPattern::Any, _) | (_, HostPattern::Any) => false,
        (HostPattern::Exact(host), other) | (other, HostPattern::Exact(host)) => !other.matches(host),
        (HostPattern::OneLabel(x), HostPattern::OneLabel(y)) => x != y,
        (HostPattern::AnyDepth(x), HostPattern::AnyDepth(y)) => apart(x, b) && apart(y, a),
        // A host with one label before `x` is below `y` exactly when `x` is `y` or below it.
        (HostPattern::OneLabel(x), any @ HostPattern::AnyDepth(_))
        | (any @ HostPattern::AnyDepth(_), HostPattern::OneLabel(x)) => apart(x, any),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PathTest {
        if let Some(regex) = text.strip_prefix('~') {
            return PathTest::Regex(Regex::new(regex).unwrap());
        }
        match (text.strip_suffix("/*"), text.strip_suffix("...")) {
            (Some(prefix), _) => PathTest::Segment(prefix.into()),
            (_, Some(prefix)) => PathTest::Prefix(prefix.into()),
            _ => PathTest::Exact(text.into()),
        }
    }

    /// `>` contains, `<` is contained, `=` both, `|` disjoint, `x` neither.
    fn relation(forth: bool, back: bool, disjoint: bool) -> char {
        match (forth, back, disjoint) {
            (true, true, false) => '=',
            (true, false, false) => '>',
            (false, true, false) => '<',
            (false, false, true) => '|',
            (false, false, false) => 'x',
            _ => '!',
        }
    }

    #[test]
    fn paths_against_requests() {
        for (pattern, matched, missed) in [
            ("/a", "/a", "/a/ /ab /"),
            ("/a/*", "/a /a/ /a/b", "/ab / /b"),
            ("/*", "/ /a /a/b *", ""),
            ("/a...", "/a /ab /a/", "/ /b"),
            ("/a/...", "/a/ /a/b", "/a /ab"),
            ("~^/v[12]/", "/v1/ /v2/x", "/v3/ /a/v1/"),
            ("~v1", "/a/v1/b", "/v2"),
        ] {
            for request in matched.split_whitespace() {
                assert!(path(pattern).matches(request), "{pattern} takes {request}");
            }
            for request in missed.split_whitespace() {
                assert!(!path(pattern).matches(request), "{pattern} does not take {request}");
            }
        }
    }

    #[test]
    fn paths_against_paths() {
        for (a, b, expected) in [
            ("/a", "/a", '='),
            ("/a", "/b", '|'),
            ("/a/*", "/a", '>'),
            ("/a/*", "/a/b", '>'),
            ("/a/*", "/ab", '|'),
            ("/a/*", "/a/b/*", '>'),
            ("/a/*", "/ab/*", '|'),
            ("/*", "/a/*", '>'),
            ("/*", "~x", '>'),
            ("/a...", "/a/*", '>'),
            ("/a...", "/ab/*", '>'),
            ("/a...", "/ab...", '>'),
            ("/a...", "/b...", '|'),
            ("/a/*", "/ab...", '|'),
            ("/a/*", "/a/b...", '>'),
            ("/ab/*", "/a/...", '|'),
            ("/a/*", "/a/...", '>'),
            ("~x", "~x", '='),
            ("~x", "~y", 'x'),
            ("~x", "/x", '>'),
            ("~x", "/y", '|'),
            ("~x", "/x/*", 'x'),
        ] {
            let (a, b) = (path(a), path(b));
            let got = relation(a.contains(&b), b.contains(&a), a.is_disjoint(&b));
            assert_eq!(got, expected, "{a:?} {b:?}");
            assert_eq!(a.is_disjoint(&b), b.is_disjoint(&a), "{a:?} {b:?}");
        }
    }

    fn host(text: &str) -> HostPattern {
        match (text.strip_prefix("**."), text.strip_prefix("*.")) {
            (Some(suffix), _) => HostPattern::AnyDepth(suffix.into()),
            (_, Some(suffix)) => HostPattern::OneLabel(suffix.into()),
            _ if text == "*" => HostPattern::Any,
            _ => HostPattern::Exact(text.into()),
        }
    }

    #[test]
    fn hosts_against_hosts() {
        for (a, b, expected) in [
            ("a.x", "a.x", '='),
            ("a.x", "b.x", '|'),
            ("*.x", "a.x", '>'),
            ("*.x", "x", '|'),
            ("*.x", "a.b.x", '|'),
            ("**.x", "a.b.x", '>'),
            ("**.x", "x", '|'),
            ("**.x", "*.x", '>'),
            ("**.x", "*.b.x", '>'),
            ("**.x", "**.b.x", '>'),
            ("**.b.x", "*.x", '|'),
            ("*.x", "*.y", '|'),
            ("**.x", "**.y", '|'),
            ("**.x", "**.bx", '|'),
            ("*", "**.x", '>'),
        ] {
            let (a, b) = (host(a), host(b));
            let got = relation(host_contains(&a, &b), host_contains(&b, &a), host_disjoint(&a, &b));
            assert_eq!(got, expected, "{a} {b}");
        }
    }

    fn nets(text: &str) -> Test {
        Test::ClientIp(text.split(' ').map(|net| net.parse().unwrap()).collect())
    }

    fn field(value: FieldTest) -> Test {
        Test::Header("x".into(), value)
    }

    #[test]
    fn conditions_against_conditions() {
        let literal = |value: &str| field(FieldTest::Literal(value.into()));
        let regex = |text| field(FieldTest::Regex(Regex::new(text).unwrap()));
        for (a, not_a, b, not_b, implies, excludes) in [
            (nets("10.0.0.0/8"), false, nets("10.0.0.0/8 ::/0"), false, true, false),
            (nets("10.0.0.0/8"), false, nets("11.0.0.0/8"), false, false, true),
            (nets("10.0.0.0/8"), false, nets("10.1.0.0/16"), true, false, false),
            (nets("10.1.0.0/16"), false, nets("10.0.0.0/8"), true, false, true),
            (nets("10.0.0.0/8"), true, nets("10.1.0.0/16"), true, true, false),
            (literal("1"), false, literal("2"), false, false, false),
            (literal("1"), false, field(FieldTest::Present), false, true, false),
            (literal("1"), false, field(FieldTest::Present), true, false, true),
            (field(FieldTest::Present), true, literal("1"), true, true, false),
            (literal("1"), false, regex("^[0-9]$"), false, true, false),
            (literal("a"), false, regex("^[0-9]$"), false, false, false),
            (literal("1"), false, literal("1"), true, false, true),
            (Test::Tls, false, Test::Tls, true, false, true),
            (Test::Tls, true, Test::Tls, true, true, false),
        ] {
            let (a, b) = (Condition { test: a, negated: not_a }, Condition { test: b, negated: not_b });
            assert_eq!(a.implies(&b), implies, "{a:?} implies {b:?}");
            assert_eq!(a.excludes(&b), excludes, "{a:?} excludes {b:?}");
        }
    }
}

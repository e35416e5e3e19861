//! The matcher that tries every branch in rank order. It is the oracle of the compiled one, and the faster of the two
//! for a handful of rules.

use super::method::{self, MethodKey};
use super::rules::{Branch, HostEntry, Rules};
use super::{Lookup, RequestView};
use pn_model::HostPattern;
use pn_model::process::RulePriority;
use std::cmp::Reverse;

#[derive(Debug)]
pub(super) struct Sequential {
    mode: RulePriority,
    /// The narrowest pattern first.
    hosts: Box<[HostEntry]>,
    branches: Box<[Branch]>,
}

impl Sequential {
    pub(super) fn new(rules: &Rules) -> Self {
        let mut hosts = rules.hosts.clone();
        hosts.sort_by_key(|entry| breadth(&entry.pattern));
        Self { mode: rules.mode, hosts: hosts.into(), branches: rules.branches.clone().into() }
    }

    pub(super) fn site_of(&self, host: &str) -> Option<u32> {
        self.host(host).map(|entry| entry.site)
    }

    pub(super) fn lookup(&self, request: &impl RequestView) -> Lookup {
        let method = MethodKey::new(request.method());
        if self.mode == RulePriority::Length {
            let mut branches = self.branches.iter();
            let taken = branches.find(|one| {
                one.methods.takes(method) && one.host().holds(request) && path_and_conditions(one, request)
            });
            return match (taken, self.host(request.host())) {
                (Some(branch), _) => Lookup::Matched { route: branch.route },
                (None, Some(entry)) => Lookup::NoRoute { site: entry.site },
                (None, None) => Lookup::NoHost,
            };
        }
        let Some(entry) = self.host(request.host()) else { return Lookup::NoHost };
        for branch in self.branches.iter().filter(|one| one.scope == entry.scope) {
            if !takes_host(branch, request) || !path_and_conditions(branch, request) {
                continue;
            }
            if branch.methods.takes(method) {
                return Lookup::Matched { route: branch.route };
            }
            let mut same = self.entries(branch, request);
            if !same.any(|other| other.methods.takes(method)) {
                return Lookup::MethodNotAllowed { site: entry.site, allow: self.allow(branch, request) };
            }
        }
        Lookup::NoRoute { site: entry.site }
    }

    /// The branches of this one's path, for this host.
    fn entries<'a>(
        &'a self,
        branch: &'a Branch,
        request: &'a impl RequestView,
    ) -> impl Iterator<Item = &'a Branch> {
        self.branches.iter().filter(|one| one.pattern == branch.pattern && takes_host(one, request))
    }

    fn allow(&self, branch: &Branch, request: &impl RequestView) -> String {
        let open = self.entries(branch, request).filter(|one| path_and_conditions(one, request));
        method::allow(open.map(|one| &one.methods))
    }

    fn host(&self, host: &str) -> Option<&HostEntry> {
        self.hosts.iter().find(|entry| entry.pattern.matches(host))
    }
}

fn takes_host(branch: &Branch, request: &impl RequestView) -> bool {
    !branch.restricted || branch.host().holds(request)
}

fn path_and_conditions(branch: &Branch, request: &impl RequestView) -> bool {
    branch.path().matches(request.path()) && branch.conditions.iter().all(|one| one.holds(request))
}

/// Exact, then the longest suffix, of equal ones that of a single label, then everything.
fn breadth(pattern: &HostPattern) -> (u8, Reverse<usize>, u8) {
    match pattern {
        HostPattern::Exact(_) => (0, Reverse(0), 0),
        HostPattern::OneLabel(suffix) => (1, Reverse(suffix.len()), 0),
        HostPattern::AnyDepth(suffix) => (1, Reverse(suffix.len()), 1),
        HostPattern::Any => (2, Reverse(0), 0),
    }
}

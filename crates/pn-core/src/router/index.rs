//! Finds, for a branch, the branches whose host and path can have to do with its own, so that routes need not be
//! compared each with each.

use super::condition::{PathTest, Test, host_contains};
use super::rules::{Branch, Rules};
use ahash::HashMap;
use pn_model::HostPattern;
use pn_model::process::RulePriority;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Positions of branches in the slice that it was made of.
#[derive(Debug)]
pub(super) struct Index {
    /// By scope and text: exact paths and prefixes.
    texts: BTreeMap<(u32, String), Vec<usize>>,
    regexes: BTreeMap<u32, Vec<usize>>,
    /// For each scope those with a wider host, itself among them; and those with a narrower one.
    wider: HashMap<u32, Vec<u32>>,
    narrower: HashMap<u32, Vec<u32>>,
}

impl Index {
    pub(super) fn new(rules: &Rules, branches: &[Branch]) -> Self {
        let mut index = Self {
            texts: BTreeMap::new(),
            regexes: BTreeMap::new(),
            wider: HashMap::default(),
            narrower: HashMap::default(),
        };
        for (at, branch) in branches.iter().enumerate() {
            let list = match branch.path() {
                PathTest::Regex(_) => index.regexes.entry(branch.scope).or_default(),
                path => index.texts.entry((branch.scope, path.text().to_owned())).or_default(),
            };
            list.push(at);
        }
        if rules.mode == RulePriority::Length {
            index.nest(branches);
        }
        index
    }

    /// Only wildcards contain other hosts, and there are few.
    fn nest(&mut self, branches: &[Branch]) {
        let mut scopes: BTreeMap<u32, &HostPattern> = BTreeMap::new();
        for branch in branches {
            if let Test::Host(hosts) = &branch.host().test
                && let Some(host) = hosts.first()
            {
                scopes.insert(branch.scope, host);
            }
        }
        let wild: Vec<_> = scopes.iter().filter(|(_, host)| !matches!(host, HostPattern::Exact(_))).collect();
        for (scope, host) in &scopes {
            for (other, pattern) in &wild {
                if *other != scope && host_contains(pattern, host) {
                    self.wider.entry(*scope).or_default().push(**other);
                    self.narrower.entry(**other).or_default().push(*scope);
                }
            }
        }
    }

    /// Branches whose host and path may contain those of this one.
    pub(super) fn containing<'a>(&'a self, branch: &'a Branch) -> impl Iterator<Item = usize> + 'a {
        let scopes = self.with(&self.wider, branch.scope);
        scopes.flat_map(move |scope| self.above(scope, branch).chain(self.regexes(scope))).copied()
    }

    /// Branches whose host and path may have a request in common with this one.
    pub(super) fn meeting<'a>(&'a self, branch: &'a Branch) -> impl Iterator<Item = usize> + 'a {
        let narrower = self.narrower.get(&branch.scope).into_iter().flatten().copied();
        let scopes = self.with(&self.wider, branch.scope).chain(narrower);
        scopes
            .flat_map(move |scope| {
                self.above(scope, branch).chain(self.below(scope, branch)).chain(self.regexes(scope))
            })
            .copied()
    }

    fn with<'a>(&'a self, scopes: &'a HashMap<u32, Vec<u32>>, own: u32) -> impl Iterator<Item = u32> + 'a {
        std::iter::once(own).chain(scopes.get(&own).into_iter().flatten().copied())
    }

    fn regexes(&self, scope: u32) -> impl Iterator<Item = &usize> {
        self.regexes.get(&scope).into_iter().flatten()
    }

    /// Texts that are a prefix of this branch's, itself among them. A regex is under the empty prefix only.
    fn above<'a>(&'a self, scope: u32, branch: &'a Branch) -> impl Iterator<Item = &'a usize> + 'a {
        let text = match branch.path() {
            PathTest::Regex(_) => "",
            path => path.text(),
        };
        (0..=text.len())
            .filter_map(move |end| text.get(..end))
            .filter_map(move |prefix| self.texts.get(&(scope, prefix.to_owned())))
            .flatten()
    }

    /// Texts that this branch's is a proper prefix of; all of them when it is a regex.
    fn below<'a>(&'a self, scope: u32, branch: &'a Branch) -> impl Iterator<Item = &'a usize> + 'a {
        let text = match branch.path() {
            PathTest::Regex(_) => "",
            path => path.text(),
        };
        let from = Bound::Excluded((scope, text.to_owned()));
        self.texts
            .range((from, Bound::Unbounded))
            .take_while(move |((of, other), _)| *of == scope && other.starts_with(text))
            .flat_map(|(_, list)| list)
    }
}

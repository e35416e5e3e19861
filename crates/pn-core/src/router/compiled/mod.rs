//! The matcher for many rules: a host table, then a path index, then what is left of the conditions in rank order. Its
//! cost hardly grows with the number of rules; looking up allocates nothing but the value of `Allow`.
//!
//! Everything lies in a few flat arrays, a site's hosts and paths side by side in one text, so that a lookup among
//! thousands of sites touches a handful of cache lines.

mod build;
mod table;

use super::condition::Condition;
use super::method::{self, MethodKey, MethodSet};
use super::{Lookup, RequestView};
use pn_model::process::RulePriority;
use table::{Table, Text};

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Compiled {
    mode: RulePriority,
    exact: Table,
    one_label: Table,
    any_depth: Table,
    /// The scope of `*`, or [`NONE`].
    any: u32,
    scopes: Box<[Scope]>,
    nodes: Box<[Node]>,
    /// Nodes by text, of the scopes that have many.
    tables: Box<[Tables]>,
    entries: Box<[Entry]>,
    conditions: Box<[Condition]>,
    /// Methods of the entries that name uncommon ones.
    methods: Box<[MethodSet]>,
    text: Box<[u8]>,
}

/// Hosts that share their rules.
#[derive(Debug)]
struct Scope {
    site: u32,
    /// Nodes in the order of their texts.
    nodes: u32,
    nodes_end: u32,
    /// Where there are many nodes, their place in `tables`.
    table: u32,
    /// Entries whose path no text begins: regexes, and those that take every path.
    rest: u32,
    rest_end: u32,
    /// Groups follow each other in rank: exact path, longest prefix to shortest, the rest.
    orderly: bool,
}

/// The nodes of a scope by their texts.
#[derive(Debug)]
struct Tables {
    by_text: Table,
    /// Lengths of the texts, the longest first, and whether one of that length may end inside a segment.
    lengths: Box<[(usize, bool)]>,
}

/// A text that paths begin with, or are.
#[derive(Debug)]
struct Node {
    text: Text,
    /// The next shorter text of the scope that this one begins with.
    parent: u32,
    /// Entries for the exact path, then from `prefixes` on those for everything below.
    exact: u32,
    prefixes: u32,
    end: u32,
}

/// A branch.
#[derive(Debug)]
struct Entry {
    /// Place in the order of all branches.
    rank: u32,
    route: u32,
    pattern: u32,
    /// Bits of the known methods that it takes.
    known: u16,
    /// Of a prefix: that it ends where a segment does.
    segment: bool,
    /// The first condition is the host, as the scope has others.
    restricted: bool,
    /// Other methods: [`OTHERS_NONE`], [`OTHERS_ALL`], or a place in `methods`.
    others: u32,
    conditions: u32,
    conditions_end: u32,
}

const OTHERS_ALL: u32 = NONE;
const OTHERS_NONE: u32 = NONE - 1;

/// The entry that decides, and whether by its method.
struct Decision {
    entry: u32,
    group: (u32, u32),
    takes: bool,
    rank: u32,
}

impl Compiled {
    pub(super) fn site_of(&self, host: &str) -> Option<u32> {
        self.scope_of(host).map(|scope| scope.site)
    }

    pub(super) fn lookup(&self, request: &impl RequestView) -> Lookup {
        let found = match self.mode {
            RulePriority::Specificity => match self.scope_of(request.host()) {
                None => return Lookup::NoHost,
                Some(scope) => self.decide(scope, request, u32::MAX).ok_or(scope.site),
            },
            RulePriority::Length => match self.decide_by_length(request) {
                Some(decision) => Ok(decision),
                None => match self.scope_of(request.host()) {
                    None => return Lookup::NoHost,
                    Some(scope) => Err(scope.site),
                },
            },
        };
        match found {
            Err(site) => Lookup::NoRoute { site },
            Ok(decision) => self.answer(&decision, request),
        }
    }

    fn answer(&self, decision: &Decision, request: &impl RequestView) -> Lookup {
        match self.entry(decision.entry) {
            Some(entry) if decision.takes => Lookup::Matched { route: entry.route },
            Some(entry) => {
                let site = self.site_of(request.host()).unwrap_or_default();
                Lookup::MethodNotAllowed { site, allow: self.allow(entry, decision.group, request) }
            }
            None => Lookup::NoHost,
        }
    }

    /// Exact, then the longest wildcard, then `*`.
    fn scope_of(&self, host: &str) -> Option<&Scope> {
        let scope = self.exact.get(host.as_bytes(), &self.text).or_else(|| self.wildcards(host).next());
        self.scope(scope.unwrap_or(self.any))
    }

    /// Scopes of the wildcards that take the host, the longest first.
    fn wildcards<'a>(&'a self, host: &'a str) -> impl Iterator<Item = u32> + 'a {
        let longest = self.one_label.longest().max(self.any_depth.longest());
        let host = if longest == 0 { &[] } else { host.as_bytes() };
        let first = memchr::memchr(b'.', host).unwrap_or(host.len());
        // What is longer than every suffix is not even looked at.
        let from = first.max(host.len().saturating_sub(longest + 1));
        let dots = memchr::memchr_iter(b'.', host.get(from..).unwrap_or_default());
        dots.map(move |dot| from + dot).filter(|dot| *dot > 0).flat_map(move |dot| {
            let suffix = host.get(dot + 1..).unwrap_or_default();
            let one = (dot == first).then(|| self.one_label.get(suffix, &self.text)).flatten();
            one.into_iter().chain(self.any_depth.get(suffix, &self.text))
        })
    }

    /// Rank by length: every pattern that takes the host has a say.
    fn decide_by_length(&self, request: &impl RequestView) -> Option<Decision> {
        let host = request.host();
        let any = (self.any != NONE).then_some(self.any);
        let scopes =
            self.exact.get(host.as_bytes(), &self.text).into_iter().chain(self.wildcards(host)).chain(any);
        let mut best: Option<Decision> = None;
        for scope in scopes.filter_map(|scope| self.scope(scope)) {
            let limit = best.as_ref().map_or(u32::MAX, |best| best.rank);
            best = self.decide(scope, request, limit).or(best);
        }
        best
    }

    /// The first entry in rank, and below the limit, that decides what becomes of the request.
    fn decide(&self, scope: &Scope, request: &impl RequestView, mut limit: u32) -> Option<Decision> {
        let path = request.path().as_bytes();
        let method = MethodKey::new(request.method());
        let mut best = None;
        let mut next = self.longest(scope, path);
        while let Some(node) = next {
            let rest = path.get(node.text.len()..).unwrap_or_default();
            let exact = if rest.is_empty() { (node.exact, node.prefixes) } else { (0, 0) };
            // The text is one segment prefix, too, of what goes on with a slash.
            let boundary = matches!(rest, [] | [b'/', ..]);
            for (group, boundary) in [(exact, true), ((node.prefixes, node.end), boundary)] {
                if let Some(found) = self.decide_in(group, boundary, request, method, limit) {
                    if scope.orderly {
                        return Some(found);
                    }
                    limit = found.rank;
                    best = Some(found);
                }
            }
            next = self.node(node.parent);
        }
        self.decide_in((scope.rest, scope.rest_end), true, request, method, limit).or(best)
    }

    fn decide_in(
        &self,
        group: (u32, u32),
        boundary: bool,
        request: &impl RequestView,
        method: MethodKey<'_>,
        limit: u32,
    ) -> Option<Decision> {
        // Whether any entry of a pattern takes the method, for the pattern asked last.
        let mut asked: Option<(u32, bool)> = None;
        for (at, entry) in (group.0..).zip(self.entries_of(group)) {
            if entry.rank >= limit {
                return None;
            }
            let takes = self.takes(entry, method);
            // By length a missed method is a miss like any other.
            let out = (entry.segment && !boundary) || (!takes && self.mode == RulePriority::Length);
            if out || !self.holds(entry, request) {
                continue;
            }
            let decides = takes || {
                let taken = match asked {
                    Some((pattern, taken)) if pattern == entry.pattern => taken,
                    _ => self.is_taken(entry.pattern, group, request, method),
                };
                asked = Some((entry.pattern, taken));
                !taken
            };
            if decides {
                return Some(Decision { entry: at, group, takes, rank: entry.rank });
            }
        }
        None
    }

    /// The node with the longest text that the path begins with, of those that can have an entry for it.
    fn longest(&self, scope: &Scope, path: &[u8]) -> Option<&Node> {
        let Some(tables) = usize::try_from(scope.table).ok().and_then(|at| self.tables.get(at)) else {
            // A prefix of a text stands before it.
            let nodes = self.nodes.get(span((scope.nodes, scope.nodes_end)))?;
            return nodes.iter().rev().find(|node| path.starts_with(node.text.of(&self.text)));
        };
        tables.lengths.iter().find_map(|(length, inside)| {
            let (text, rest) = path.split_at_checked(*length)?;
            let ends_here = *inside || matches!(rest, [] | [b'/', ..]);
            let node = ends_here.then(|| tables.by_text.get(text, &self.text))??;
            self.node(node)
        })
    }

    fn takes(&self, entry: &Entry, method: MethodKey<'_>) -> bool {
        match (method.bit(), entry.others) {
            (0, OTHERS_ALL) => true,
            (0, OTHERS_NONE) => false,
            (0, at) => usize::try_from(at)
                .ok()
                .and_then(|at| self.methods.get(at))
                .is_some_and(|set| set.takes(method)),
            (bit, _) => entry.known & bit != 0,
        }
    }

    fn holds(&self, entry: &Entry, request: &impl RequestView) -> bool {
        entry.conditions == entry.conditions_end
            || self.conditions_of(entry).iter().all(|condition| condition.holds(request))
    }

    /// Whether any entry of the pattern, for this host, takes the method.
    fn is_taken(
        &self,
        pattern: u32,
        group: (u32, u32),
        request: &impl RequestView,
        method: MethodKey<'_>,
    ) -> bool {
        self.entries_of(group).iter().any(|entry| {
            entry.pattern == pattern && self.takes(entry, method) && self.is_here(entry, request)
        })
    }

    fn is_here(&self, entry: &Entry, request: &impl RequestView) -> bool {
        !entry.restricted || self.conditions_of(entry).first().is_some_and(|host| host.holds(request))
    }

    fn allow(&self, decisive: &Entry, group: (u32, u32), request: &impl RequestView) -> String {
        let open = self.entries_of(group).iter().filter(|entry| {
            entry.pattern == decisive.pattern && self.is_here(entry, request) && self.holds(entry, request)
        });
        let sets: Vec<_> = open.map(|entry| self.method_set(entry)).collect();
        method::allow(sets.iter())
    }

    fn method_set(&self, entry: &Entry) -> MethodSet {
        match entry.others {
            OTHERS_ALL => MethodSet::of_known(!entry.known).not(),
            OTHERS_NONE => MethodSet::of_known(entry.known),
            at => usize::try_from(at)
                .ok()
                .and_then(|at| self.methods.get(at).cloned())
                .unwrap_or_else(MethodSet::none),
        }
    }

    fn scope(&self, at: u32) -> Option<&Scope> {
        self.scopes.get(usize::try_from(at).ok()?)
    }

    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(at).ok()?)
    }

    fn entry(&self, at: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(at).ok()?)
    }

    fn entries_of(&self, group: (u32, u32)) -> &[Entry] {
        self.entries.get(span(group)).unwrap_or_default()
    }

    fn conditions_of(&self, entry: &Entry) -> &[Condition] {
        self.conditions.get(span((entry.conditions, entry.conditions_end))).unwrap_or_default()
    }
}

fn span((from, to): (u32, u32)) -> std::ops::Range<usize> {
    usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX)
}

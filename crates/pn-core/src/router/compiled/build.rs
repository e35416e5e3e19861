//! From ranked branches to the flat arrays. Runs when a graph is compiled, never on a request.

use super::table::{Table, Text};
use super::{Compiled, Entry, NONE, Node, OTHERS_ALL, OTHERS_NONE, Scope, Tables};
use crate::router::branch::path_rank;
use crate::router::condition::{Condition, PathTest};
use crate::router::method::MethodSet;
use crate::router::rules::{Branch, Rules};
use pn_model::HostPattern;
use std::collections::BTreeMap;

/// Up to so many nodes looking at each costs less than hashing the path once a length.
const FEW: usize = 6;

#[derive(Default)]
struct Arrays {
    scopes: Vec<Scope>,
    nodes: Vec<Node>,
    tables: Vec<Tables>,
    entries: Vec<Entry>,
    conditions: Vec<Condition>,
    methods: Vec<MethodSet>,
    text: Vec<u8>,
}

/// Branches of one text, each with its rank.
#[derive(Default)]
struct Group<'a> {
    exact: Vec<(u32, &'a Branch)>,
    prefixes: Vec<(u32, &'a Branch)>,
}

impl Compiled {
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut by_scope: Vec<Vec<(u32, &Branch)>> = vec![Vec::new(); rules.scopes.len()];
        for (rank, branch) in (0..).zip(&rules.branches) {
            if let Some(list) = by_scope.get_mut(index(branch.scope)) {
                list.push((rank, branch));
            }
        }
        let mut hosts: Vec<Vec<&HostPattern>> = vec![Vec::new(); rules.scopes.len()];
        for entry in &rules.hosts {
            if let Some(list) = hosts.get_mut(index(entry.scope)) {
                list.push(&entry.pattern);
            }
        }
        let mut arrays = Arrays::default();
        let mut names = [Vec::new(), Vec::new(), Vec::new()];
        let mut any = NONE;
        for (scope, (site, (hosts, branches))) in
            (0..).zip(rules.scopes.iter().zip(hosts.iter().zip(&by_scope)))
        {
            let [exact, one_label, any_depth] = &mut names;
            for host in hosts {
                let (list, name) = match host {
                    HostPattern::Exact(name) => (&mut *exact, name),
                    HostPattern::OneLabel(name) => (&mut *one_label, name),
                    HostPattern::AnyDepth(name) => (&mut *any_depth, name),
                    HostPattern::Any => {
                        any = scope;
                        continue;
                    }
                };
                list.push((Text::push(name, &mut arrays.text), scope));
            }
            arrays.scope(*site, branches);
        }
        let [exact, one_label, any_depth] = names.map(|names| Table::new(&names, &arrays.text));
        Self {
            mode: rules.mode,
            exact,
            one_label,
            any_depth,
            any,
            scopes: arrays.scopes.into(),
            nodes: arrays.nodes.into(),
            tables: arrays.tables.into(),
            entries: arrays.entries.into(),
            conditions: arrays.conditions.into(),
            methods: arrays.methods.into(),
            text: arrays.text.into(),
        }
    }
}

impl Arrays {
    fn scope(&mut self, site: u32, branches: &[(u32, &Branch)]) {
        let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
        let mut rest = Vec::new();
        for (rank, branch) in branches {
            match branch.path() {
                PathTest::Exact(text) => groups.entry(text).or_default().exact.push((*rank, branch)),
                PathTest::Segment(text) | PathTest::Prefix(text) if !text.is_empty() => {
                    groups.entry(text).or_default().prefixes.push((*rank, branch));
                }
                _ => rest.push((*rank, *branch)),
            }
        }
        let nodes = number(self.nodes.len());
        // The texts that the current one begins with, the longest last.
        let mut above: Vec<(&str, u32)> = Vec::new();
        for (text, group) in &groups {
            while above.pop_if(|(shorter, _)| !text.starts_with(*shorter)).is_some() {}
            let parent = above.last().map_or(NONE, |(_, node)| *node);
            above.push((text, number(self.nodes.len())));
            let (exact, prefixes) = (self.list(&group.exact), self.list(&group.prefixes));
            let piece = Text::push(text, &mut self.text);
            self.nodes.push(Node {
                text: piece,
                parent,
                exact: exact.0,
                prefixes: prefixes.0,
                end: prefixes.1,
            });
        }
        let (rest, rest_end) = self.list(&rest);
        let table = if groups.len() > FEW { self.table(nodes, &groups) } else { NONE };
        self.scopes.push(Scope {
            site,
            nodes,
            nodes_end: number(self.nodes.len()),
            table,
            rest,
            rest_end,
            orderly: is_orderly(branches),
        });
    }

    fn table(&mut self, nodes: u32, groups: &BTreeMap<&str, Group<'_>>) -> u32 {
        let mut lengths: BTreeMap<usize, bool> = BTreeMap::new();
        for (text, group) in groups {
            let inside =
                group.prefixes.iter().any(|(_, branch)| matches!(branch.path(), PathTest::Prefix(_)));
            *lengths.entry(text.len()).or_default() |= inside;
        }
        let texts = self.nodes.get(index(nodes)..).unwrap_or_default().iter().map(|node| node.text);
        let keys: Vec<_> = texts.zip(nodes..).collect();
        let by_text = Table::new(&keys, &self.text);
        self.tables.push(Tables { by_text, lengths: lengths.into_iter().rev().collect() });
        number(self.tables.len() - 1)
    }

    fn list(&mut self, branches: &[(u32, &Branch)]) -> (u32, u32) {
        let from = number(self.entries.len());
        for (rank, branch) in branches {
            let entry = self.entry(*rank, branch);
            self.entries.push(entry);
        }
        (from, number(self.entries.len()))
    }

    fn entry(&mut self, rank: u32, branch: &Branch) -> Entry {
        let conditions = number(self.conditions.len());
        if branch.restricted {
            self.conditions.push(branch.host().clone());
        }
        if matches!(branch.path(), PathTest::Regex(_)) {
            self.conditions.push(branch.path_fact().clone());
        }
        self.conditions.extend(branch.conditions.iter().cloned());
        let (known, others) = match branch.methods.split() {
            (known, Some(true)) => (known, OTHERS_ALL),
            (known, Some(false)) => (known, OTHERS_NONE),
            (known, None) => {
                self.methods.push(branch.methods.clone());
                (known, number(self.methods.len() - 1))
            }
        };
        Entry {
            rank,
            route: branch.route,
            pattern: branch.pattern,
            known,
            segment: matches!(branch.path(), PathTest::Segment(_)),
            restricted: branch.restricted,
            others,
            conditions,
            conditions_end: number(self.conditions.len()),
        }
    }
}

/// Whether no branch stands before one whose path would go first, as with one priority for all.
fn is_orderly(branches: &[(u32, &Branch)]) -> bool {
    branches.windows(2).all(|pair| match pair {
        [(_, a), (_, b)] => path_rank(a.path()) <= path_rank(b.path()),
        _ => true,
    })
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(NONE)
}

fn index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

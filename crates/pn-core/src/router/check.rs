//! How routes stand to each other: ambiguous, shadowed, or a way around a guard. Nothing here runs on a request.

use super::index::Index;
use super::method::MethodSet;
use super::rules::{Branch, Rules, impossible};
use super::{RouteError, RouteSpec};
use ahash::{HashMap, HashSet};
use pn_model::NodePath;
use pn_model::process::RulePriority;

/// What is wrong, and what is only doubtful.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<RouteError>,
    pub(super) warnings: Vec<RouteError>,
}

pub(super) fn check(rules: &Rules, specs: &[RouteSpec]) -> Findings {
    let checker = Checker { rules, specs, blocked: blocked(rules) };
    let mut findings = Findings { errors: checker.ambiguous(), warnings: Vec::new() };
    findings.errors.extend(checker.unguarded());
    let never = match rules.mode {
        RulePriority::Specificity => &mut findings.errors,
        RulePriority::Length => &mut findings.warnings,
    };
    never.extend(impossible(rules, specs).map(|spec| RouteError {
        at: spec.path.clone(),
        message: format!("route `{}` can never match: its conditions contradict each other", spec.name),
        help: None,
    }));
    never.extend(checker.shadowed());
    findings
}

struct Checker<'a> {
    rules: &'a Rules,
    specs: &'a [RouteSpec],
    /// By pattern: the methods that no entry takes, so that the answer is 405. Empty sets under rank by length.
    blocked: HashMap<u32, MethodSet>,
}

fn blocked(rules: &Rules) -> HashMap<u32, MethodSet> {
    let mut taken: HashMap<u32, MethodSet> = HashMap::default();
    for branch in &rules.branches {
        // An entry for some of the hosts may be missing for the others: only what the whole site has can block.
        let all = if branch.restricted { MethodSet::all() } else { branch.methods.clone() };
        let own = taken.entry(branch.pattern).or_insert_with(MethodSet::none);
        *own = own.or(&all);
    }
    let blocks = |taken: &MethodSet| match rules.mode {
        RulePriority::Specificity => taken.not(),
        RulePriority::Length => MethodSet::none(),
    };
    taken.iter().map(|(pattern, taken)| (*pattern, blocks(taken))).collect()
}

impl Checker<'_> {
    fn spec(&self, branch: &Branch) -> Option<&RouteSpec> {
        self.specs.get(branch.spec)
    }

    /// Branches of one route, in whichever sites, are no rivals.
    fn same_route(&self, a: &Branch, b: &Branch) -> bool {
        match (self.spec(a), self.spec(b)) {
            (Some(a), Some(b)) => a.path == b.path,
            _ => true,
        }
    }

    fn ambiguous(&self) -> Vec<RouteError> {
        let mut errors = Vec::new();
        let mut told = HashSet::default();
        for run in self.rules.branches.chunk_by(|a, b| self.rules.same_rank(a, b)) {
            if run.len() < 2 {
                continue;
            }
            let index = Index::new(self.rules, run);
            for (at, later) in run.iter().enumerate() {
                let rival = |other: &usize| {
                    *other < at
                        && run.get(*other).is_some_and(|earlier| {
                            !self.same_route(earlier, later) && overlap(earlier, later)
                        })
                };
                let first = index.meeting(later).filter(rival).min().and_then(|other| run.get(other));
                if let Some((a, b)) = first.and_then(|one| self.spec(one)).zip(self.spec(later))
                    && told.insert((&a.path, &b.path))
                {
                    errors.push(self.ambiguity(a, b));
                }
            }
        }
        errors
    }

    fn ambiguity(&self, earlier: &RouteSpec, later: &RouteSpec) -> RouteError {
        let why = match self.rules.mode {
            RulePriority::Specificity => "rank alike and can match the same request",
            RulePriority::Length => "are equally long and can match the same request",
        };
        RouteError {
            at: later.path.clone(),
            message: format!("routes {} and {} {why}", name(earlier), name(later)),
            help: Some("give the one that shall go first a higher `priority`".to_owned()),
        }
    }

    fn shadowed(&self) -> Vec<RouteError> {
        let index = Index::new(self.rules, &self.rules.branches);
        // For each route: who takes its requests, or nothing once a branch of it can win.
        let mut dead: HashMap<&NodePath, Option<&RouteSpec>> = HashMap::default();
        let mut order: Vec<&RouteSpec> = Vec::new();
        for (at, branch) in self.rules.branches.iter().enumerate() {
            let Some(spec) = self.spec(branch) else { continue };
            let taker = self.taker(&index, at, branch);
            match dead.entry(&spec.path) {
                std::collections::hash_map::Entry::Vacant(new) => {
                    order.push(spec);
                    new.insert(taker);
                }
                std::collections::hash_map::Entry::Occupied(mut known) if taker.is_none() => {
                    known.insert(None);
                }
                std::collections::hash_map::Entry::Occupied(_) => {}
            }
        }
        let error = |spec: &RouteSpec| {
            let taker = dead.get(&spec.path).copied().flatten()?;
            Some(RouteError {
                at: spec.path.clone(),
                message: format!(
                    "route {} can never win: {} goes first and takes every request of it",
                    name(spec),
                    name(taker)
                ),
                help: Some("give it a higher `priority`, or remove it".to_owned()),
            })
        };
        order.into_iter().filter_map(error).collect()
    }

    /// Of the branches that go first and together leave nothing to this one, the first.
    fn taker(&self, index: &Index, at: usize, branch: &Branch) -> Option<&RouteSpec> {
        let mut left = branch.methods.clone();
        let mut first = None;
        let mut wider: Vec<_> = index.containing(branch).filter(|other| *other < at).collect();
        wider.sort_unstable();
        for other in wider.into_iter().filter_map(|other| self.rules.branches.get(other)) {
            // At equal rank they are ambiguous, which is told elsewhere.
            if self.rules.same_rank(other, branch) || !covers(other, branch) {
                continue;
            }
            let rest = left.and(&self.closed(other).not());
            if rest != left {
                first = first.or_else(|| self.spec(other));
            }
            left = rest;
            if left.is_empty() {
                return first;
            }
        }
        None
    }

    /// The methods that get no further than this branch: those it takes, and those that are answered with 405.
    fn closed(&self, branch: &Branch) -> MethodSet {
        let blocked = self.blocked.get(&branch.pattern);
        blocked.map_or_else(|| branch.methods.clone(), |blocked| branch.methods.or(blocked))
    }

    /// Routes whose guard is lost when a request misses one of their conditions and falls to a later route.
    fn unguarded(&self) -> Vec<RouteError> {
        let mut errors = Vec::new();
        let mut told = HashSet::default();
        for (at, narrow) in self.rules.branches.iter().enumerate() {
            let Some(spec) = self.spec(narrow) else { continue };
            let missable = !narrow.conditions.is_empty()
                || (self.rules.mode == RulePriority::Length && !narrow.methods.is_all());
            if spec.guards.is_empty() || spec.fall_through || !missable {
                continue;
            }
            let later = self.rules.branches.get(at + 1..).unwrap_or_default();
            if let Some(wide) = self.open_way(narrow, spec, later)
                && told.insert((&spec.path, &wide.path))
            {
                errors.push(way_around(spec, wide));
            }
        }
        errors
    }

    /// The first later route that takes what misses a condition of this one, without its guards.
    fn open_way(&self, narrow: &Branch, spec: &RouteSpec, later: &[Branch]) -> Option<&RouteSpec> {
        let by_rank = self.rules.mode == RulePriority::Specificity;
        let mut left = if by_rank { narrow.methods.clone() } else { MethodSet::all() };
        for wide in later.iter().take_while(|wide| !by_rank || wide.scope == narrow.scope) {
            let apart = [narrow.host(), narrow.path_fact()]
                .into_iter()
                .any(|fact| wide.facts().any(|other| fact.excludes(other)));
            if apart || left.is_disjoint(&wide.methods) {
                continue;
            }
            let can_miss = narrow.conditions.iter().any(|one| !wide.facts().any(|fact| fact.implies(one)))
                || (!by_rank && !narrow.methods.contains(&wide.methods));
            let other = self.spec(wide)?;
            if can_miss && !self.same_route(narrow, wide) && !spec.guards.is_subset(&other.guards) {
                return Some(other);
            }
            let around = [narrow.host(), narrow.path_fact()];
            if wide.facts().all(|fact| around.iter().any(|known| known.implies(fact))) {
                left = left.and(&self.closed(wide).not());
            }
            if left.is_empty() {
                return None;
            }
        }
        None
    }
}

/// Whether some request meets both. Presumed where it cannot be told.
fn overlap(a: &Branch, b: &Branch) -> bool {
    !a.methods.is_disjoint(&b.methods) && !a.facts().any(|one| b.facts().any(|other| one.excludes(other)))
}

/// Whether every request of the narrow one meets the wide one, methods aside.
fn covers(wide: &Branch, narrow: &Branch) -> bool {
    wide.facts().all(|needed| narrow.facts().any(|known| known.implies(needed)))
}

fn way_around(narrow: &RouteSpec, wide: &RouteSpec) -> RouteError {
    let lost: Vec<_> = narrow.guards.difference(&wide.guards).map(|guard| format!("`{guard}`")).collect();
    RouteError {
        at: narrow.path.clone(),
        message: format!(
            "a request that misses a condition of route {} is served by {} without {}",
            name(narrow),
            name(wide),
            lost.join(", ")
        ),
        help: Some(format!(
            "add it to `use` of `{}`, or say `fall-through = true` in `{}` if that is meant",
            wide.path, narrow.path
        )),
    }
}

/// The name, and where it stands when that is not the same.
fn name(spec: &RouteSpec) -> String {
    let place = spec.path.to_string();
    if place == spec.name.as_str() { format!("`{place}`") } else { format!("`{}` ({place})", spec.name) }
}

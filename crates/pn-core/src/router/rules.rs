//! All branches of all routes, bound to their sites and put in rank order: what both matchers are built from.

use super::branch::{self, Draft, Drafter, path_rank};
use super::condition::{Condition, PathTest, Test};
use super::length::rule_length;
use super::method::MethodSet;
use super::{RouteError, RouteSpec, SiteSpec};
use ahash::{HashMap, HashSet};
use pn_model::process::RulePriority;
use pn_model::site::RouteMatch;
use pn_model::{HostPattern, NodePath};
use std::cmp::{Ordering, Reverse};

/// A conjunction that takes requests for one route.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) route: u32,
    /// The route as written: an index into the specs.
    pub(super) spec: usize,
    pub(super) scope: u32,
    /// Entries of one path pattern in one scope share it.
    pub(super) pattern: u32,
    /// Under rank by length: what Traefik would compare.
    priority: i64,
    /// Conditions beside host and path, as written.
    weight: usize,
    /// A `Test::Host`. Whether a request's host must be looked at depends on `restricted`.
    host: Condition,
    /// The scope has further hosts, which this branch does not take.
    pub(super) restricted: bool,
    /// A `Test::Path`.
    path: Condition,
    pub(super) methods: MethodSet,
    pub(super) conditions: Vec<Condition>,
}

impl Branch {
    pub(super) fn path(&self) -> &PathTest {
        static ANY: PathTest = PathTest::Segment(String::new());
        match &self.path.test {
            Test::Path(path) => path,
            _ => &ANY,
        }
    }

    pub(super) fn host(&self) -> &Condition {
        &self.host
    }

    pub(super) fn path_fact(&self) -> &Condition {
        &self.path
    }

    /// Everything it asks for but the method.
    pub(super) fn facts(&self) -> impl Iterator<Item = &Condition> {
        [&self.host, &self.path].into_iter().chain(&self.conditions)
    }

    /// What an exact path or a prefix says; regexes of any text rank alike.
    fn prefix(&self) -> &str {
        match self.path() {
            PathTest::Regex(_) => "",
            path => path.text(),
        }
    }
}

/// The hosts that a request's host can be found under.
#[derive(Debug, Clone)]
pub(super) struct HostEntry {
    pub(super) pattern: HostPattern,
    pub(super) site: u32,
    pub(super) scope: u32,
}

/// By rank: a scope is a site. By length: a scope is one host pattern, and branches of all scopes stand in one order.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) mode: RulePriority,
    pub(super) hosts: Vec<HostEntry>,
    /// Site of each scope.
    pub(super) scopes: Vec<u32>,
    /// By rank: scope by scope. By length: as Traefik orders them.
    pub(super) branches: Vec<Branch>,
}

impl Rules {
    /// Binds every branch. Errors are those of single routes; how routes stand to each other is `check`'s.
    pub(super) fn new(
        sites: &[SiteSpec],
        specs: &[RouteSpec],
        mode: RulePriority,
    ) -> (Self, Vec<RouteError>) {
        let mut binder = Binder::new(sites, mode);
        let mut drafter = Drafter::default();
        for (at, spec) in specs.iter().enumerate() {
            match drafter.drafts(spec) {
                Ok(drafts) => drafts.into_iter().for_each(|draft| binder.bind(at, spec, draft)),
                Err(error) => binder.errors.push(error),
            }
        }
        let branches = binder.branches();
        let rules = Self { mode, hosts: binder.hosts, scopes: binder.scopes, branches };
        (rules, binder.errors)
    }

    pub(super) fn none() -> Self {
        Self { mode: RulePriority::Specificity, hosts: Vec::new(), scopes: Vec::new(), branches: Vec::new() }
    }

    /// Whether both stand at the same place of the order, so that nothing but chance would decide.
    pub(super) fn same_rank(&self, a: &Branch, b: &Branch) -> bool {
        order(self.mode, a, b).is_eq()
    }
}

struct Binder<'a> {
    mode: RulePriority,
    sites: HashMap<u32, &'a SiteSpec>,
    hosts: Vec<HostEntry>,
    scopes: Vec<u32>,
    /// By length, the scope of each pattern; by rank, that of its site.
    scope_of: HashMap<HostPattern, u32>,
    bound: Vec<Bound>,
    errors: Vec<RouteError>,
}

/// A branch with its site, before all are known.
struct Bound {
    draft: Draft,
    branch: Branch,
    /// Whether `GET` may stand for `HEAD`.
    cover: bool,
}

impl<'a> Binder<'a> {
    fn new(sites: &'a [SiteSpec], mode: RulePriority) -> Self {
        let mut binder = Self {
            mode,
            sites: sites.iter().map(|site| (site.id, site)).collect(),
            hosts: Vec::new(),
            scopes: Vec::new(),
            scope_of: HashMap::default(),
            bound: Vec::new(),
            errors: Vec::new(),
        };
        for site in sites {
            let shared = (mode == RulePriority::Specificity).then(|| binder.scope(site.id));
            for pattern in &site.hosts {
                let scope = shared.unwrap_or_else(|| binder.scope(site.id));
                binder.host(pattern, site.id, scope);
            }
        }
        binder
    }

    fn scope(&mut self, site: u32) -> u32 {
        self.scopes.push(site);
        u32::try_from(self.scopes.len() - 1).unwrap_or(u32::MAX)
    }

    fn host(&mut self, pattern: &HostPattern, site: u32, scope: u32) {
        if self.scope_of.insert(pattern.clone(), scope).is_some() {
            self.errors.push(RouteError {
                at: NodePath::of(["sites", &pattern.to_string()]),
                message: format!("the host `{pattern}` belongs to two sites"),
                help: Some("a host has one site; put both under one `sites` table".to_owned()),
            });
        }
        self.hosts.push(HostEntry { pattern: pattern.clone(), site, scope });
    }

    fn bind(&mut self, at: usize, spec: &RouteSpec, draft: Draft) {
        let Some(site) = self.sites.get(&spec.site).copied() else { return };
        let rule = matches!(spec.matcher, RouteMatch::Rule { .. });
        if rule && !branch::belongs(draft.host.as_ref(), &site.hosts) {
            self.without_site(spec, draft.host.as_ref());
            return;
        }
        let hosts = match &draft.host {
            Some(host) => vec![host.clone()],
            None if rule && self.mode == RulePriority::Length => vec![HostPattern::Any],
            None => site.hosts.clone(),
        };
        match self.mode {
            RulePriority::Specificity => {
                let restricted = !branch::takes_whole_site(draft.host.as_ref(), &site.hosts);
                self.add(at, spec, draft, hosts, restricted);
            }
            RulePriority::Length => {
                for host in hosts {
                    self.add(at, spec, draft.clone(), vec![host], false);
                }
            }
        }
    }

    /// A branch that belongs elsewhere is listed there too; one that belongs nowhere is an error.
    fn without_site(&mut self, spec: &RouteSpec, host: Option<&HostPattern>) {
        let (message, help) = match host {
            Some(host) if self.scope_of.contains_key(host) => return,
            Some(host) => (
                format!("route `{}`: no site takes the host `{host}` of its rule", spec.name),
                format!("declare [sites.\"{host}\"]"),
            ),
            None if self.scope_of.contains_key(&HostPattern::Any) => return,
            None => (
                format!("route `{}`: a branch of its rule names no literal host", spec.name),
                "declare the site that takes every other host, [sites.\"*\"], or add Host(`..`) to the branch"
                    .to_owned(),
            ),
        };
        self.errors.push(RouteError { at: spec.path.clone(), message, help: Some(help) });
    }

    fn add(&mut self, at: usize, spec: &RouteSpec, draft: Draft, hosts: Vec<HostPattern>, restricted: bool) {
        let Some(scope) = hosts.first().and_then(|host| self.scope_of.get(host)).copied() else { return };
        let priority = match self.mode {
            RulePriority::Specificity => spec.priority,
            RulePriority::Length if spec.priority != 0 => spec.priority,
            RulePriority::Length => {
                rule_length(&spec.matcher, self.sites.get(&spec.site).map(|s| &s.hosts[..]))
            }
        };
        let branch = Branch {
            route: spec.id,
            spec: at,
            scope,
            pattern: 0,
            priority,
            weight: draft.weight,
            host: Condition::plain(Test::Host(hosts)),
            restricted,
            path: Condition::plain(Test::Path(draft.path.clone())),
            methods: MethodSet::all(),
            conditions: draft.conditions.clone(),
        };
        // In Traefik GET does not stand for HEAD.
        let cover =
            self.mode == RulePriority::Specificity || matches!(spec.matcher, RouteMatch::Native { .. });
        self.bound.push(Bound { draft, branch, cover });
    }

    /// Everything that needs all branches: pattern numbers, whether `GET` covers `HEAD`, the order.
    fn branches(&mut self) -> Vec<Branch> {
        let mut all = std::mem::take(&mut self.bound);
        number_patterns(&mut all);
        let mut head: HashMap<u32, Vec<Condition>> = HashMap::default();
        for one in all.iter().filter(|one| one.draft.names_head()) {
            head.entry(one.branch.pattern).or_default().push(one.branch.host.clone());
        }
        let finish = |Bound { draft, mut branch, cover }: Bound| {
            // An entry of its own for HEAD counts where it is for all the hosts of this one.
            let mut owners = head.get(&branch.pattern).into_iter().flatten();
            let own = owners.any(|host| branch.host.implies(host));
            branch.methods = draft.method_set(cover && !own);
            (!branch.methods.is_empty()).then_some(branch)
        };
        let mut branches: Vec<_> = all.into_iter().filter_map(finish).collect();
        branches.sort_by(|a, b| order(self.mode, a, b).then(a.spec.cmp(&b.spec)));
        branches
    }
}

fn number_patterns(all: &mut [Bound]) {
    let mut numbers: HashMap<(u32, u8, String), u32> = HashMap::default();
    for Bound { branch, .. } in all {
        let kind = match branch.path() {
            PathTest::Exact(_) => 0,
            PathTest::Segment(_) => 1,
            PathTest::Prefix(_) => 2,
            PathTest::Regex(_) => 3,
        };
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let key = (branch.scope, kind, branch.path().text().to_owned());
        branch.pattern = *numbers.entry(key).or_insert(next);
    }
}

/// By rank: priority, then exact path, longest prefix, regex, every path, then more conditions before fewer. Prefixes of one
/// length that differ never meet, so their text may stand between: the entries of one text are then neighbours.
fn order(mode: RulePriority, a: &Branch, b: &Branch) -> Ordering {
    let priority = b.priority.cmp(&a.priority);
    if mode == RulePriority::Length {
        return priority;
    }
    a.scope
        .cmp(&b.scope)
        .then(priority)
        .then_with(|| path_rank(a.path()).cmp(&path_rank(b.path())))
        .then_with(|| a.prefix().cmp(b.prefix()))
        .then_with(|| Reverse(a.weight).cmp(&Reverse(b.weight)))
}

/// The routes of which no branch is left, as every one contradicts itself.
pub(super) fn impossible<'s>(rules: &Rules, specs: &'s [RouteSpec]) -> impl Iterator<Item = &'s RouteSpec> {
    let alive: HashSet<NodePath> = rules
        .branches
        .iter()
        .filter_map(|branch| specs.get(branch.spec).map(|spec| spec.path.clone()))
        .collect();
    specs.iter().filter(move |spec| !alive.contains(&spec.path))
}

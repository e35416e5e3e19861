//! A world in which the schedule runs: nodes with clocks that jump and processes that die, one storage, CAs that have bad
//! days. All that happens is drawn from one seed. What must hold is checked while it happens.

use super::parts::{Ari, Authority, Rng, START, Scenario, Store, ask, faults};
use crate::Time;
use crate::life::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// As looks at the storage change nothing between them, fewer than in earnest.
const PACE: Pace = Pace { visits: 64, recheck: 3 * HOUR, recheck_missing: HOUR };
/// Between checks of all certificates.
const CHECK: u64 = HOUR / 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick(usize),
    JobEnds(usize, u64),
    Jump(usize, i64),
    Dies(usize),
    Starts(usize),
}

struct Node {
    planner: Planner,
    offset: i64,
    jobs: BTreeMap<u64, Job>,
    tick: Time,
    up: bool,
}

struct Job {
    visit: Visit,
    attempt: Attempt,
    before: Facts,
}

pub(super) struct World {
    scenario: Scenario,
    rng: Rng,
    now: Time,
    store: Store,
    authorities: BTreeMap<String, Authority>,
    nodes: Vec<Node>,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    count: u64,
    demands: Vec<Demand>,
    /// When a clock or process last was not as it should be.
    upset: Time,
    checked: Time,
    stored: BTreeMap<CertificateId, Vec<Time>>,
    pub(super) moments_without: u64,
}

const PRIMARY: &str = "https://one.example/dir";
const STAGING: &str = "https://staging.one.example/dir";
const SECOND: &str = "https://two.example/dir";

pub(super) fn demand(name: &str, throttle: Throttle, fallback: bool) -> Demand {
    let source = |directory: &str, staging: Option<&str>| Source {
        issuer: directory.into(),
        directory: directory.to_owned(),
        staging: staging.map(str::to_owned),
        throttle,
    };
    let mut issuers = vec![source(PRIMARY, Some(STAGING))];
    issuers.extend(fallback.then(|| source(SECOND, None)));
    Demand::new(vec![name.to_owned()], issuers)
}

impl World {
    pub(super) fn new(scenario: Scenario) -> Self {
        let mut rng = Rng(scenario.seed);
        let names = (0..scenario.certificates).map(|i| format!("site{i}.example"));
        let demands: Vec<Demand> =
            names.map(|name| demand(&name, scenario.throttle, scenario.fallback)).collect();
        let authorities = [PRIMARY, STAGING, SECOND].map(|directory| {
            let mut authority = Authority::default();
            let draw = |rng: &mut Rng| faults(&scenario, rng);
            authority.down = draw(&mut rng);
            authority.limits = draw(&mut rng);
            // The second refuses nothing, so that a fallback can help.
            authority.refuses = if directory == SECOND { Vec::new() } else { draw(&mut rng) };
            (directory.to_owned(), authority)
        });
        let mut world = Self {
            rng,
            now: START,
            store: Store::default(),
            authorities: authorities.into(),
            nodes: Vec::new(),
            events: BinaryHeap::new(),
            count: 0,
            demands,
            upset: START,
            checked: START,
            stored: BTreeMap::new(),
            moments_without: 0,
            scenario,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        for node in 0..self.scenario.nodes {
            self.nodes.push(Node {
                planner: Planner::new(PACE),
                offset: 0,
                jobs: BTreeMap::new(),
                tick: 0,
                up: false,
            });
            self.at(self.now, Event::Starts(node));
            if self.scenario.faults == 0 {
                continue;
            }
            for death in faults(&self.scenario, &mut self.rng) {
                self.at(death.start, Event::Dies(node));
                self.at(death.end, Event::Starts(node));
            }
            if self.scenario.clock_jumps {
                for jump in faults(&self.scenario, &mut self.rng) {
                    let far = [HOUR, DAY, 40 * DAY, 3_000 * DAY][self.rng.below(4) as usize].cast_signed();
                    let by = if self.rng.below(2) == 0 { far } else { -far };
                    self.at(jump.start, Event::Jump(node, by));
                    self.at(jump.end, Event::Jump(node, 0));
                }
            }
        }
    }

    fn at(&mut self, time: Time, event: Event) {
        self.count += 1;
        self.events.push(Reverse((time, self.count, event)));
    }

    pub(super) fn run(&mut self) {
        let end = START + self.scenario.days * DAY;
        while let Some(Reverse((time, _, event))) = self.events.pop()
            && time <= end
        {
            self.now = time;
            self.happens(event);
            if self.checked + CHECK <= time {
                self.checked = time;
                self.check_validity();
            }
        }
    }

    pub(super) fn orders(&self) -> usize {
        self.authorities.values().map(|authority| authority.orders.len()).sum()
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Tick(node) => {
                if self.nodes[node].up && self.nodes[node].tick == self.now {
                    self.tick(node);
                }
            }
            Event::JobEnds(node, job) => {
                if let Some(job_done) = self.nodes[node].jobs.remove(&job) {
                    self.job_ends(node, job, job_done);
                    self.tick(node);
                }
            }
            Event::Jump(node, offset) => {
                self.nodes[node].offset = offset;
                self.upset = self.now;
                if self.nodes[node].up {
                    self.tick(node);
                }
            }
            Event::Dies(node) => {
                self.nodes[node].up = false;
                self.nodes[node].jobs.clear();
                self.upset = self.now;
            }
            Event::Starts(node) => {
                let now = self.clock(node);
                let mut planner = Planner::new(PACE);
                planner.demand(self.demands.clone(), now);
                self.nodes[node].planner = planner;
                self.nodes[node].up = true;
                // All may have been down for days.
                self.upset = self.now;
                self.tick(node);
            }
        }
    }

    fn clock(&self, node: usize) -> Time {
        self.now.saturating_add_signed(self.nodes[node].offset)
    }

    fn tick(&mut self, node: usize) {
        let now = self.clock(node);
        for _ in 0..100 {
            let visits = self.nodes[node].planner.visits(now);
            if visits.is_empty() {
                self.sleep(node);
                return;
            }
            visits.into_iter().for_each(|visit| self.visit(node, visit));
        }
        panic!("a tight loop at node {node}: {:?}", self.nodes[node].planner.plans(now));
    }

    fn sleep(&mut self, node: usize) {
        let now = self.clock(node);
        let Some(wake) = self.nodes[node].planner.wake_at() else { return };
        assert!(wake > now, "seed {}: nothing to do, and yet no sleep", self.scenario.seed);
        let tick = self.now + (wake - now);
        self.nodes[node].tick = tick;
        self.at(tick, Event::Tick(node));
    }

    fn visit(&mut self, node: usize, visit: Visit) {
        let now = self.clock(node);
        let id = visit.demand.id.clone();
        self.count += 1;
        let job = self.count;
        if self.scenario.faults > 0 && self.rng.below(500) == 0 {
            return self.nodes[node].planner.put_off(&visit, PutOff::Trouble("disk full".into()), now);
        }
        if visit.kind == VisitKind::Look {
            return self.nodes[node].planner.visited(&visit, self.store.load(&id), now);
        }
        if !self.store.lock(&id, job, self.now) {
            return self.nodes[node].planner.put_off(&visit, PutOff::Elsewhere, now);
        }
        let facts = self.store.load(&id);
        match self.nodes[node].planner.decide(&visit, &facts, now) {
            Decision::Obtain(attempt) => self.order(node, job, visit, attempt, facts),
            decision => {
                let asks = decision == Decision::Ask;
                if let Some(held) = self.store.held.get_mut(&id).filter(|_| asks) {
                    ask(held, self.scenario.ari, now, &mut self.rng);
                }
                self.store.unlock(&id, job);
                self.nodes[node].planner.visited(&visit, self.store.load(&id), now);
            }
        }
    }

    fn order(&mut self, node: usize, job: u64, visit: Visit, attempt: Attempt, facts: Facts) {
        let now = self.clock(node);
        let id = visit.demand.id.clone();
        let throttle = self.scenario.throttle;
        let slots = self.store.slots.entry(attempt.directory.clone()).or_default();
        if let Err(until) = slots.take(throttle, now) {
            self.store.unlock(&id, job);
            return self.nodes[node].planner.put_off(&visit, PutOff::Throttled(until), now);
        }
        self.store.tries.insert(id.clone(), facts.tries.begun(&id, facts.held.as_ref(), now));
        self.check_order(&attempt.directory, &id);
        let lasts = 1 + self.rng.below(60);
        self.nodes[node].jobs.insert(job, Job { visit, attempt, before: facts });
        self.at(self.now + lasts, Event::JobEnds(node, job));
    }

    fn job_ends(&mut self, node: usize, job: u64, done: Job) {
        let now = self.clock(node);
        let Job { visit, attempt, before } = done;
        let demand = &visit.demand;
        let id = demand.id.clone();
        let authority = self.authorities.get_mut(&attempt.directory).unwrap();
        let answer = authority.answer(self.now, &mut self.rng);
        if !self.store.owns(&id, job) {
            return self.nodes[node].planner.put_off(&visit, PutOff::Trouble("lost".into()), now);
        }
        let held = before.held.as_ref();
        let tries = match answer {
            Ok(()) if attempt.staging => before.tries.rehearsed(demand, &attempt, now),
            Ok(()) => {
                self.issue(&id, &attempt.directory, now);
                Tries::default()
            }
            Err(failure) => {
                // Retry-After is an interval: the node adds it to its own clock.
                let retry_after =
                    failure.retry_after.map(|until| until.saturating_add_signed(self.nodes[node].offset));
                let failure = Failure { retry_after, ..failure };
                before.tries.failed(demand, held, &attempt, &failure, now)
            }
        };
        self.store.tries.insert(id.clone(), tries);
        self.store.unlock(&id, job);
        self.nodes[node].planner.visited(&visit, self.store.load(&id), now);
    }

    fn issue(&mut self, id: &CertificateId, directory: &str, obtained_at: Time) {
        let stored = self.stored.entry(id.clone()).or_default();
        let apart = (self.scenario.life * DAY / 6).min(6 * HOUR);
        if let Some(last) = stored.last()
            && self.upset + 2 * DAY < self.now
        {
            let since = self.now - last;
            assert!(since + 10 >= apart, "seed {}: {id} again after {since} s", self.scenario.seed);
        }
        stored.push(self.now);
        let held = Held {
            directory: directory.to_owned(),
            not_before: self.now - HOUR,
            not_after: self.now + self.scenario.life * DAY,
            obtained_at,
            fits: true,
            window: None,
            ask_at: (self.scenario.ari != Ari::None).then_some(obtained_at),
            serial: stored.len().to_string(),
            revoked: false,
        };
        self.store.held.insert(id.clone(), held);
    }

    /// Never more than the throttle allows, and never a tight loop for one certificate.
    fn check_order(&mut self, directory: &str, id: &CertificateId) {
        let Scenario { throttle, seed, .. } = self.scenario;
        let (now, steady) = (self.now, self.upset + HOUR < self.now && self.clocks_agree());
        let orders = &mut self.authorities.get_mut(directory).unwrap().orders;
        orders.push((now, id.clone()));
        let recent = |within: u64| {
            orders.iter().rev().take_while(move |(time, _)| *time + within > now).collect::<Vec<_>>()
        };
        let stretch = recent(throttle.per).len();
        assert!(
            !steady || stretch <= throttle.orders as usize,
            "seed {seed}: {stretch} orders at {directory}"
        );
        let own = recent(HOUR).iter().filter(|(_, other)| other == id).count();
        assert!(own <= 28, "seed {seed}: {own} orders for {id} at {directory} in an hour");
    }

    fn clocks_agree(&self) -> bool {
        self.nodes.iter().filter(|node| node.up).all(|node| node.offset == 0)
    }

    /// After a day and a half without faults each certificate is there. Before that, one that is not has a reason and a
    /// next try.
    fn check_validity(&mut self) {
        let (now, seed) = (self.now, self.scenario.seed);
        let well = self.authorities[PRIMARY].well_since(now);
        let steady = self.clocks_agree() && self.nodes.iter().any(|node| node.up);
        let calm = steady && well.is_some_and(|since| since.max(self.upset) + 36 * HOUR < now);
        let lacking: BTreeSet<CertificateId> = self
            .demands
            .iter()
            .filter(|demand| !self.store.held.get(&demand.id).is_some_and(|held| held.is_valid(now)))
            .map(|demand| demand.id.clone())
            .collect();
        if lacking.is_empty() {
            return;
        }
        let lost = lacking.iter().find(|id| self.store.held.contains_key(*id));
        self.moments_without += u64::from(lost.is_some());
        assert!(!(self.scenario.never_ends && lost.is_some()), "seed {seed}: {lost:?} ended");
        assert!(!calm, "seed {seed}: {lacking:?} missing after a day and a half of calm at {now}");
        self.check_reasons(&lacking);
    }

    fn check_reasons(&mut self, lacking: &BTreeSet<CertificateId>) {
        let seed = self.scenario.seed;
        for node in 0..self.nodes.len() {
            let now = self.clock(node);
            if !self.nodes[node].up || self.nodes[node].offset != 0 {
                continue;
            }
            let plans = self.nodes[node].planner.plans(now);
            for plan in plans.iter().filter(|plan| !plan.busy && lacking.contains(&plan.demand.id)) {
                assert!(plan.at <= now + 8 * DAY, "seed {seed}: no try before {} s", plan.at - now);
                let Some(facts) = &plan.facts else { continue };
                let failed = facts.tries.failures > 0 || facts.tries.at.is_some();
                assert!(!failed || facts.tries.last_error.is_some(), "seed {seed}: no reason: {plan:?}");
            }
        }
    }
}

//! The planner, step by step.

use super::parts::START;
use super::sim::demand;
use crate::life::*;
use std::time::Duration;

fn planner(names: &[&str]) -> (Planner, Vec<Demand>) {
    let throttle = Throttle::new(2, Duration::from_secs(10));
    let demands: Vec<Demand> = names.iter().map(|name| demand(name, throttle, true)).collect();
    let mut planner = Planner::new(Pace::default());
    planner.demand(demands.clone(), START);
    (planner, demands)
}

fn held(days: u64) -> Option<Held> {
    Some(Held {
        directory: "https://one.example/dir".to_owned(),
        not_before: START - HOUR,
        not_after: START + days * DAY,
        obtained_at: START,
        fits: true,
        window: None,
        ask_at: None,
        serial: days.to_string(),
        revoked: false,
    })
}

fn only(planner: &mut Planner, now: Time) -> Visit {
    let mut visits = planner.visits(now);
    assert_eq!(visits.len(), 1, "{visits:?}");
    visits.remove(0)
}

fn refused(message: &str) -> Failure {
    Failure { kind: FailureKind::Refused, retry_after: None, message: message.to_owned() }
}

/// Where the next try goes and how long after `now`.
fn next_try(planner: &mut Planner, visit: &Visit, facts: &Facts, now: Time) -> (Attempt, u64) {
    match planner.decide(visit, facts, now) {
        Decision::Obtain(attempt) => (attempt, 0),
        Decision::Wait { until, .. } => match planner.decide(visit, facts, until) {
            Decision::Obtain(attempt) => (attempt, until - now),
            other => panic!("{other:?}"),
        },
        Decision::Ask => panic!("asks"),
    }
}

#[test]
fn a_failure_goes_through_the_issuers_then_rehearses_after_a_pause() {
    let (mut planner, demands) = planner(&["a.example"]);
    let demand = &demands[0];
    let visit = only(&mut planner, START);
    let mut facts = Facts::default();
    let mut seen = Vec::new();
    let mut now = START;
    for _ in 0..6 {
        let (attempt, pause) = next_try(&mut planner, &visit, &facts, now);
        now += pause;
        let host =
            attempt.directory.trim_start_matches("https://").trim_end_matches(".example/dir").to_owned();
        seen.push((host, pause / MINUTE));
        facts.tries = facts.tries.failed(demand, None, &attempt, &refused("no"), now);
    }
    let seen: Vec<_> = seen.iter().map(|(host, pause)| (host.as_str(), *pause)).collect();
    assert_eq!(
        seen,
        [("one", 0), ("two", 0), ("staging.one", 1), ("two", 0), ("staging.one", 2), ("two", 0)]
    );
    assert_eq!(facts.tries.failures, 3);
}

#[test]
fn a_rehearsal_that_works_is_followed_by_the_real_thing_at_once() {
    let (mut planner, demands) = planner(&["a.example"]);
    let (demand, visit) = (&demands[0], only(&mut planner, START));
    let mut facts = Facts { held: held(29), ..Facts::default() };
    facts.held.as_mut().unwrap().not_before = START - 61 * DAY;
    facts.held.as_mut().unwrap().obtained_at = START - 61 * DAY;
    let now = START;
    let (first, _) = next_try(&mut planner, &visit, &facts, now);
    assert!(!first.staging && first.replaces);
    facts.tries = facts.tries.failed(demand, facts.held.as_ref(), &first, &refused("no"), now);
    let (second, pause) = next_try(&mut planner, &visit, &facts, now);
    assert!(
        second.staging && pause >= MINUTE,
        "the other issuer is left alone: the certificate is good for long"
    );
    facts.tries = facts.tries.rehearsed(demand, &second, now + pause);
    let (third, pause) = next_try(&mut planner, &visit, &facts, now + pause);
    assert_eq!((third.staging, third.directory.as_str(), pause), (false, "https://one.example/dir", 0));
}

#[test]
fn who_asks_for_patience_is_left_alone() {
    let (mut planner, demands) = planner(&["a.example"]);
    let (demand, visit) = (&demands[0], only(&mut planner, START));
    let limited = |after: u64| Failure {
        kind: FailureKind::RateLimited,
        retry_after: Some(START + after),
        message: "slow down".to_owned(),
    };
    let mut facts = Facts::default();
    let (first, _) = next_try(&mut planner, &visit, &facts, START);
    facts.tries = facts.tries.failed(demand, None, &first, &limited(3 * HOUR), START);
    let (second, pause) = next_try(&mut planner, &visit, &facts, START);
    assert_eq!((second.issuer, pause), (1, 0));
    facts.tries = facts.tries.failed(demand, None, &second, &limited(2 * HOUR), START);
    let (third, pause) = next_try(&mut planner, &visit, &facts, START);
    assert_eq!((third.issuer, pause), (1, 2 * HOUR), "no sooner than either allows, and no rehearsal");
    let forever = facts.tries.failed(demand, None, &third, &limited(400 * DAY), START);
    assert!(forever.held_back.values().all(|until| *until <= START + 7 * DAY));
}

#[test]
fn a_change_touches_what_it_names_and_forgets_what_it_drops() {
    let (mut planner, mut demands) = planner(&["a.example", "b.example"]);
    for visit in planner.visits(START) {
        planner.visited(&visit, Facts { held: held(90), ..Facts::default() }, START);
    }
    assert!(planner.visits(START).is_empty());
    let dropped = demands.remove(0);
    let throttle = Throttle::new(2, Duration::from_secs(10));
    demands.push(demand("c.example", throttle, true));
    assert_eq!(planner.demand(demands, START + 1), [dropped.id]);
    assert_eq!(only(&mut planner, START + 1).demand.names, ["c.example"]);
    let wake = planner.wake_at().unwrap();
    assert!(wake > START && wake <= START + 11 * MINUTE, "the other is looked at as before");
}

#[test]
fn what_has_nothing_goes_before_what_is_renewed_and_all_wait_for_the_throttle() {
    let (mut planner, demands) = planner(&["a.example", "b.example", "c.example", "d.example"]);
    let now = START;
    let mut old = held(1).unwrap();
    (old.not_before, old.obtained_at) = (START - 20 * DAY, START - 20 * DAY);
    for visit in planner.visits(now) {
        assert_eq!(visit.kind, VisitKind::Look);
        let missing = visit.demand.names[0].as_str() >= "c.example";
        let facts = Facts { held: (!missing).then(|| old.clone()), ..Facts::default() };
        planner.visited(&visit, facts, now);
    }
    let names = |visits: Vec<Visit>| visits.iter().map(|v| v.demand.names[0].clone()).collect::<Vec<_>>();
    assert_eq!(names(planner.visits(now)), ["c.example", "d.example"]);
    assert_eq!(planner.wake_at(), Some(now + 10));
    assert_eq!(names(planner.visits(now + 10)), ["a.example", "b.example"]);
    assert_eq!(demands.len(), 4);
}

#[test]
fn a_visit_of_what_is_not_wanted_any_more_changes_nothing() {
    let (mut planner, _) = planner(&["a.example"]);
    let visit = only(&mut planner, START);
    planner.demand(Vec::new(), START);
    assert!(matches!(planner.decide(&visit, &Facts::default(), START), Decision::Wait { .. }));
    planner.visited(&visit, Facts::default(), START);
    planner.put_off(&visit, PutOff::Elsewhere, START);
    assert_eq!((planner.wake_at(), planner.plans(START).len()), (None, 0));
}

/// What it left in the storage is looked at, and who asked for it is not forgotten.
#[test]
fn a_change_in_the_middle_of_an_order_loses_neither_what_comes_of_it_nor_the_wish_for_it() {
    let young = |failures: u32| Facts {
        held: held(90),
        tries: Tries { failures, last: START + 1, next: START + MINUTE, ..Tries::default() },
    };
    for obtained in [true, false] {
        let (mut planner, demands) = planner(&["a.example"]);
        let visit = only(&mut planner, START);
        planner.visited(&visit, young(0), START);
        planner.ask_for(&demands[0].id, START);
        let order = only(&mut planner, START);
        assert_eq!(order.kind, VisitKind::Act);
        planner.demand(vec![demand("a.example", Throttle::new(3, Duration::from_secs(10)), true)], START + 1);
        let visit = only(&mut planner, START + 1);
        planner.visited(&visit, young(1), START + 1);
        assert!(planner.visits(START + 2).is_empty() && planner.plans(START + 2)[0].asked_for);
        planner.visited(&order, Facts::default(), START + 3);
        let visit = only(&mut planner, START + 3);
        assert_eq!(visit.kind, VisitKind::Look);
        let now = if obtained { Facts { held: held(91), ..Facts::default() } } else { young(1) };
        planner.visited(&visit, now, START + 3);
        assert_eq!(planner.plans(START + 4)[0].asked_for, !obtained);
        let again = planner.visits(START + 2 * MINUTE);
        assert_eq!(again.iter().any(|visit| visit.kind == VisitKind::Act), !obtained, "{again:?}");
    }
}

/// It is not known then what is held: that is found out at once, and what is asked for is another one than that.
#[test]
fn who_asks_after_trouble_is_told_of_it_and_ends_its_pause() {
    let (mut planner, demands) = planner(&["a.example"]);
    let id = &demands[0].id;
    assert_eq!(planner.ask_for(id, START), Asked::Unread);
    let visit = only(&mut planner, START);
    planner.put_off(&visit, PutOff::Trouble("no space".to_owned()), START);
    assert!(planner.wake_at().unwrap() >= START + 30);
    assert_eq!(planner.ask_for(id, START + 1), Asked::Trouble("no space".to_owned()));
    let visit = only(&mut planner, START + 1);
    assert_eq!(planner.ask_for(id, START + 1), Asked::UnderWay);
    let young = Facts { held: held(90), ..Facts::default() };
    planner.visited(&visit, young, START + 1);
    let visit = only(&mut planner, START + 1);
    assert_eq!(visit.kind, VisitKind::Act, "an order, though the certificate is young");
    planner.visited(&visit, Facts { held: held(91), ..Facts::default() }, START + 2);
    assert!(planner.visits(START + 2).is_empty() && !planner.plans(START + 2)[0].asked_for);
    // The throttle holds as ever: it lets two through in ten seconds.
    for (now, begins) in [(START + 3, true), (START + 4, false)] {
        planner.touch(id, now);
        let visit = only(&mut planner, now);
        planner.put_off(&visit, PutOff::Trouble("no space".to_owned()), now);
        planner.ask_for(id, now);
        let visit = only(&mut planner, now);
        planner.visited(&visit, Facts { held: held(91), ..Facts::default() }, now);
        let orders = planner.visits(now);
        assert_eq!(!orders.is_empty(), begins);
        for visit in orders {
            planner.visited(&visit, Facts { held: held(92), ..Facts::default() }, now);
        }
    }
}

/// Another node is at work on it, as the schedule tells: what it obtains is served here seconds later.
#[test]
fn what_another_node_has_begun_is_looked_for_soon() {
    let (mut planner, _) = planner(&["a.example"]);
    let visit = only(&mut planner, START);
    let tries = Tries::default().begun(&visit.demand.id, None, START);
    for (now, expected) in [(START, 3), (START + 30, 3), (START + 3 * MINUTE, 0)] {
        planner.visited(&visit, Facts { held: None, tries: tries.clone() }, now);
        assert_eq!(planner.wake_at(), Some(now + expected), "{}", now - START);
        assert_eq!(only(&mut planner, now + expected).demand.id, visit.demand.id);
    }
}

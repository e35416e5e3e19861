//! Years of many worlds. A failure prints the seed that makes the same world again.

use super::parts::{Ari, Scenario};
use super::sim::World;
use crate::life::Throttle;
use std::time::Duration;

/// Of each scenario.
const SEEDS: u64 = 3;

fn throttle(orders: u32, seconds: u64) -> Throttle {
    Throttle::new(orders, Duration::from_secs(seconds))
}

fn ordinary() -> Scenario {
    Scenario {
        seed: 0,
        days: 365,
        nodes: 1,
        certificates: 3,
        life: 90,
        throttle: throttle(10, 10),
        ari: Ari::None,
        faults: 0,
        fault_hours: 0,
        clock_jumps: false,
        fallback: false,
        never_ends: true,
    }
}

/// Runs the scenario for some seeds; `orders` are those a certificate and year.
fn check(name: &str, scenario: &Scenario, orders: std::ops::RangeInclusive<usize>) {
    for seed in 1..=SEEDS {
        eprintln!("{name}: seed {seed}");
        let mut world = World::new(Scenario { seed, ..scenario.clone() });
        world.run();
        let each = world.orders() * 365 / (scenario.certificates * scenario.days as usize);
        eprintln!("  {each} orders a certificate and year, {} moments without", world.moments_without);
        assert!(orders.contains(&each), "{name}, seed {seed}: {each} orders a certificate and year");
    }
}

#[test]
fn quiet_years() {
    for (life, orders) in [(90, 6..=7), (45, 12..=13), (6, 88..=96)] {
        check("alone", &Scenario { life, ..ordinary() }, orders.clone());
        check("together", &Scenario { life, nodes: 3, ..ordinary() }, orders);
    }
}

#[test]
fn years_with_suggestions_of_the_ca() {
    for (ari, orders) in [
        (Ari::Sensible, 6..=7),
        // Once in six hours at most, whatever the CA says.
        (Ari::AlwaysNow, 1_000..=1_470),
        (Ari::Broken, 6..=7),
    ] {
        check("suggestions", &Scenario { nodes: 2, ari, ..ordinary() }, orders);
    }
    check("short", &Scenario { life: 6, ari: Ari::Sensible, ..ordinary() }, 90..=106);
}

#[test]
fn outages_of_a_day_end_no_certificate() {
    for life in [90, 45, 6] {
        let scenario =
            Scenario { life, nodes: 2, faults: 20, fault_hours: 8, ari: Ari::Sensible, ..ordinary() };
        check("outages", &scenario, 5..=600);
    }
}

#[test]
fn worse_years() {
    for (life, nodes, fallback) in [(90, 1, false), (45, 3, true), (6, 2, true), (6, 3, false)] {
        let scenario = Scenario {
            life,
            nodes,
            fallback,
            faults: 15,
            fault_hours: 100,
            clock_jumps: true,
            ari: Ari::Sensible,
            never_ends: false,
            days: 730,
            ..ordinary()
        };
        check("worse", &scenario, 5..=2_500);
    }
}

#[test]
fn many_certificates_keep_to_the_throttle() {
    let scenario = Scenario {
        nodes: 2,
        certificates: 60,
        days: 70,
        throttle: throttle(3, 600),
        faults: 60,
        fault_hours: 10,
        never_ends: false,
        ..ordinary()
    };
    check("many", &scenario, 3..=60);
}

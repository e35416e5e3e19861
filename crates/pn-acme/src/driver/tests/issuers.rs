//! Issuers beside the first: the staging CA that is asked after a failure, and the fallback in an emergency.

use super::sim::Nodes;
use crate::Time;
use crate::acme::Identifier;
use crate::acme::sim::SimCa;
use crate::driver::board::CertificateState;

const DAY: u64 = 86_400;
const HOST: &str = "a.test";

fn unprovable(ca: &mut SimCa) {
    ca.policy.unprovable.insert(Identifier::parse(HOST));
}

fn made(ca: &SimCa) -> Vec<Time> {
    ca.orders.iter().map(|order| order.made_at).collect()
}

/// What each CA does, in half a day of failures.
struct Row {
    name: &'static str,
    seed: u64,
    production: fn(&mut SimCa),
    staging: fn(&mut SimCa),
    /// Orders that reach production and staging meanwhile.
    orders: (std::ops::RangeInclusive<usize>, std::ops::RangeInclusive<usize>),
    served: bool,
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_tried_at_the_staging_ca_until_it_works_there() {
    let nothing: fn(&mut SimCa) = |_| {};
    let down: fn(&mut SimCa) = |ca| ca.policy.outages.push(0..Time::MAX);
    for row in [
        // Some twenty rounds in half a day. The first and each fourth go to production.
        Row {
            name: "both refuse",
            seed: 1,
            production: unprovable,
            staging: unprovable,
            orders: (5..=8, 14..=20),
            served: false,
        },
        // Staging says yes each time, and production no right after it.
        Row {
            name: "production alone refuses",
            seed: 2,
            production: unprovable,
            staging: nothing,
            orders: (18..=24, 12..=20),
            served: false,
        },
        // Nobody has refused anything that could be rehearsed.
        Row {
            name: "production is down",
            seed: 3,
            production: down,
            staging: nothing,
            orders: (0..=0, 0..=0),
            served: false,
        },
        Row {
            name: "production asks for patience once it has refused",
            seed: 4,
            production: |ca| {
                unprovable(ca);
                ca.policy.orders_per = Some((1, DAY));
            },
            staging: nothing,
            // After its 429 there is nothing to rehearse, for a day.
            orders: (1..=1, 1..=1),
            served: false,
        },
        // Without a failure nobody asks it.
        Row {
            name: "all is well",
            seed: 5,
            production: nothing,
            staging: unprovable,
            orders: (1..=1, 0..=0),
            served: true,
        },
    ] {
        check(row).await;
    }
}

async fn check(row: Row) {
    let Row { name, seed, .. } = row;
    eprintln!("{name}: seed {seed}");
    let mut nodes = Nodes::new(seed, 2);
    nodes.rehearses = true;
    nodes.ca.with(row.production);
    nodes.staging.with(row.staging);
    nodes.want(&[HOST]).await;
    nodes.pass(0.5).await;
    let came = (nodes.orders(), nodes.staging.with(|ca| ca.orders.len()));
    assert!(row.orders.0.contains(&came.0) && row.orders.1.contains(&came.1), "{name}: {came:?}");
    assert_eq!(nodes.serves(0, HOST), row.served, "{name}: {:?}", nodes.status(0));
    // Whatever the staging CA has signed, nobody is shown it.
    let mended = (nodes.clock)();
    for ca in [&nodes.ca, &nodes.staging] {
        ca.with(|ca| {
            ca.policy.unprovable.clear();
            ca.policy.outages.clear();
            ca.policy.orders_per = None;
        });
    }
    nodes.pass(1.5).await;
    let status = &nodes.status(1)[0];
    assert_eq!((status.state, status.failures), (CertificateState::Valid, 0), "{name}: {status:?}");
    assert_eq!(status.directory, "https://ca.test/directory", "{name}");
    nodes.ca.with(|ca| assert_eq!(ca.certificates.len(), 1, "{name}"));
    let (last, rehearsed) = (nodes.ca.with(|ca| made(ca)), nodes.staging.with(|ca| made(ca)));
    if let (Some(last), Some(rehearsed)) = (last.last(), rehearsed.iter().rev().find(|at| **at >= mended)) {
        assert!((rehearsed..=&(rehearsed + 60)).contains(&last), "{name}: at once after the rehearsal");
    }
}

/// It may be the staging CA that is broken: each fourth round does without it.
#[tokio::test(start_paused = true)]
async fn a_staging_ca_that_is_broken_costs_time_only() {
    for (name, breaks) in [
        ("refuses", unprovable as fn(&mut SimCa)),
        ("is down", |ca| ca.policy.outages.push(0..Time::MAX)),
        ("does not end", |ca| ca.policy.stuck = true),
        ("answers nonsense", |ca| ca.policy.malformed = 100),
    ] {
        let mut nodes = Nodes::new(31, 1);
        nodes.rehearses = true;
        nodes.ca.with(unprovable);
        nodes.staging.with(breaks);
        nodes.want(&[HOST]).await;
        nodes.pass(0.01).await;
        nodes.ca.with(|ca| ca.policy.unprovable.clear());
        nodes.pass(0.2).await;
        let status = &nodes.status(0)[0];
        assert_eq!(status.state, CertificateState::Valid, "{name}: {status:?}");
        nodes.ca.with(|ca| assert_eq!(ca.certificates.len(), 1, "{name}"));
    }
}

/// While the certificate is good for long, a bad day of its CA is no reason to change it. With a sixth of its life left
/// it is.
#[tokio::test(start_paused = true)]
async fn the_fallback_is_asked_when_a_sixth_is_left() {
    for (name, life, down, falls) in [
        ("90 days", 90.0, 50.0..f64::MAX, true),
        ("six days", 6.0, 1.0..f64::MAX, true),
        ("back in time", 90.0, 50.0..72.0, false),
        ("never away", 90.0, 0.0..0.0, false),
    ] {
        let mut nodes = Nodes::new(41, 2);
        nodes.falls_back = true;
        let start = (nodes.clock)();
        let at = |days: f64| start.saturating_add((days * DAY as f64) as u64);
        nodes.ca.with(|ca| {
            ca.policy.lifetime = (life * DAY as f64) as u64;
            ca.policy.outages.push(at(down.start)..at(down.end));
        });
        nodes.want(&[HOST]).await;
        nodes.pass(life * 5.0 / 6.0 - 0.1).await;
        assert_eq!(nodes.second.with(|ca| ca.orders.len()), 0, "{name}: too early");
        nodes.pass(life / 12.0).await;
        let status = &nodes.status(1)[0];
        assert_eq!(status.state, CertificateState::Valid, "{name}: {status:?}");
        let (issuer, orders) = (if falls { "second" } else { "main" }, usize::from(falls));
        assert_eq!(status.issuer.as_str(), issuer, "{name}: {status:?}");
        assert_eq!(nodes.second.with(|ca| ca.orders.len()), orders, "{name}");
    }
}

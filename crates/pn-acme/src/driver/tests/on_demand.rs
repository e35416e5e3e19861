//! Names that clients bring, in virtual time: one order each, whoever asks how often; what failed is not stormed; what is
//! used is kept, and what nobody comes for is let go.

use super::sim::Nodes;
use crate::acme::Identifier;
use crate::life::Throttle;
use crate::storage::{CERTIFICATES, ON_DEMAND, SCHEDULE, Storage};
use pn_model::HostPattern;
use pn_model::limits::{ON_DEMAND_HANDSHAKES, ON_DEMAND_ORDERS, ON_DEMAND_PENDING};
use pn_tls::NoCertificate;
use std::collections::BTreeMap;
use std::time::Duration;

fn under(zone: &str) -> Vec<HostPattern> {
    vec![HostPattern::AnyDepth(zone.to_owned())]
}

/// What becomes of handshakes that come at once, counted.
async fn crowd(nodes: &Nodes, names: impl IntoIterator<Item = (usize, String)>) -> BTreeMap<String, usize> {
    let knock =
        |(node, name): (usize, String)| async move { format!("{:?}", nodes.knock(node, &name).await) };
    let all = futures_util::future::join_all(names.into_iter().map(knock)).await;
    let mut counted = BTreeMap::new();
    for one in all {
        *counted.entry(one).or_default() += 1;
    }
    counted
}

#[tokio::test(start_paused = true)]
async fn fifty_handshakes_on_two_nodes_are_one_order() {
    for seed in 1..=3 {
        eprintln!("seed {seed}");
        let nodes = Nodes::new(seed, 2);
        nodes.open(&[], &under("z.test")).await;
        let names = (0..50).map(|i| (i % 2, "a.z.test".to_owned()));
        assert_eq!(crowd(&nodes, names).await, BTreeMap::from([("Ok(())".to_owned(), 50)]), "seed {seed}");
        assert_eq!(nodes.orders(), 1, "seed {seed}");
        assert!(nodes.serves(0, "a.z.test") && nodes.serves(1, "a.z.test"), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_costs_nothing() {
    let nodes = Nodes::new(1, 1);
    nodes.open(&["www.z.test"], &under("z.test")).await;
    nodes.pass(0.01).await;
    let before = nodes.orders();
    for name in ["a.other.test", "z.test", "1.2.3.4", "a_b.z.test", "*.z.test", "-.z.test"] {
        assert_eq!(nodes.knock(0, name).await, Err(NoCertificate::Denied), "{name}");
    }
    assert_eq!((nodes.orders(), nodes.status(0).len()), (before, 1));
    assert!(nodes.store.list(ON_DEMAND).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_names_stays_within_its_bounds() {
    let mut nodes = Nodes::new(1, 1);
    nodes.throttle = Throttle::new(1, Duration::from_secs(10));
    nodes.open(&[], &under("z.test")).await;
    let names = (0..3 * ON_DEMAND_HANDSHAKES).map(|i| (0, format!("n{i}.z.test")));
    let came = crowd(&nodes, names).await;
    let obtained = came.get("Ok(())").copied().unwrap_or(0);
    // In sixty seconds, one place each ten.
    assert!((1..=8).contains(&obtained), "{came:?}");
    assert_eq!(came.values().sum::<usize>(), 3 * ON_DEMAND_HANDSHAKES);
    assert!(nodes.status(0).len() <= ON_DEMAND_ORDERS + obtained, "{}", nodes.status(0).len());
    assert!(nodes.store.list(ON_DEMAND).await.unwrap().len() <= ON_DEMAND_PENDING + obtained);
    let counts = pn_tls::OnDemand::counts(&nodes.nodes[0].cx.door);
    assert!(
        counts.turned_away as usize >= 3 * ON_DEMAND_HANDSHAKES - ON_DEMAND_PENDING - obtained,
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_that_fails_is_tried_on_the_ladder_and_only_when_somebody_comes() {
    let nodes = Nodes::new(1, 1);
    nodes.ca.with(|ca| assert!(ca.policy.unprovable.insert(Identifier::parse("bad.z.test"))));
    nodes.open(&[], &under("z.test")).await;
    assert_eq!(nodes.knock(0, "bad.z.test").await, Err(NoCertificate::Unavailable));
    let first = nodes.orders();
    for _ in 0..200 {
        assert_eq!(nodes.knock(0, "bad.z.test").await, Err(NoCertificate::Unavailable));
    }
    assert_eq!(nodes.orders(), first, "within its pause");
    nodes.pass(2.0).await;
    assert_eq!((nodes.orders(), nodes.status(0).len()), (first, 0), "nobody came");
    nodes.ca.with(|ca| ca.policy.unprovable.clear());
    assert_eq!(nodes.knock(0, "bad.z.test").await, Ok(()));
    assert_eq!(nodes.orders(), first + 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_used_outlives_restarts_and_renewals_and_the_rest_goes() {
    let mut nodes = Nodes::new(1, 1);
    nodes.open(&[], &under("z.test")).await;
    for name in ["used.z.test", "unused.z.test"] {
        assert_eq!(nodes.knock(0, name).await, Ok(()), "{name}");
    }
    nodes.kill(0);
    nodes.add();
    nodes.open(&[], &under("z.test")).await;
    assert!(nodes.serves(0, "used.z.test") && nodes.serves(0, "unused.z.test"));
    assert_eq!(nodes.orders(), 2, "from the storage");
    for _ in 0..200 {
        nodes.pass(1.0).await;
        assert!(nodes.nodes[0].certificates.uses("used.z.test"));
    }
    // Certificates of ninety days: one is renewed every two months, the other ended once.
    assert!((4..=5).contains(&nodes.orders()), "{}", nodes.orders());
    assert!(nodes.serves(0, "used.z.test") && !nodes.serves(0, "unused.z.test"));
    assert_eq!(nodes.status(0).len(), 1);
    for (prefix, left) in [(ON_DEMAND, 1), (CERTIFICATES, 1), (SCHEDULE, 0)] {
        assert_eq!(nodes.store.list(prefix).await.unwrap().len(), left, "{prefix}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_allowed_no_more_ends_with_its_certificate() {
    let nodes = Nodes::new(1, 1);
    nodes.open(&[], &under("z.test")).await;
    assert_eq!(nodes.knock(0, "a.z.test").await, Ok(()));
    nodes.open(&[], &under("y.test")).await;
    assert!(!nodes.serves(0, "a.z.test"), "no site of ours by these rules");
    assert_eq!(nodes.knock(0, "a.z.test").await, Err(NoCertificate::Denied));
    nodes.open(&["a.z.test"], &under("z.test")).await;
    nodes.pass(0.1).await;
    assert!(nodes.serves(0, "a.z.test"), "as a site of its own, by the same certificate");
    assert_eq!(nodes.orders(), 1);
}

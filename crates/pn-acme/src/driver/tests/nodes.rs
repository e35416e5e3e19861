//! Nodes that obtain and renew, from the first order to the stored certificate, with all that goes wrong.

use super::sim::Nodes;
use crate::acme::{ChallengeKind, Identifier};
use crate::driver::board::CertificateState;
use crate::life::Throttle;
use crate::storage::Fault;
use std::time::Duration;

const DAY: u64 = 86_400;
const NAMES: [&str; 2] = ["a.test", "b.test"];

#[tokio::test(start_paused = true)]
async fn certificates_are_obtained_and_renewed_when_the_ca_says() {
    let nodes = Nodes::new(1, 1);
    nodes.want(&NAMES).await;
    nodes.pass(0.01).await;
    assert!(nodes.serves(0, "a.test") && nodes.serves(0, "b.test"));
    nodes.pass(1.0).await;
    let status = nodes.status(0);
    assert!(status.iter().all(|one| one.state == CertificateState::Valid && one.window.is_some()));
    nodes.pass(379.0).await;
    // Renewed after 59.4 to 61.2 days each, within the window that the CA suggests.
    nodes.ca.with(|ca| {
        assert_eq!(ca.orders.len(), 2 * 7);
        let replacing = ca.orders.iter().filter(|order| order.replaces.is_some()).count();
        assert_eq!(replacing, 2 * 6);
        assert_eq!(ca.accounts.len(), 1);
        assert!(ca.board.is_empty(), "everything is withdrawn");
    });
}

/// As behind a TLS terminator: each renewal would begin with the challenge that cannot work.
#[tokio::test(start_paused = true)]
async fn what_a_name_was_proven_by_is_tried_first_the_next_time() {
    let mut nodes = Nodes::new(9, 1);
    nodes.blocked = vec![ChallengeKind::TlsAlpn01];
    nodes.ca.with(|ca| ca.policy.renewal_info = false);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    assert!(nodes.serves(0, "a.test"));
    assert_eq!(nodes.orders(), 2, "one by each challenge");
    nodes.pass(0.01).await;
    nodes.pass(130.0).await;
    assert_eq!(nodes.orders(), 4, "renewed twice, without a failure");
    // What let only that through lets only the other through now.
    nodes.blocked = vec![ChallengeKind::Http01];
    nodes.want(&["a.test"]).await;
    nodes.pass(70.0).await;
    assert_eq!(nodes.orders(), 6);
    assert_eq!(nodes.status(0)[0].failures, 0);
}

#[tokio::test(start_paused = true)]
async fn nodes_on_one_storage_order_once_and_all_serve_the_newest() {
    for seed in 1..=3 {
        eprintln!("seed {seed}");
        let nodes = Nodes::new(seed, 3);
        nodes.want(&NAMES).await;
        nodes.pass(380.0).await;
        assert_eq!(nodes.orders(), 2 * 7, "seed {seed}");
        nodes.ca.with(|ca| assert_eq!(ca.accounts.len(), 1, "seed {seed}"));
        let newest: Vec<_> =
            (0..3).map(|node| nodes.nodes[node].certificates.get("a.test").unwrap()).collect();
        assert!(newest.windows(2).all(|pair| pair[0].cert == pair[1].cert), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ca_at_its_worst_is_got_on_with() {
    for seed in 1..=3 {
        eprintln!("seed {seed}");
        let nodes = Nodes::new(seed, 2);
        nodes.ca.with(|ca| {
            ca.policy.bad_nonces = 50;
            (ca.policy.lost_answers, ca.policy.server_errors, ca.policy.malformed) = (5, 5, 5);
            ca.policy.reuse = 30 * DAY;
        });
        nodes.want(&NAMES).await;
        for _ in 0..25 {
            nodes.pass(5.0).await;
            assert!(
                nodes.serves(0, "a.test") && nodes.serves(1, "b.test"),
                "seed {seed}: {:?}",
                nodes.status(0)
            );
            let now = (nodes.clock)();
            let valid = nodes
                .status(0)
                .iter()
                .all(|one| one.served.as_ref().is_some_and(|info| info.not_after > now));
            assert!(valid, "seed {seed}: {:?}", nodes.status(0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_had_is_told_with_its_reason_and_next_try() {
    for (name, mend, reason) in [("outage", 0.5, "connection refused"), ("refusal", 0.5, "b.test")] {
        let nodes = Nodes::new(7, 1);
        let start = (nodes.clock)();
        nodes.ca.with(|ca| match name {
            "outage" => ca.policy.outages.push(start..start + DAY / 2),
            _ => ca.policy.unprovable.extend(NAMES.map(Identifier::parse)),
        });
        nodes.want(&NAMES).await;
        nodes.pass(mend).await;
        let status = nodes.status(0);
        for one in &status {
            assert_eq!(one.state, CertificateState::Missing, "{name}");
            assert!(one.failures > 3 && one.next_at > (nodes.clock)(), "{name}: {one:?}");
        }
        let told = status.iter().filter_map(|one| one.last_error.clone()).collect::<Vec<_>>().join("\n");
        assert!(told.contains(reason), "{name}: {told}");
        // Some twenty tries in half a day, by the ladder; an outage costs the CA no order.
        let orders = nodes.orders();
        assert!(if name == "outage" { orders == 0 } else { orders <= 2 * 26 }, "{name}: {orders}");
        nodes.ca.with(|ca| ca.policy.unprovable.clear());
        nodes.pass(0.5).await;
        assert!(nodes.serves(0, "a.test") && nodes.serves(0, "b.test"), "{name}");
        let status = nodes.status(0);
        assert!(status.iter().all(|one| one.last_error.is_none() && one.failures == 0), "{name}: {status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_ca_and_of_our_own_are_kept() {
    let mut nodes = Nodes::new(3, 2);
    nodes.throttle = Throttle::new(2, Duration::from_secs(60));
    nodes.ca.with(|ca| ca.policy.orders_per = Some((3, 3_600)));
    let names: Vec<String> = (0..12).map(|i| format!("h{i}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    nodes.want(&names).await;
    nodes.pass(2.0).await;
    assert!(names.iter().all(|name| nodes.serves(0, name) && nodes.serves(1, name)));
    nodes.ca.with(|ca| {
        let made: Vec<u64> = ca.orders.iter().map(|order| order.made_at).collect();
        assert!(made.windows(3).all(|three| three[2] - three[0] >= 59), "{made:?}");
        assert_eq!(made.len(), 12);
    });
}

#[tokio::test(start_paused = true)]
async fn a_lost_account_is_made_anew() {
    let nodes = Nodes::new(4, 1);
    nodes.want(&NAMES).await;
    nodes.pass(1.0).await;
    nodes.ca.with(|ca| ca.forget_accounts());
    nodes.pass(89.0).await;
    assert!(nodes.serves(0, "a.test"));
    let status = nodes.status(0);
    assert!(status.iter().all(|one| one.state == CertificateState::Valid), "{status:?}");
    nodes.ca.with(|ca| assert_eq!(ca.accounts.len(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_fails_now_and_then_costs_time_only() {
    for seed in 1..=2_u64 {
        eprintln!("seed {seed}");
        let nodes = Nodes::new(seed, 2);
        let mut dice = seed;
        nodes.store.set_faults(move |_, _| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match (dice >> 33) % 20 {
                0 => Fault::Before,
                1 => Fault::After,
                _ => Fault::None,
            }
        });
        nodes.want(&NAMES).await;
        nodes.pass(120.0).await;
        nodes.store.clear_faults();
        nodes.pass(1.0).await;
        let status = nodes.status(0);
        assert!(status.iter().all(|one| one.state == CertificateState::Valid), "seed {seed}: {status:?}");
        assert!(nodes.orders() <= 16, "seed {seed}: {} orders", nodes.orders());
    }
}

#[tokio::test(start_paused = true)]
async fn another_node_takes_over_from_one_that_dies_during_an_order() {
    let mut nodes = Nodes::new(5, 1);
    nodes.ca.with(|ca| ca.policy.validation = 60);
    nodes.want(&["a.test"]).await;
    nodes.pass(20.0 / 86_400.0).await;
    assert_eq!(nodes.status(0)[0].state, CertificateState::Obtaining);
    nodes.add();
    nodes.want(&["a.test"]).await;
    nodes.kill(0);
    nodes.pass(0.02).await;
    assert!(nodes.serves(0, "a.test"), "{:?}", nodes.status(0));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_added_is_obtained_alone_and_one_that_is_dropped_renewed_no_more() {
    let nodes = Nodes::new(6, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(1.0).await;
    let before = nodes.nodes[0].certificates.get("a.test").unwrap();
    nodes.want(&NAMES).await;
    nodes.pass(1.0).await;
    assert_eq!(nodes.orders(), 2);
    assert_eq!(before.cert, nodes.nodes[0].certificates.get("a.test").unwrap().cert);
    nodes.want(&["b.test"]).await;
    nodes.pass(300.0).await;
    assert!(!nodes.serves(0, "a.test"));
    let ordered = nodes
        .ca
        .with(|ca| ca.orders.iter().filter(|order| order.names == [Identifier::parse("a.test")]).count());
    assert_eq!(ordered, 1);
    // It comes back: what was stored has ended meanwhile.
    nodes.want(&NAMES).await;
    nodes.pass(1.0).await;
    assert!(nodes.serves(0, "a.test"));
}

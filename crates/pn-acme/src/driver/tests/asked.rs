//! Certificates that somebody asks for out of turn.

use super::sim::Nodes;
use crate::acme::Identifier;
use crate::driver::OrderOutcome;
use crate::driver::board::CertificateState;
use crate::life::{Asked, Throttle};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_young_certificate_is_replaced_once_and_without_a_gap() {
    let nodes = Nodes::new(11, 2);
    nodes.want(&["a.test", "b.test"]).await;
    nodes.pass(0.01).await;
    let before = nodes.nodes[0].certificates.get("a.test").unwrap();
    assert!(matches!(nodes.renew(0, "a.test").await, Asked::Begins(_)));
    // Again, and at another node: it is one wish.
    assert!(matches!(nodes.renew(0, "a.test").await, Asked::Begins(_) | Asked::UnderWay));
    nodes.renew(1, "a.test").await;
    assert!(nodes.serves(0, "a.test"), "the old one is served meanwhile");
    nodes.pass(1.0).await;
    assert_ne!(before.cert, nodes.nodes[0].certificates.get("a.test").unwrap().cert);
    assert_eq!(nodes.orders(), 3);
    nodes.ca.with(|ca| assert!(ca.orders[2].replaces.is_some()));
    let served = |node: usize| nodes.nodes[node].certificates.get("a.test").unwrap().cert.clone();
    assert_eq!(served(0), served(1));
    let status = nodes.status(0);
    assert!(status.iter().all(|one| one.state == CertificateState::Valid && !one.asked_for), "{status:?}");
    assert!(matches!(nodes.renew(0, "c.test").await, Asked::Unknown));
    let counts = [0, 1].map(|node| nodes.nodes[node].cx.tally.counts()).into_iter().flatten();
    assert_eq!(
        counts.map(|((_, outcome), n)| (outcome, n)).fold(0, |sum, (outcome, n)| {
            assert_eq!(outcome, OrderOutcome::Issued);
            sum + n
        }),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_ordered_while_its_issuer_changes_is_served_at_once() {
    let mut nodes = Nodes::new(13, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    let before = nodes.serial(0, "a.test");
    nodes.ca.answer_after(Duration::from_secs(5));
    nodes.renew(0, "a.test").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    nodes.throttle = Throttle::new(7, Duration::from_secs(70));
    nodes.want(&["a.test"]).await;
    // Less than it takes until every certificate is looked at.
    nodes.pass(0.004).await;
    assert_ne!(before, nodes.serial(0, "a.test"));
    assert_eq!(nodes.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn asking_skips_the_pause_after_failures_once_and_no_limit() {
    let mut nodes = Nodes::new(12, 1);
    nodes.throttle = Throttle::new(1, Duration::from_secs(3_600));
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    assert_eq!(nodes.orders(), 1);
    let now = (nodes.clock)();
    let Asked::Waits(until) = nodes.renew(0, "a.test").await else { panic!("the throttle is full") };
    assert!((now + 2_000..=now + 3_600).contains(&until), "{}", until - now);
    nodes.ca.with(|ca| ca.policy.unprovable.extend([Identifier::parse("a.test")]));
    nodes.pass(0.9).await;
    // Failing for hours, by the ladder and the throttle.
    let failed = nodes.orders();
    assert!((3..=26).contains(&failed), "{failed}");
    assert_eq!(nodes.status(0)[0].state, CertificateState::RenewalFailing);
    nodes.ca.with(|ca| ca.policy.unprovable.clear());
    let asked = nodes.renew(0, "a.test").await;
    let later = (nodes.clock)() + 3_600;
    assert!(
        matches!(&asked, Asked::Begins(_)) || matches!(&asked, Asked::Waits(at) if *at <= later),
        "{asked:?}"
    );
    nodes.pass(0.05).await;
    let status = nodes.status(0);
    assert_eq!((status[0].state, status[0].failures), (CertificateState::Valid, 0), "{status:?}");
    assert_eq!(nodes.orders(), failed + 1);
    nodes.pass(10.0).await;
    assert_eq!(nodes.orders(), failed + 1, "the wish is granted");
}

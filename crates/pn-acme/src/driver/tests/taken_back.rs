//! Certificates that are revoked, and those that nobody wants any more.

use super::sim::Nodes;
use crate::acme::Identifier;
use crate::acme::sim::DIRECTORY;
use crate::driver::accounts::{AccountOrder, AccountRefusal};
use crate::driver::board::CertificateState;
use crate::driver::revoke::RevocationRefusal;
use std::time::Duration;

const KEY_COMPROMISE: u64 = 1;

#[tokio::test(start_paused = true)]
async fn a_revoked_certificate_serves_until_another_is_there() {
    let nodes = Nodes::new(21, 2);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    let before = nodes.nodes[0].certificates.get("a.test").unwrap();
    nodes.ca.with(|ca| ca.policy.unprovable.extend([Identifier::parse("a.test")]));
    assert!(nodes.revoke(1, "a.test").await.unwrap().wanted);
    nodes.ca.with(|ca| assert_eq!(ca.certificates[0].revoked, Some(KEY_COMPROMISE)));
    nodes.pass(0.4).await;
    for node in 0..2 {
        assert_eq!(nodes.status(node)[0].state, CertificateState::Revoked, "{:?}", nodes.status(node));
        assert_eq!(before.cert, nodes.nodes[node].certificates.get("a.test").unwrap().cert);
    }
    nodes.ca.with(|ca| ca.policy.unprovable.clear());
    nodes.pass(1.0).await;
    for node in 0..2 {
        assert_eq!(nodes.status(node)[0].state, CertificateState::Valid, "{:?}", nodes.status(node));
        assert_ne!(before.cert, nodes.nodes[node].certificates.get("a.test").unwrap().cert);
    }
    nodes.pass(10.0).await;
    nodes.ca.with(|ca| assert_eq!(ca.certificates.len(), 2, "another once"));
}

/// A second request that waited for its turn while another certificate was ordered for the first.
#[tokio::test(start_paused = true)]
async fn what_took_the_place_of_a_revoked_certificate_is_not_revoked_with_it() {
    let nodes = Nodes::new(24, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    let before = nodes.serial(0, "a.test");
    let revoked = nodes.revoke(0, "a.test").await.unwrap();
    assert_eq!(Some(&revoked.serial), before.as_ref());
    nodes.pass(1.0).await;
    let told = nodes.revoke_this(0, "a.test", before).await.unwrap_err().to_string();
    let served = nodes.serial(0, "a.test").unwrap();
    assert!(told.contains(&revoked.serial) && told.contains(&served), "{told}");
    let states =
        nodes.ca.with(|ca| ca.certificates.iter().map(|one| one.revoked.is_some()).collect::<Vec<_>>());
    assert_eq!(states, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_in_time_of_a_ca_that_does_not_answer() {
    let nodes = Nodes::new(26, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    nodes.ca.answer_after(Duration::from_secs(100));
    let begun = tokio::time::Instant::now();
    let told = nodes.revoke(0, "a.test").await.unwrap_err().to_string();
    assert!(told.contains(DIRECTORY) && told.contains("within 40 s"), "{told}");
    let rolled = nodes.ask(0, |done| AccountOrder::RollOver { which: None, done }).await.unwrap_err();
    assert!(
        matches!(rolled, AccountRefusal::Silent(_)) && rolled.to_string().contains(DIRECTORY),
        "{rolled}"
    );
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
    // And it is done all the same.
    nodes.pass(1.0).await;
    nodes.ca.with(|ca| assert_eq!(ca.certificates[0].revoked, Some(KEY_COMPROMISE)));
    assert_eq!(nodes.status(0)[0].state, CertificateState::Valid);
}

/// As when the answer to the first was lost.
#[tokio::test(start_paused = true)]
async fn a_certificate_that_the_ca_has_taken_back_already_is_replaced() {
    let nodes = Nodes::new(25, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    nodes.ca.with(|ca| ca.certificates[0].revoked = Some(KEY_COMPROMISE));
    assert!(nodes.revoke(0, "a.test").await.unwrap().wanted);
    nodes.pass(1.0).await;
    nodes.ca.with(|ca| assert_eq!(ca.certificates.len(), 2));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_only_stored_can_be_revoked_too() {
    let nodes = Nodes::new(22, 1);
    nodes.want(&["a.test", "b.test"]).await;
    nodes.pass(0.01).await;
    nodes.want(&["b.test"]).await;
    assert!(matches!(nodes.revoke(0, "c.test").await, Err(RevocationRefusal::Unknown)));
    assert!(!nodes.revoke(0, "a.test").await.unwrap().wanted);
    nodes.pass(1.0).await;
    assert_eq!(nodes.orders(), 2, "nobody wants another");
    let revoked = nodes.ca.with(|ca| ca.certificates.iter().filter(|one| one.revoked.is_some()).count());
    assert_eq!(revoked, 1);
    nodes.ca.with(|ca| ca.policy.outages.push(0..u64::MAX));
    let refused = nodes.revoke(0, "b.test").await.unwrap_err();
    assert!(refused.to_string().contains("connection refused"), "{refused}");
    assert_eq!(nodes.status(0)[0].state, CertificateState::Valid);
}

/// Certificates last 90 days.
#[tokio::test(start_paused = true)]
async fn what_nobody_wants_is_cleared_away_and_nothing_else() {
    let nodes = Nodes::new(23, 2);
    nodes.want(&["a.test", "b.test", "c.test"]).await;
    nodes.pass(1.0).await;
    // `a` is wanted by nobody any more, `b` by the first, `c` by the second, who cannot renew it.
    nodes.want_at(0, &["b.test"]).await;
    nodes.want_at(1, &["c.test"]).await;
    nodes.ca.with(|ca| ca.policy.unprovable.extend([Identifier::parse("c.test")]));
    nodes.pass(115.0).await;
    assert_eq!(nodes.stored().await.len(), 3, "it has ended, and may come back");
    nodes.pass(20.0).await;
    let mut stored = nodes.stored().await;
    stored.sort_unstable();
    assert_eq!(stored, ["b.test", "c.test"]);
    nodes.pass(300.0).await;
    assert_eq!(nodes.stored().await.len(), 2);
    assert_eq!(nodes.status(1)[0].state, CertificateState::Expired);
    assert!(nodes.serves(1, "c.test"), "it is better than none");
}

/// With no order for weeks, what a killed process left in a zone stays no longer than a day.
#[tokio::test(start_paused = true)]
async fn what_is_left_of_challenges_is_looked_for_each_day() {
    let nodes = Nodes::new(29, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(10.0).await;
    let looks = nodes.tidied.load(std::sync::atomic::Ordering::SeqCst);
    assert!((10..12).contains(&looks), "{looks} in ten days");
}

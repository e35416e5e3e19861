//! Records that were damaged from outside, are another's, or of a later release: what can be made good is made good, and
//! what is not ours to replace stays.

use super::sim::Nodes;
use crate::acme::sim::DIRECTORY;
use crate::driver::accounts::AccountOrder;
use crate::driver::board::CertificateState;
use crate::life::{Asked, CertificateId, Throttle};
use crate::records::{CertificateRecord, Record, ScheduleRecord, ThrottleRecord, load};
use crate::storage::{Ca, Expected, Fault, Key, Storage};
use std::time::Duration;

/// Long enough for an order.
const WHILE: f64 = 0.01;
const LATER: &[u8] = br#"{ "version": 2, "names": "of another kind" }"#;

fn certificate(name: &str) -> Key {
    Key::certificate(&Ca::of(DIRECTORY), CertificateId::of(&[name.to_owned()]).as_str())
}

fn schedule(name: &str) -> Key {
    Key::schedule(CertificateId::of(&[name.to_owned()]).as_str())
}

fn throttle() -> Key {
    Key::throttle(&Ca::of(DIRECTORY), "default")
}

fn account() -> Key {
    Key::account(&Ca::of(DIRECTORY), None)
}

async fn put(nodes: &Nodes, key: &Key, bytes: &[u8]) {
    nodes.store.save(key, bytes, Expected::Any, None).await.unwrap();
}

async fn bytes(nodes: &Nodes, key: &Key) -> Vec<u8> {
    nodes.store.load(key).await.unwrap().unwrap().value
}

/// A node that starts now, beside none.
async fn restart(nodes: &mut Nodes, names: &[&str]) {
    nodes.kill(0);
    nodes.add();
    nodes.want(names).await;
    nodes.pass(WHILE).await;
}

#[tokio::test(start_paused = true)]
async fn damaged_records_are_replaced_by_an_order() {
    for damage in [&b""[..], b"{", b"{}", b"\0\0\0", b"[1, 2]", br#"{ "version": 1 }"#] {
        let mut nodes = Nodes::new(31, 1);
        nodes.want(&["a.test", "b.test"]).await;
        nodes.pass(WHILE).await;
        assert_eq!(nodes.orders(), 2);
        for key in [certificate("a.test"), schedule("a.test"), throttle()] {
            put(&nodes, &key, damage).await;
        }
        restart(&mut nodes, &["a.test", "b.test"]).await;
        assert_eq!(nodes.orders(), 3, "one for what was damaged");
        assert!(nodes.serves(0, "a.test") && nodes.serves(0, "b.test"));
        let status = nodes.status(0);
        assert!(status.iter().all(|one| one.state == CertificateState::Valid), "{status:?}");
        assert!(load::<CertificateRecord>(&nodes.store, &certificate("a.test")).await.unwrap().is_some());
        assert!(load::<ScheduleRecord>(&nodes.store, &schedule("a.test")).await.unwrap().is_none());
        assert!(load::<ThrottleRecord>(&nodes.store, &throttle()).await.unwrap().is_some());
    }
}

/// While it is served, too; by one of the nodes, for all.
#[tokio::test(start_paused = true)]
async fn a_record_that_is_damaged_while_nodes_run_is_obtained_again_once() {
    let nodes = Nodes::new(32, 3);
    nodes.want(&["a.test"]).await;
    nodes.pass(WHILE).await;
    put(&nodes, &certificate("a.test"), b"{").await;
    nodes.pass(1.0).await;
    assert_eq!(nodes.orders(), 2);
    let served = |node: usize| nodes.nodes[node].certificates.get("a.test").unwrap().cert.clone();
    assert!(served(0) == served(1) && served(1) == served(2));
}

/// Nobody knows which places were taken: all are, for one stretch.
#[tokio::test(start_paused = true)]
async fn a_damaged_throttle_lets_no_order_too_many_through_and_does_not_stop() {
    let mut nodes = Nodes::new(33, 2);
    nodes.throttle = Throttle::new(2, Duration::from_secs(600));
    let names: Vec<String> = (0..9).map(|i| format!("h{i}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    nodes.want(&names).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(100)).await;
        put(&nodes, &throttle(), b"{").await;
    }
    nodes.pass(0.2).await;
    let made: Vec<u64> = nodes.ca.with(|ca| ca.orders.iter().map(|order| order.made_at).collect());
    assert!(names.iter().all(|name| nodes.serves(0, name)), "{:?}", nodes.status(0));
    // The place is taken a moment before the order is made.
    assert!(made.windows(3).all(|three| three[2] - three[0] >= 590), "{made:?}");
}

/// One certificate's key, names or whole record in the place of another's.
#[tokio::test(start_paused = true)]
async fn what_does_not_belong_together_is_obtained_again() {
    type Mix = fn(&mut CertificateRecord, &CertificateRecord);
    let mixes: [(&str, Mix); 4] = [
        ("key", |own, other| own.key_pem = other.key_pem.clone()),
        ("chain", |own, other| own.chain_pem.clone_from(&other.chain_pem)),
        ("key and chain", |own, other| {
            own.key_pem = other.key_pem.clone();
            own.chain_pem.clone_from(&other.chain_pem);
        }),
        ("all", |own, other| *own = other.clone()),
    ];
    for (what, mix) in mixes {
        let mut nodes = Nodes::new(34, 1);
        nodes.want(&["a.test", "b.test"]).await;
        nodes.pass(WHILE).await;
        let (mut own, _) = load(&nodes.store, &certificate("a.test")).await.unwrap().unwrap();
        let (other, _) = load(&nodes.store, &certificate("b.test")).await.unwrap().unwrap();
        mix(&mut own, &other);
        put(&nodes, &certificate("a.test"), &own.to_bytes()).await;
        restart(&mut nodes, &["a.test", "b.test"]).await;
        assert_eq!(nodes.orders(), 3, "{what}");
        let served = nodes.nodes[0].certificates.get("a.test").unwrap();
        let info = pn_tls::certificate_info(&served.cert[0]).unwrap();
        assert_eq!(info.names, ["a.test"], "{what}");
        nodes.pass(1.0).await;
        assert_eq!(nodes.orders(), 3, "{what}: and not again and again");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_later_release_wrote_stays_and_is_told() {
    for key in [certificate("a.test"), schedule("a.test"), throttle(), account()] {
        let nodes = Nodes::new(35, 1);
        put(&nodes, &key, LATER).await;
        nodes.want(&["a.test"]).await;
        nodes.pass(WHILE).await;
        assert_eq!(nodes.orders(), 0, "{key}");
        let told = nodes.status(0)[0].last_error.clone().unwrap();
        assert!(told.contains("run a newer proxy-now") && told.contains(key.as_str()), "{told}");
        assert_eq!(bytes(&nodes, &key).await, LATER);
    }
}

/// Limits and external bindings hang on the account's key: nothing is registered in its place unasked.
#[tokio::test(start_paused = true)]
async fn a_damaged_account_is_told_with_the_remedy_and_the_others_are_listed() {
    let mut nodes = Nodes::new(36, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(WHILE).await;
    let good = bytes(&nodes, &account()).await;
    let unused = Key::account(&Ca::of("https://other.example/dir"), None);
    put(&nodes, &unused, &good).await;
    put(&nodes, &account(), b"{").await;
    restart(&mut nodes, &["a.test", "b.test"]).await;
    let listed = nodes.ask(0, AccountOrder::List).await.unwrap();
    let troubles: Vec<bool> = listed.iter().map(|one| one.trouble.is_some()).collect();
    assert_eq!(troubles, [true, false], "{listed:?}");
    for which in [None, Some("main".to_owned())] {
        let refused = nodes.ask(0, |done| AccountOrder::RollOver { which, done }).await.unwrap_err();
        assert!(refused.to_string().contains("remove it to have another account"), "{refused}");
    }
    assert!(nodes.serves(0, "a.test") && !nodes.serves(0, "b.test"));
    let told = nodes.status(0)[1].last_error.clone().unwrap();
    assert!(told.contains(account().as_str()) && told.contains("from a backup"), "{told}");
    assert_eq!(nodes.ca.with(|ca| ca.accounts.len()), 1);
    // Restored, it goes on by itself.
    put(&nodes, &account(), &good).await;
    nodes.pass(0.1).await;
    assert!(nodes.serves(0, "b.test"), "{:?}", nodes.status(0));
    assert_eq!(nodes.ca.with(|ca| ca.accounts.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_after_trouble_is_told_of_it_and_gets_another_certificate() {
    let nodes = Nodes::new(37, 1);
    nodes.want(&["a.test"]).await;
    nodes.pass(WHILE).await;
    let broken = certificate("a.test");
    let name = broken.to_string();
    nodes.store.set_faults(move |_, key| if key == name { Fault::Before } else { Fault::None });
    nodes.pass(0.3).await;
    let asked = nodes.renew(0, "a.test").await;
    assert!(matches!(&asked, Asked::Trouble(why) if why.contains("does not answer")), "{asked:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    nodes.store.clear_faults();
    nodes.renew(0, "a.test").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(nodes.orders(), 2, "the pause after trouble was not waited for");
    nodes.pass(1.0).await;
    assert_eq!(nodes.orders(), 2);
}

//! Accounts from one address, key and end to the next, with all that goes wrong on the way.

use super::sim::Nodes;
use crate::acme::sim::DIRECTORY;
use crate::driver::accounts::{AccountOrder, AccountRefusal, AccountStatus};
use crate::life::DAY;
use crate::storage::{Ca, Key, Storage};
use serde_json::json;
use std::time::Duration;

/// A tenth of a day.
const WHILE: f64 = 0.1;

async fn roll_over(nodes: &Nodes, node: usize) -> Result<AccountStatus, AccountRefusal> {
    nodes.ask(node, |done| AccountOrder::RollOver { which: None, done }).await
}

async fn deactivate(nodes: &Nodes, which: Option<&str>) -> Result<AccountStatus, AccountRefusal> {
    let which = which.map(str::to_owned);
    nodes.ask(0, |done| AccountOrder::Deactivate { which, done }).await
}

async fn list(nodes: &Nodes) -> Vec<AccountStatus> {
    nodes.ask(0, AccountOrder::List).await.unwrap()
}

/// Contact and status of each account at the CA.
fn at_the_ca(nodes: &Nodes) -> Vec<(String, &'static str)> {
    let shown = |account: &crate::acme::sim::SimAccount| (account.contact.to_string(), account.status);
    nodes.ca.with(|ca| ca.accounts.values().map(shown).collect())
}

async fn with_email(nodes: &mut Nodes, email: Option<&str>, names: &[&str]) {
    nodes.settings.email = email.map(str::to_owned);
    nodes.want(names).await;
    nodes.pass(WHILE).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_address_is_told_to_the_ca_and_the_account_goes_on() {
    let mut nodes = Nodes::new(1, 2);
    with_email(&mut nodes, Some("a@corp.example"), &["a.test"]).await;
    for email in [Some("b@corp.example"), None, Some("c@corp.example")] {
        with_email(&mut nodes, email, &["a.test"]).await;
        let contact = email.map(|email| format!("mailto:{email}"));
        let contact = json!(contact.into_iter().collect::<Vec<_>>()).to_string();
        assert_eq!(at_the_ca(&nodes), [(contact, "valid")]);
        let listed = list(&nodes).await;
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((listed[0].email.as_deref(), listed[0].contact_due), (email, false));
        let throttle = Key::throttle(&Ca::of(DIRECTORY), email.unwrap_or("default"));
        assert!(nodes.store.load(&throttle).await.unwrap().is_some(), "the CA counts on");
    }
    // A new name is ordered with the same account, also by a node that comes later.
    nodes.add();
    nodes.kill(0);
    with_email(&mut nodes, Some("c@corp.example"), &["a.test", "b.test"]).await;
    assert!(nodes.serves(1, "b.test"));
    assert_eq!(at_the_ca(&nodes).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_changed_while_nothing_ran_or_the_ca_was_down_is_told_later() {
    let mut nodes = Nodes::new(2, 1);
    with_email(&mut nodes, Some("a@corp.example"), &["a.test"]).await;
    nodes.kill(0);
    nodes.add();
    let now = (nodes.clock)();
    nodes.ca.with(|ca| ca.policy.outages.push(now..now + DAY / 2));
    with_email(&mut nodes, Some("b@corp.example"), &["a.test"]).await;
    let listed = list(&nodes).await;
    assert_eq!((listed.len(), listed[0].contact_due), (1, true), "{listed:?}");
    nodes.pass(1.0).await;
    assert_eq!(at_the_ca(&nodes), [("[\"mailto:b@corp.example\"]".to_owned(), "valid")]);
    assert!(!list(&nodes).await[0].contact_due);
    // Told once, and not again and again.
    let before = nodes.ca.with(|ca| ca.requests);
    nodes.want(&["a.test"]).await;
    nodes.pass(0.01).await;
    assert_eq!(nodes.ca.with(|ca| ca.requests), before);
}

#[tokio::test(start_paused = true)]
async fn another_key_is_used_by_all_nodes_from_then_on() {
    let nodes = Nodes::new(3, 2);
    nodes.want(&["a.test"]).await;
    nodes.pass(WHILE).await;
    let key = |nodes: &Nodes| nodes.ca.with(|ca| ca.accounts.values().next().unwrap().jwk.clone());
    let before = key(&nodes);
    let done = roll_over(&nodes, 0).await.unwrap();
    assert_eq!((done.algorithm.as_deref(), done.rollover_open), (Some("ES256"), false));
    assert_ne!(key(&nodes), before);
    nodes.want(&["a.test", "b.test", "c.test", "d.test"]).await;
    nodes.pass(100.0).await;
    assert!(["a.test", "b.test", "c.test", "d.test"].iter().all(|name| nodes.serves(1, name)));
    assert_eq!(at_the_ca(&nodes).len(), 1);
}

/// Whenever the process is killed, and whichever of the two keys the CA has then.
#[tokio::test(start_paused = true)]
async fn a_rollover_that_is_killed_at_any_moment_does_not_lose_the_account() {
    let mut open = 0;
    for moment in 0..14 {
        let mut nodes = Nodes::new(4, 1);
        nodes.want(&["a.test"]).await;
        nodes.pass(WHILE).await;
        tokio::select! {
            done = roll_over(&nodes, 0) => assert!(done.is_ok()),
            () = tokio::time::sleep(Duration::from_millis(1 + 100 * moment)) => {}
        }
        nodes.kill(0);
        nodes.add();
        open += usize::from(list(&nodes).await[0].rollover_open);
        nodes.want(&["a.test", "b.test"]).await;
        nodes.pass(WHILE).await;
        assert!(nodes.serves(0, "b.test"), "{moment}: {:?}", nodes.status(0));
        assert_eq!(at_the_ca(&nodes).len(), 1, "{moment}");
        assert!(!list(&nodes).await[0].rollover_open, "{moment}");
    }
    assert!(open > 2, "the moments are within the rollover: {open}");
}

#[tokio::test(start_paused = true)]
async fn a_rollover_at_a_ca_at_its_worst_ends_with_one_key_that_works() {
    let mut done = 0;
    for seed in 0..10 {
        let nodes = Nodes::new(seed, 1);
        nodes.want(&["a.test"]).await;
        nodes.pass(WHILE).await;
        nodes.ca.with(|ca| (ca.policy.lost_answers, ca.policy.bad_nonces) = (40, 30));
        done += usize::from(roll_over(&nodes, 0).await.is_ok());
        nodes.ca.with(|ca| (ca.policy.lost_answers, ca.policy.bad_nonces) = (0, 0));
        nodes.want(&["a.test", "b.test"]).await;
        nodes.pass(WHILE).await;
        assert!(nodes.serves(0, "b.test"), "seed {seed}: {:?}", nodes.status(0));
        assert_eq!(at_the_ca(&nodes).len(), 1, "seed {seed}");
    }
    assert!(done > 5, "{done}");
}

#[tokio::test(start_paused = true)]
async fn a_deactivated_account_is_removed_and_the_next_order_has_another() {
    let nodes = Nodes::new(5, 2);
    let nothing = deactivate(&nodes, None).await.unwrap_err();
    assert!(nothing.to_string().contains("no account yet"), "{nothing}");
    nodes.want(&["a.test"]).await;
    nodes.pass(WHILE).await;
    let wrong = deactivate(&nodes, Some("other")).await.unwrap_err();
    assert!(matches!(&wrong, AccountRefusal::Which(text) if text.ends_with("main")), "{wrong}");
    let closed = deactivate(&nodes, Some("main")).await.unwrap();
    assert!(closed.url.is_some());
    assert_eq!(list(&nodes).await[0].url, None);
    nodes.want(&["a.test", "b.test", "c.test", "d.test"]).await;
    nodes.pass(WHILE).await;
    assert!(["b.test", "c.test", "d.test"].iter().all(|name| nodes.serves(1, name)));
    let states: Vec<_> = at_the_ca(&nodes).into_iter().map(|(_, status)| status).collect();
    assert_eq!(states, ["deactivated", "valid"]);
}

fn close_all(nodes: &Nodes) {
    nodes.ca.with(|ca| ca.accounts.values_mut().for_each(|account| account.status = "deactivated"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_others_closed_is_replaced_once_a_day_at_most() {
    let nodes = Nodes::new(6, 2);
    nodes.want(&["a.test"]).await;
    nodes.pass(WHILE).await;
    close_all(&nodes);
    nodes.want(&["a.test", "b.test"]).await;
    nodes.pass(0.01).await;
    assert!(nodes.serves(0, "b.test"), "{:?}", nodes.status(0));
    close_all(&nodes);
    nodes.want(&["a.test", "b.test", "c.test", "d.test"]).await;
    nodes.pass(0.5).await;
    assert_eq!(at_the_ca(&nodes).len(), 2, "none more within a day");
    let told = nodes.status(0).iter().filter_map(|one| one.last_error.clone()).collect::<String>();
    assert!(told.contains("find out who closes"), "{told}");
    nodes.pass(1.0).await;
    assert!(nodes.serves(0, "c.test") && nodes.serves(0, "d.test"), "{:?}", nodes.status(0));
    assert_eq!(at_the_ca(&nodes).len(), 3);
    // One that is closed already is taken out all the same.
    close_all(&nodes);
    deactivate(&nodes, None).await.unwrap();
    assert_eq!(list(&nodes).await[0].url, None);
}

#[tokio::test(start_paused = true)]
async fn another_key_type_or_profile_is_noticed_at_once_but_not_obtained_again_and_again() {
    let mut nodes = Nodes::new(7, 1);
    nodes.ca.with(|ca| ca.policy.profiles.insert("short".to_owned(), 6 * DAY));
    nodes.want(&["a.test"]).await;
    nodes.pass(0.25).await;
    assert_eq!(nodes.orders(), 1);
    nodes.settings.key_type = crate::acme::KeyType::P384;
    nodes.want(&["a.test"]).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(nodes.orders(), 2, "the storage is looked at every six hours otherwise");
    nodes.settings.profile = Some("short".to_owned());
    nodes.want(&["a.test"]).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(nodes.orders(), 2, "not within ten minutes");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(nodes.orders(), 3);
    nodes.ca.with(|ca| assert_eq!(ca.orders[2].profile.as_deref(), Some("short")));
}

/// An order whose answer was lost is an order all the same.
#[tokio::test(start_paused = true)]
async fn lost_answers_make_no_orders_beyond_the_throttle() {
    let mut orders = 0;
    for seed in 1..=3 {
        let mut nodes = Nodes::new(seed, 2);
        nodes.throttle = crate::life::Throttle::new(2, Duration::from_secs(60));
        nodes.ca.with(|ca| ca.policy.lost_answers = 30);
        let names: Vec<String> = (0..8).map(|i| format!("h{i}.test")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        nodes.want(&names).await;
        nodes.pass(1.0).await;
        assert!(names.iter().all(|name| nodes.serves(0, name)), "seed {seed}: {:?}", nodes.status(0));
        let made: Vec<u64> = nodes.ca.with(|ca| ca.orders.iter().map(|order| order.made_at).collect());
        orders += made.len();
        // From the place in the throttle to the order some seconds go by where answers are lost.
        assert!(made.windows(3).all(|three| three[2] - three[0] >= 30), "seed {seed}: {made:?}");
    }
    assert!(orders > 3 * 8, "some answers were lost");
}

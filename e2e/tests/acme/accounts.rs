//! Accounts at a real CA: another address, another key (also where the process is killed on the way), their end.

use pn_testkit::{Finished, Pebble, PebbleOptions, Proxy, Signal, wait_until};
use serde_json::Value;

use crate::place::{Place, config, obtained, record, records};

const OTHER: &str = "
[sites.\"b.proxy.example\"]
respond = { body = \"b\" }
";

/// With a store that nobody shares.
fn with(email: &str) -> String {
    config(&format!("email = \"{email}\"")).replace("certificate-store = \"<store>\"\n", "")
}

fn start(place: &Place, pebble: &Pebble, config: &str) -> Proxy {
    place.setup(&pebble.directory(), pebble.authority()).start(config)
}

fn account(place: &Place) -> Value {
    record(&place.state(), "accounts")
}

fn acme(proxy: &Proxy, arguments: &[&str]) -> Finished {
    let address = proxy.admin().to_string();
    proxy.command(&[&["acme"], arguments, &["--address", &address]].concat())
}

fn listed(proxy: &Proxy) -> Value {
    let shown = acme(proxy, &["accounts", "--format", "json"]).expect_success();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    shown[0].clone()
}

/// While the account is taken over, it is there under both addresses for a moment.
#[track_caller]
fn wait_until_known(place: &Place, name: &str) {
    wait_until("the CA to know the address", || {
        let all = records(&place.state(), "accounts");
        let known = format!("mailto:{name}@proxy.example");
        all.len() == 1 && all[0]["body"]["contact"][0] == *known && all[0]["upkeep"].is_null()
    });
}

#[test]
fn another_address_is_told_to_the_ca_and_the_account_goes_on() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 20, ..PebbleOptions::default() });
    let mut proxy = start(&place, &pebble, &with("a@proxy.example"));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    let before = account(&place);
    proxy.reload_accepted(&with("b@proxy.example"));
    wait_until_known(&place, "b");
    let after = account(&place);
    assert_eq!((&after["url"], &after["email"]), (&before["url"], &"b@proxy.example".into()));
    // Changed again while nothing runs.
    proxy.stop();
    let mut again = start(&place, &pebble, &with("c@proxy.example"));
    wait_until_known(&place, "c");
    again.reload_accepted(&format!("{}{OTHER}", with("c@proxy.example")));
    place.wait_until_served(&again, "b.proxy.example", "b");
    assert_eq!(account(&place)["url"], before["url"]);
    assert_eq!(listed(&again)["email"], "c@proxy.example");
}

#[test]
fn another_key_is_used_from_then_on() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 20, ..PebbleOptions::default() });
    let mut proxy = start(&place, &pebble, &config(""));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    let before = account(&place);
    let said = acme(&proxy, &["rollover"]).expect_success();
    assert!(said.contains("has a new key"), "{said}");
    let after = account(&place);
    assert_eq!(after["url"], before["url"]);
    assert_ne!(after["key_pem"], before["key_pem"]);
    assert!(after["upkeep"].is_null());
    proxy.reload_accepted(&format!("{}{OTHER}", config("")));
    place.wait_until_served(&proxy, "b.proxy.example", "b");
    assert_eq!(account(&place)["url"], before["url"]);
    let unknown = acme(&proxy, &["rollover", "other"]);
    assert_eq!(unknown.code(), 1);
    assert!(unknown.stderr.contains("name an account, by its issuer or its URL: main"), "{}", unknown.stderr);
}

/// The CA holds its breath during the rollover, so that the process is killed with both keys in its hands. Whether the
/// CA carries it out afterwards makes no difference.
#[test]
fn a_rollover_that_is_killed_in_the_middle_does_not_lose_the_account() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = start(&place, &pebble, &config(""));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    let before = account(&place);
    pebble.peer().signal(Signal::STOP);
    std::thread::scope(|scope| {
        scope.spawn(|| acme(&proxy, &["rollover"]));
        wait_until("both keys to be stored", || account(&place)["upkeep"]["next_key_pem"].is_string());
        proxy.peer().signal(Signal::KILL);
    });
    drop(proxy);
    pebble.peer().signal(Signal::CONT);
    let again = start(&place, &pebble, &format!("{}{OTHER}", config("")));
    place.wait_until_served(&again, "b.proxy.example", "b");
    let after = account(&place);
    assert_eq!(after["url"], before["url"]);
    assert!(after["upkeep"].is_null(), "it is found out which key it has: {}", again.log());
}

#[test]
fn after_the_end_of_an_account_the_next_order_has_another() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let mut proxy = start(&place, &pebble, &config(""));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    let (before, url) = (account(&place), listed(&proxy)["url"].clone());
    assert_eq!(before["url"], url);
    let said = acme(&proxy, &["deactivate", url.as_str().expect("a URL")]).expect_success();
    assert!(said.contains("is deactivated and removed"), "{said}");
    assert_eq!(records(&place.state(), "accounts"), Vec::<Value>::new());
    assert!(listed(&proxy)["url"].is_null());
    proxy.reload_accepted(&format!("{}{OTHER}", config("")));
    place.wait_until_served(&proxy, "b.proxy.example", "b");
    assert_ne!(account(&place)["url"], before["url"]);
    // As somebody else closes it, behind the proxy's back: its record is put back in place.
    let closed = account(&place);
    acme(&proxy, &["deactivate", "main"]).expect_success();
    let folder = place.state().join("certificates/accounts");
    let ca = std::fs::read_dir(&folder).expect("a folder").flatten().next().expect("a CA").path();
    std::fs::write(ca.join("default.json"), closed.to_string()).expect("written");
    let third = OTHER.replace("b.proxy", "c.proxy").replace("\"b\"", "\"c\"");
    proxy.reload_accepted(&format!("{}{OTHER}{third}", config("")));
    place.wait_until_served(&proxy, "c.proxy.example", "c");
    assert_ne!(account(&place)["url"], closed["url"]);
    assert_eq!(obtained(&proxy), 3, "{}", proxy.log());
    assert!(proxy.log().contains("another one is registered, with a new key"), "{}", proxy.log());
}

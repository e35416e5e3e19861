//! While a CA does not do its part: the site is served at once, what is wrong is told with its reason, and all is well
//! when the CA is.

use std::sync::Arc;

use pn_testkit::{Authority, PebbleOptions, Proxy, free_port};

use crate::place::{Place, config, patiently, record};

#[track_caller]
fn served_by_the_internal_ca(place: &Place) {
    let root = place.state().join("internal-ca/root.crt").display().to_string();
    assert_eq!(place.visit_trusting(&root, "a.proxy.example", "--http2").expect_success(), "a 2");
}

/// What the schedule has of the last failure.
#[track_caller]
pub(crate) fn failure(place: &Place, proxy: &Proxy) -> String {
    patiently("a try to fail", || proxy.log().contains("certificate not obtained"));
    let told = || record(&place.state(), "schedule")["last_error"].as_str().unwrap_or_default().to_owned();
    // The log tells it before the schedule does: until then the record says that a try has begun.
    patiently("the failure to be noted", || !told().starts_with("the last try was not heard of"));
    told()
}

#[test]
fn a_ca_that_is_down_at_the_start_comes_back() {
    let (place, port) = (Place::new(), free_port());
    let authority = Arc::new(Authority::named("Directory Authority"));
    let setup = place.setup(&format!("https://localhost:{port}/dir"), &authority);
    let clock = place.clock("+0");
    let proxy = setup.clock_of(&clock).start(&config("challenges = [\"http-01\"]"));
    served_by_the_internal_ca(&place);
    let error = failure(&place, &proxy);
    assert!(error.contains(&format!("`https://localhost:{port}` cannot be reached")), "{error}");
    assert!(error.contains("Connection refused"), "{error}");

    let options = PebbleOptions { port: Some(port), authority: Some(authority), ..PebbleOptions::default() };
    let _pebble = place.pebble(PebbleOptions { bad_nonces: 50, ..options });
    place.clock("+3m");
    place.wait_until_served(&proxy, "a.proxy.example", "a");
}

/// The proxy is stopped while the CA makes up its mind, and no order is lost for good.
#[test]
fn an_order_that_stays_pending_keeps_nobody() {
    let (place, port) = (Place::new(), free_port());
    let authority = Arc::new(Authority::named("Directory Authority"));
    let options = PebbleOptions {
        port: Some(port),
        authority: Some(Arc::clone(&authority)),
        ..PebbleOptions::default()
    };
    let stuck = place.pebble(PebbleOptions { stuck: true, ..options.clone() });
    let setup = || place.setup(&format!("https://localhost:{port}/dir"), &authority);
    let config = config("challenges = [\"http-01\"]");
    let proxy = setup().start(&config);
    served_by_the_internal_ca(&place);
    stuck.peer().wait_for_log("Sleeping for");
    proxy.stop();
    drop(stuck);

    let _pebble = place.pebble(options);
    let clock = place.clock("+0");
    let proxy = setup().clock_of(&clock).start(&config);
    served_by_the_internal_ca(&place);
    let error = record(&place.state(), "schedule")["last_error"].clone();
    assert_eq!(error, "the last try was not heard of again: the process ended during it");
    place.clock("+3m");
    place.wait_until_served(&proxy, "a.proxy.example", "a");
}

/// Something before the proxy ends TLS: no tls-alpn-01 comes through, and nobody has said so.
#[test]
fn what_fails_by_one_challenge_is_tried_by_the_other() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { tls_port: Some(free_port()), ..PebbleOptions::default() });
    let clock = place.clock("+0");
    let setup = place.setup(&pebble.directory(), pebble.authority()).clock_of(&clock);
    let proxy = setup.start(&config(""));
    let error = failure(&place, &proxy);
    assert!(error.contains("not proven by tls-alpn-01"), "{error}");
    place.clock("+3m");
    place.wait_until_served(&proxy, "a.proxy.example", "a");
}

/// Years behind, no certificate of a CA is valid yet. Set right, the clock is noticed.
#[test]
fn a_clock_that_is_years_behind_is_told_and_may_be_set() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let clock = place.clock("-20y");
    let setup = place.setup(&pebble.directory(), pebble.authority()).clock_of(&clock);
    let proxy = setup.start(&config(""));
    let error = failure(&place, &proxy);
    assert!(
        error.contains("not valid yet") && error.contains("is the clock of this machine right?"),
        "{error}"
    );
    place.clock("+0");
    place.wait_until_served(&proxy, "a.proxy.example", "a");
}

/// The clock leaps over the end of what the internal CA made, as it does when a machine wakes up.
#[test]
fn a_clock_that_leaps_leaves_no_site_with_what_has_ended() {
    let place = Place::new();
    let clock = place.clock("-1y");
    let dead = format!("https://localhost:{}/dir", free_port());
    let setup = place.setup(&dead, &Authority::new()).clock_of(&clock);
    let local = "[issuers.own]\ninternal-ca = {}\n[sites.\"a.localhost\"]\nissuer = \"own\"\nrespond = { body = \"local\" }\n";
    let _proxy = setup.start(&format!("{}{local}", config("")));
    let root = place.state().join("internal-ca/root.crt").display().to_string();
    place.clock("+0");
    for (host, body) in [("a.proxy.example", "a 2"), ("a.localhost", "local 2")] {
        patiently("what is valid now", || place.visit_trusting(&root, host, "--http2").stdout == body);
    }
}

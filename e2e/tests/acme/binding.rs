//! Accounts of a CA that takes only those who have one there already (external account binding).

use pn_testkit::{PebbleOptions, Proxy, wait_for};

use crate::operator::show;
use crate::outages::failure;
use crate::place::{Place, config, patiently};

const HOST: &str = "a.proxy.example";
const KID: &str = "kid-1";
const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
const WRONG: &str = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc";

fn bound(kid: &str, key: &str) -> String {
    config(&format!("eab = {{ kid = \"{kid}\", hmac = \"{key}\" }}"))
}

#[test]
fn what_binds_the_account_is_told_to_be_missing_or_wrong_and_obtains_when_it_is_right() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { eab: Some((KID, KEY)), ..PebbleOptions::default() });
    let clock = place.clock("+0");
    let mut proxy = place.setup(&pebble.directory(), pebble.authority()).clock_of(&clock).start(&config(""));
    let mut told = failure(&place, &proxy);
    assert!(told.contains("set the issuer's `eab`"), "{told}");
    // Each is tried when its turn comes.
    for (config, clock, expected) in [
        (bound(KID, WRONG), "+3m", "is the issuer's `eab` what the CA handed out"),
        (bound("nobody", KEY), "+9m", "is the issuer's `eab` what the CA handed out"),
    ] {
        proxy.reload_accepted(&config);
        place.clock(clock);
        told = another_failure(&proxy, &told);
        assert!(told.contains(expected), "{told}");
        assert!(proxy.log().contains(expected), "{}", proxy.log());
        assert!(!proxy.log().contains(KEY) && !proxy.log().contains(WRONG), "{}", proxy.log());
    }
    proxy.reload_accepted(&bound(KID, KEY));
    place.clock("+20m");
    place.wait_until_served(&proxy, HOST, "a");
    patiently("no failure to be shown", || show(&proxy, HOST)["renewal"]["last_error"].is_null());
}

/// What `certs show` tells once it is not this any more.
#[track_caller]
fn another_failure(proxy: &Proxy, before: &str) -> String {
    wait_for("another failure", || {
        let shown = show(proxy, HOST)["renewal"]["last_error"].as_str()?.to_owned();
        (shown != before && !shown.starts_with("the last try was not heard of")).then_some(shown)
    })
}

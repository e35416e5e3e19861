//! Each challenge that the proxy answers itself or has a name server answer, with an issuer of two lines; sites that come
//! and go, and restarts.

use pn_testkit::{Named, PebbleOptions};

use crate::place::{Place, config, obtained};

const OTHER: &str = r#"
[sites."b.proxy.example"]
hosts = ["c.proxy.example"]
respond = { body = "b" }
"#;

#[test]
fn each_challenge_gets_a_certificate_that_clients_verify() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let place = Place::new();
        let pebble = place.pebble(PebbleOptions { bad_nonces: 50, ..PebbleOptions::default() });
        let more = format!("challenges = [\"{challenge}\"]");
        let proxy = place.setup(&pebble.directory(), pebble.authority()).start(&config(&more));
        place.wait_until_served(&proxy, "a.proxy.example", "a");
        assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
    }
}

#[test]
fn a_name_server_answers_as_well() {
    let (place, named) = (Place::new(), Named::start(&[("proxy.example", "")]));
    let options =
        PebbleOptions { bad_nonces: 50, name_server: Some(named.addr()), ..PebbleOptions::default() };
    let pebble = place.pebble(options);
    let more = format!(
        "dns = {{ provider = \"rfc2136\", server = \"{}\", tsig = {{ name = \"{}\", secret = \"{}\" }} }}",
        named.addr(),
        Named::KEY,
        Named::SECRET
    );
    let proxy = place.setup(&pebble.directory(), pebble.authority()).start(&config(&more));
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
}

#[test]
fn a_site_is_added_without_touching_the_others_and_all_outlive_a_restart() {
    let (place, config) = (Place::new(), config(""));
    // Half of all nonces refused, and half of the proofs used again.
    let pebble = place.pebble(PebbleOptions { bad_nonces: 50, reuse: 50, ..PebbleOptions::default() });
    let mut proxy = place.setup(&pebble.directory(), pebble.authority()).start(&config);
    place.wait_until_served(&proxy, "a.proxy.example", "a");
    proxy.reload_accepted(&format!("{config}{OTHER}"));
    for host in ["b.proxy.example", "c.proxy.example"] {
        place.wait_until_served(&proxy, host, "b");
    }
    assert_eq!(obtained(&proxy), 2, "{}", proxy.log());
    proxy.reload_accepted(&config);
    assert_eq!(place.visit("a.proxy.example", "--http1.1").expect_success(), "a 1.1");
    proxy.stop();
    let again = place.setup(&pebble.directory(), pebble.authority()).start(&format!("{config}{OTHER}"));
    // From the first moment, and without an order.
    for (host, body) in [("a.proxy.example", "a"), ("c.proxy.example", "b")] {
        assert_eq!(place.visit(host, "--http2").expect_success(), format!("{body} 2"));
    }
    assert_eq!(obtained(&again), 0, "{}", again.log());
}

//! What clients get when the CA's certificate is not there yet, or is there no longer.

use std::sync::Arc;

use pn_testkit::{Authority, Pebble, PebbleOptions, Proxy, curl, free_port};

use crate::outages::failure;
use crate::place::{Place, config, patiently};

const HOST: &str = "a.proxy.example";

#[test]
fn a_site_may_be_unavailable_until_its_certificate_is_there() {
    let (place, port) = (Place::new(), free_port());
    let authority = Arc::new(Authority::named("Directory Authority"));
    let setup = place.setup(&format!("https://localhost:{port}/dir"), &authority);
    let clock = place.clock("+0");
    let proxy = setup.clock_of(&clock).start(&config("until-issued = \"unavailable\""));
    let (resolve, url) =
        (format!("{HOST}:{}:127.0.0.1", place.tls), format!("https://{HOST}:{}/", place.tls));
    let answer = curl(&["--insecure", "--include", "--http1.1", "--resolve", &resolve, &url]);
    let answer = answer.expect_success().to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: "), "{answer}");

    // The next try is a minute or two later.
    failure(&place, &proxy);
    let options = PebbleOptions { port: Some(port), authority: Some(authority), ..PebbleOptions::default() };
    let _pebble = place.pebble(options);
    place.clock("+3m");
    place.wait_until_served(&proxy, HOST, "a");
}

/// Clients tell more clearly what is wrong than a refusal could; those here have the right time, and see nothing wrong.
#[test]
fn a_certificate_that_has_ended_is_served_on_and_loudly_told_of() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let clock = place.clock("+0");
    let start = |pebble: &Pebble| {
        place.setup(&pebble.directory(), pebble.authority()).clock_of(&clock).start(&config(""))
    };
    let proxy = start(&pebble);
    place.wait_until_served(&proxy, HOST, "a");
    assert_eq!(ended(&proxy), 0.0);

    // The CA is gone, and with it ten years.
    let again = place.setup(&pebble.directory(), pebble.authority()).clock_of(&clock);
    drop(pebble);
    place.clock("+10y");
    served_and_told(&place, &proxy);
    proxy.stop();
    served_and_told(&place, &again.start(&config("")));
}

#[track_caller]
fn served_and_told(place: &Place, proxy: &Proxy) {
    patiently("the end to be told of", || {
        proxy.log().contains("could not be renewed, and is served all the same")
    });
    assert_eq!(ended(proxy), 1.0);
    assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2");
}

fn ended(proxy: &Proxy) -> f64 {
    proxy.metrics().value("tls_certs_expired", &[])
}

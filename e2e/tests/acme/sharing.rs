//! Two processes on one store: one order for both, either answers the CA, and one goes on where the other died.

use pn_testkit::{Named, Nginx, PebbleOptions, Proxy, Setup, Signal};

use crate::place::{LISTENERS, Place, obtained, patiently};

const SITE: &str = r#"
[issuers.main.acme]
directory = "<directory>"
<more>

[sites."a.proxy.example"]
respond = { body = "a" }
"#;

/// The second one has its own ports and state, and the first one's store.
fn two() -> [Place; 2] {
    let first = Place::new();
    let second = Place::new().sharing(&first);
    [first, second]
}

/// Pebble reaches them through a balancer, in turns.
#[test]
fn two_processes_order_once_and_either_answers_the_ca() {
    let places = two();
    let servers = places.each_ref().map(|place| format!("server 127.0.0.1:{};", place.http)).concat();
    let balancer = Nginx::start(&format!(
        "upstream two {{ {servers} }} server {{ listen 127.0.0.1:<port>; location / {{ proxy_pass http://two; }} }}"
    ));
    let http_port = Some(balancer.addr().port());
    let pebble = places[0].pebble(PebbleOptions { http_port, ..PebbleOptions::default() });
    places[1].trust(&pebble.root());
    let start = |place: &Place| {
        let setup = place.setup(&pebble.directory(), pebble.authority());
        setup.set("more", "challenges = [\"http-01\"]").start(&format!("{LISTENERS}{SITE}"))
    };
    let proxies = places.each_ref().map(start);
    for (place, proxy) in places.iter().zip(&proxies) {
        patiently("both to serve", || place.visit("a.proxy.example", "--http1.1").stdout == "a 1.1");
        assert_eq!(place.visit("a.proxy.example", "--http2").expect_success(), "a 2", "{}", proxy.log());
    }
    assert_eq!(proxies.iter().map(obtained).sum::<usize>(), 1, "{proxies:?}");
}

/// The first one waits for a name server that never shows its record when it is killed.
#[test]
fn what_a_killed_process_began_the_other_ends() {
    let ([first, second], named) = (two(), Named::start(&[("proxy.example", "")]));
    let pebble = first.pebble(PebbleOptions { name_server: Some(named.addr()), ..PebbleOptions::default() });
    second.trust(&pebble.root());
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let seen_at = [silent.local_addr().expect("an address"), named.addr()];
    let start = |place: &Place, resolver, clock: &dyn Fn(Setup) -> Setup| -> Proxy {
        let dns = format!(
            "dns = {{ provider = \"rfc2136\", server = \"{}\", tsig = {{ name = \"{}\", secret = \"{}\" }}, propagation = {{ resolvers = \"{resolver}\", timeout = \"5m\" }} }}",
            named.addr(),
            Named::KEY,
            Named::SECRET
        );
        let setup = clock(place.setup(&pebble.directory(), pebble.authority()).set("more", dns));
        setup.start(&format!("{LISTENERS}{SITE}"))
    };
    let doomed = start(&first, seen_at[0], &|setup| setup);
    named.peer().wait_for_log("adding an RR");
    let clock = second.clock("+0");
    let heir = start(&second, seen_at[1], &|setup| setup.clock_of(&clock));
    doomed.peer().signal(Signal::KILL);
    doomed.peer().wait(pn_testkit::PATIENCE).expect("its end");
    // As after a failure, the next try is minutes away.
    second.clock("+3m");
    patiently("the other to obtain it", || obtained(&heir) == 1);
    second.wait_until_served(&heir, "a.proxy.example", "a");
    // What the dead one left goes with an order an hour later.
    patiently("the record to be gone", || named.count("_acme-challenge.a.proxy.example", 16) == 1);
}

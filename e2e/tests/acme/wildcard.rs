//! A wildcard and its apex, proven by two records at one place of a real BIND, in an issuer of two lines.

use pn_testkit::{Named, PebbleOptions, wait_until};

use crate::place::{LISTENERS, Place, obtained};

const SITES: &str = r#"
[issuers.main.acme]
directory = "<directory>"
dns = { provider = "rfc2136", server = "<dns>", tsig = { name = "<key>", secret = "<secret>" } }

[sites."*.proxy.example"]
hosts = ["proxy.example"]
respond = { body = "any" }

[sites."b.proxy.example"]
respond = { body = "b" }
"#;
const TXT: u16 = 16;

#[test]
fn a_wildcard_and_its_apex_are_proven_side_by_side_and_nothing_is_left() {
    let (place, named) = (Place::new(), Named::start(&[("proxy.example", "")]));
    let pebble = place.pebble(PebbleOptions { name_server: Some(named.addr()), ..PebbleOptions::default() });
    let setup = place.setup(&pebble.directory(), pebble.authority());
    let setup = setup.set("dns", named.addr()).set("key", Named::KEY).set("secret", Named::SECRET);
    let proxy = setup.start(&format!("{LISTENERS}{SITES}"));
    for (host, body) in [("proxy.example", "any"), ("a.proxy.example", "any"), ("b.proxy.example", "b")] {
        place.wait_until_served(&proxy, host, body);
    }
    assert_eq!(obtained(&proxy), 1, "the wildcard serves what it covers\n{}", proxy.log());
    wait_until("the records to be gone", || named.count("_acme-challenge.proxy.example", TXT) == 0);
    let log = named.peer().log();
    let changes: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(" an RR at ")?.0.rsplit(' ').next()).collect();
    assert_eq!(changes, ["adding", "adding", "deleting", "deleting"], "{log}");
}

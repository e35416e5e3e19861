//! Caddy as a CA of another making, and as the one that is asked when the first does not answer.

use pn_testkit::{Caddy, Named, alone, free_port};

use crate::place::{LISTENERS, Place, config, obtained};

const HOSTS: &str = "@ IN A 127.0.0.1\n* IN A 127.0.0.1";
const TWO: &str = r#"
[issuers.main.acme]
directory = "https://localhost:<dead>/directory"
fallback = ["second"]

[issuers.second.acme]
directory = "<directory>"

[sites."a.proxy.example"]
respond = { body = "a" }
"#;

#[test]
fn caddy_signs_by_each_challenge() {
    alone(|| {
        let named = Named::start_at(53, &[("proxy.example", HOSTS)]);
        let caddy = Caddy::start();
        let dns = format!(
            "dns = {{ provider = \"rfc2136\", server = \"{}\", tsig = {{ name = \"{}\", secret = \"{}\" }} }}",
            named.addr(),
            Named::KEY,
            Named::SECRET
        );
        for more in ["challenges = [\"http-01\"]", "challenges = [\"tls-alpn-01\"]", &dns] {
            let place = Place::usual();
            let proxy = place.setup(&caddy.directory(), caddy.authority()).start(&config(more));
            place.trust(&caddy.root());
            place.wait_until_served(&proxy, "a.proxy.example", "a");
            assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
            proxy.stop();
        }
    });
}

#[test]
fn the_second_issuer_serves_when_the_first_is_dead() {
    alone(|| {
        let _named = Named::start_at(53, &[("proxy.example", HOSTS)]);
        let caddy = Caddy::start();
        let place = Place::usual();
        place.trust(&caddy.root());
        let setup = place.setup(&caddy.directory(), caddy.authority()).set("dead", free_port());
        let proxy = setup.start(&format!("{LISTENERS}{TWO}"));
        place.wait_until_served(&proxy, "a.proxy.example", "a");
        let log = proxy.log();
        assert!(log.contains("certificate not obtained") && log.contains("cannot be reached"), "{log}");
    });
}

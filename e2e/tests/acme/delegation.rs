//! A zone that nobody can change, whose challenges are answered in another one by CNAME.

use pn_testkit::{Folder, Named, PebbleOptions, wait_until};

use crate::place::{LISTENERS, Place, obtained};

const SITES: &str = r#"
[issuers.main.acme]
directory = "<directory>"

[issuers.main.acme.dns]
provider = "rfc2136"
server = "<dns>"
tsig = { name = "<key>", secret = "<secret>" }
propagation = { resolvers = ["<dns>"] }

[sites."*.app.proxy.example"]
hosts = ["app.proxy.example"]
respond = { body = "app" }
"#;
/// The world as this name server has it; `recursion`, so that an alias is followed from one zone into another.
const VIEW: &str = "view \"all\" { recursion yes; allow-recursion { any; };\n\
    zone \".\" { type primary; file \"<dir>/root.zone\"; };\n<zones> };\n";
const ROOT: &str = "$TTL 5\n. IN SOA ns1.proxy.example. hostmaster.proxy.example. 1 3600 600 86400 5\n\
    . IN NS ns1.proxy.example.\n";
const DELEGATED: &str = "_acme-challenge.app IN CNAME app.challenges.example.";

#[test]
fn an_alias_is_followed_into_the_one_zone_that_takes_updates() {
    let (place, folder) = (Place::new(), Folder::new());
    folder.write("root.zone", ROOT);
    let zones = Named::primary(&folder, "proxy.example", DELEGATED, "grant nobody zonesub TXT;")
        + &Named::primary(&folder, "challenges.example", "other IN TXT \"stays\"", Named::POLICY);
    let named = Named::start_in(folder, &VIEW.replace("<zones>", &zones));
    let refused = named.update("update add _acme-challenge.proxy.example. 5 TXT value");
    assert!(refused.is_err_and(|error| error.contains("REFUSED")), "the first zone takes no updates");
    let records = || ["proxy.example", "challenges.example"].map(|zone| named.records(zone));
    let before = records();
    let pebble = place.pebble(PebbleOptions { name_server: Some(named.addr()), ..PebbleOptions::default() });
    let setup = place.setup(&pebble.directory(), pebble.authority());
    let setup = setup.set("dns", named.addr()).set("key", Named::KEY).set("secret", Named::SECRET);
    let proxy = setup.start(&format!("{LISTENERS}{SITES}"));
    for host in ["app.proxy.example", "any.app.proxy.example"] {
        place.wait_until_served(&proxy, host, "app");
    }
    assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
    wait_until("both zones to be as before", || records() == before);
    let log = named.peer().log();
    let added = log.lines().filter(|line| line.contains("adding an RR at 'app.challenges.example' TXT"));
    assert_eq!(added.count(), 2, "of the name and of its wildcard: {log}");
}

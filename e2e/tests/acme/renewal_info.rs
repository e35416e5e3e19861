//! What acme2certifier has and pebble lacks: renewal information, profiles, and records for good.

use pn_testkit::{Acme2Certifier, Named, Proxy, Setup, alone, wait_for};

use crate::place::{LISTENERS, Place, config, obtained, record};

const PERSISTENT: &str = r#"
[issuers.main.acme]
directory = "<directory>"
email = "ops@proxy.example.com"
challenges = ["dns-persist-01"]

[sites."*.proxy.example"]
hosts = ["proxy.example"]
respond = { body = "any" }
"#;
const HOSTS: &str = "@ IN A 127.0.0.1\n* IN A 127.0.0.1";
const DAY: u64 = 24 * 3600;

fn setup(place: &Place, ca: &Acme2Certifier) -> Setup {
    place.trust(&ca.root());
    place.setup(&ca.directory(), ca.authority())
}

/// The window that is kept for the one certificate: its start, its end, the moment drawn.
fn window(place: &Place) -> Option<[u64; 3]> {
    let kept = record(&place.state(), "certificates");
    let number = |name: &str| kept["ari"][name].as_u64();
    Some([number("window_start")?, number("window_end")?, number("selected")?])
}

/// The CA names an hour, half-way through 30 days: long before a third of them is left.
#[test]
fn a_certificate_is_renewed_when_the_ca_says_so_and_not_before() {
    alone(|| {
        let _names = Named::start_at(53, &[("proxy.example", HOSTS)]);
        let renewal = [
            ("renewalthreshold_pctg", "50"),
            ("renewal_window_duration", "3600"),
            ("retry_after_timeout", "3600"),
        ];
        let ca = Acme2Certifier::start("127.0.0.1", &["classic", "shortlived"], &renewal);
        let place = Place::usual();
        let config = config("email = \"ops@proxy.example.com\"\nprofile = \"shortlived\"");

        let proxy = setup(&place, &ca).start(&config);
        place.wait_until_served(&proxy, "a.proxy.example", "a");
        let [start, end, drawn] = wait_for("the window to be kept", || window(&place));
        let obtained_at = record(&place.state(), "certificates")["obtained_at"].as_u64().expect("a time");
        assert!(
            start.abs_diff(obtained_at + 15 * DAY) < 120 && end - start == 3600,
            "{start} {end} {obtained_at}"
        );
        assert!((start..end).contains(&drawn), "{start} {end} {drawn}");
        proxy.stop();

        let early = setup(&place, &ca).clock("+14d").start(&config);
        wait_for("the CA to be asked again", || asked_again(&ca));
        wait_for("the answer to be kept", || (next_question(&place) > obtained_at + 14 * DAY).then_some(()));
        assert_eq!((obtained(&early), window(&place)), (0, Some([start, end, drawn])), "{}", early.log());
        early.stop();

        let late = setup(&place, &ca).clock("+16d").start(&config);
        late.peer().wait_for_log("certificate obtained");
        let [first, second] = &ca.orders()[..] else { panic!("{:?}", ca.peer()) };
        assert_eq!((&first["profile"], &second["profile"]), (&"shortlived".into(), &"shortlived".into()));
        assert!(
            first["replaces"].is_null() && second["replaces"].as_str().is_some_and(|id| id.contains('.')),
            "{second}"
        );
    });
}

fn asked_again(ca: &Acme2Certifier) -> Option<()> {
    (ca.peer().log().matches("GET /acme/renewal-info/").count() >= 2).then_some(())
}

fn next_question(place: &Place) -> u64 {
    record(&place.state(), "certificates")["ari"]["retry_after"].as_u64().expect("a time")
}

/// The error of the first order is the line to put into the zone; wildcards come of it.
#[test]
fn a_record_that_stays_is_told_and_then_found() {
    alone(|| {
        let ca = Acme2Certifier::start("127.0.0.1", &[], &[]);
        let (place, config) = (Place::usual(), format!("{LISTENERS}{PERSISTENT}"));
        let names = Named::start_at(53, &[("proxy.example", HOSTS)]);
        let proxy = setup(&place, &ca).start(&config);
        proxy.peer().wait_for_log("certificate not obtained");
        let line = wait_for("the line to be told", || told(&proxy));
        assert!(
            line.starts_with("_validation-persist.proxy.example. 3600 IN TXT")
                && line.ends_with("; policy=wildcard\"")
                && line.contains("authority.example; accounturi=https:"),
            "{line}"
        );
        proxy.stop();
        drop(names);

        let _names = Named::start_at(53, &[("proxy.example", &format!("{HOSTS}\n{line}"))]);
        // The next try was minutes away.
        let proxy = setup(&place, &ca).clock("+5m").start(&config);
        for host in ["proxy.example", "any.proxy.example"] {
            place.wait_until_served(&proxy, host, "any");
        }
        assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
    });
}

/// The record in the log, as a zone's file has it.
fn told(proxy: &Proxy) -> Option<String> {
    let log = proxy.log();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let error = lines.find_map(|line| Some(line["error"].as_str()?.to_owned()))?;
    let (_, line) = error.rsplit_once("once, and the CA will need nothing more: ")?;
    Some(line.to_owned())
}

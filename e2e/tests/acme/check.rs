//! `check --acme` against real CAs: what goes wrong before the first order is said beforehand, and nothing is left.

use pn_testkit::{Authority, Named, Pebble, PebbleOptions, Setup};
use serde_json::Value;

use crate::place::{LISTENERS, Place, config, records};

const EAB: (&str, &str) = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
const TXT: u16 = 16;

struct Checked {
    code: i32,
    trials: Vec<Value>,
    all: String,
}

fn check(setup: &mut Setup, config: &str, arguments: &[&str]) -> Checked {
    let arguments = [&["check", "--format", "json"], arguments, &["site.toml"]].concat();
    let done = setup.command(&arguments, config);
    let all = format!("{}\n{}", done.stdout, done.stderr);
    let shown: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    let trials = shown["acme"][0]["trials"].as_array().cloned().unwrap_or_default();
    Checked { code: done.code(), trials, all }
}

impl Checked {
    /// What was tried and what came of it; `:` begins what the message of the last says.
    #[track_caller]
    fn expect(&self, code: i32, outcomes: &str, last: &str) {
        let outcome = |trial: &Value| {
            format!("{} {}", trial["what"].as_str().unwrap_or(""), trial["outcome"].as_str().unwrap_or(""))
        };
        let came: Vec<String> = self.trials.iter().map(outcome).collect();
        assert_eq!((self.code, came.join(", ").as_str()), (code, outcomes), "{}", self.all);
        let message = self.trials.last().map(|trial| trial["message"].to_string()).unwrap_or_default();
        assert!(message.contains(last), "{}", self.all);
    }
}

fn setup(place: &Place, pebble: &Pebble, authority: &Authority) -> Setup {
    place.setup(&pebble.directory(), authority)
}

#[test]
fn what_would_go_wrong_is_said_and_what_was_not_shown_too() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 30, ..PebbleOptions::default() });
    let mut own = setup(&place, &pebble, pebble.authority());
    let staged = "staging = \"<directory>\"";
    check(&mut own, &config(""), &["--acme"]).expect(0, "directory skipped", "--acme=live");
    check(&mut own, &config(""), &["--acme", "--strict"]).expect(1, "directory skipped", "--acme=live");
    let passed = "directory passed, account passed, certificate passed";
    let given_up = "a.proxy.example by tls-alpn-01; not shown: that the CA reaches the proxy";
    check(&mut own, &config(""), &["--acme=live"]).expect(0, passed, given_up);
    check(&mut own, &config(staged), &["--acme"]).expect(0, passed, given_up);
    let profile = check(&mut own, &config(&format!("{staged}\nprofile = \"none\"")), &["--acme"]);
    profile.expect(1, "directory passed, account passed, profile failed", "has no profile `none`");
    let blocked = config(staged).replace("a.proxy.example", "blocked-domain.example");
    let refused = "directory passed, account passed, certificate failed";
    check(&mut own, &blocked, &["--acme"]).expect(1, refused, "blocked-domain.example");
    let told = own.command(&["check", "--acme=live", "site.toml"], &blocked);
    assert!(told.code() == 1 && told.stdout.contains("site.toml: 1 failure at the CAs"), "{told:?}");
    let nobody = config(&format!("staging = \"https://127.0.0.1:{}/dir\"", pn_testkit::free_port()));
    check(&mut own, &nobody, &["--acme"]).expect(1, "directory failed", "look at the network");
    let mut stranger = setup(&place, &pebble, &Authority::new());
    check(&mut stranger, &config(staged), &["--acme"]).expect(1, "directory failed", "issuer's `roots`");
    let broken = own.command(&["check", "--acme", "site.toml"], &format!("{}\n[nonsense]\n", config(staged)));
    assert_eq!((broken.code(), broken.stdout.contains("directory")), (1, false), "{}", broken.stdout);
    let text = own.command(&["check", "--acme", "site.toml"], &config(staged)).expect_success();
    assert!(text.contains("\nmain (") || text.starts_with("main ("), "{text}");
    assert!(text.contains(", staging)\n  passed  directory: reached"), "{text}");
    assert_eq!(records(&place.state(), "accounts"), Vec::<Value>::new(), "nothing is kept");
}

#[test]
fn accounts_that_are_bound_are_tried_with_what_is_configured() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { eab: Some(EAB), ..PebbleOptions::default() });
    let mut own = setup(&place, &pebble, pebble.authority());
    let eab = |secret: &str| config(&format!("eab = {{ kid = \"{}\", hmac = \"{secret}\" }}", EAB.0));
    let failed = "directory passed, account failed";
    check(&mut own, &config(""), &["--acme=live"]).expect(1, failed, "set the issuer's `eab`");
    let wrong = eab("d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc");
    check(&mut own, &wrong, &["--acme=live"]).expect(1, failed, "refused with");
    let right = check(&mut own, &eab(EAB.1), &["--acme=live"]);
    right.expect(0, "directory passed, account passed, certificate passed", "ordered");
    assert!(right.all.contains("bound by the issuer's `eab`"), "{}", right.all);
}

#[test]
fn a_challenge_in_the_dns_is_gone_through_to_its_end() {
    let (place, named) = (Place::new(), Named::start(&[("proxy.example", "")]));
    let pebble = place.pebble(PebbleOptions { name_server: Some(named.addr()), ..PebbleOptions::default() });
    let mut own = setup(&place, &pebble, pebble.authority());
    let with = |staging: &str, secret: &str| {
        format!(
            "{LISTENERS}
[issuers.main.acme]
directory = \"<directory>\"
{staging}
key-type = \"p384\"
dns = {{ provider = \"rfc2136\", server = \"{}\", tsig = {{ name = \"{}\", secret = \"{secret}\" }} }}

[sites.\"*.proxy.example\"]
hosts = [\"proxy.example\"]
respond = {{ body = \"any\" }}
",
            named.addr(),
            Named::KEY
        )
    };
    let passed = "directory passed, account passed, certificate passed";
    let staged = "staging = \"<directory>\"";
    let done = check(&mut own, &with(staged, Named::SECRET), &["--acme"]);
    done.expect(0, passed, "issued for a key of P-384, and thrown away");
    let live = check(&mut own, &with("", Named::SECRET), &["--acme=live"]);
    live.expect(0, passed, "given up before a certificate was issued");
    let wrong = with(staged, "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I=");
    let refused = check(&mut own, &wrong, &["--acme"]);
    refused.expect(1, "directory passed, account passed, certificate failed", "BADSIG");
    assert_eq!(named.count("_acme-challenge.proxy.example", TXT), 0, "nothing is left");
}

//! DNS providers by their APIs, as builds with the feature `dns-providers` have them: their settings, their table in the
//! documentation, and one of them against a real server, PowerDNS.
#![expect(clippy::unwrap_used, reason = "tests; the lints know functions with #[test] only")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pn_acme::Time;
use pn_acme::acme::{Challenge, ChallengeKind, Identifier};
use pn_acme::dns::{DnsError, DnsSolver, HookAnswer, HttpClient, JsonPost, PROVIDERS, Provider};
use pn_acme::storage::{BoxFuture, MemoryStore, Storage};
use pn_model::acme::{DnsProvider, DnsSettings, Propagation};
use pn_model::{IssuerName, Secret};
use pn_testkit::PowerDns;

const NOW: Time = 1_767_225_600;
const ZONE: &str = "test.example";
const PLACE: &str = "_acme-challenge.test.example";

/// Of a provider that asks by a client of its own.
#[derive(Debug)]
struct NoClient;

impl HttpClient for NoClient {
    fn post<'a>(&'a self, _: JsonPost<'a>) -> BoxFuture<'a, Result<HookAnswer, String>> {
        Box::pin(async { Err("nobody is asked by HTTP here".to_owned()) })
    }
}

/// `resolver`: whom it asks for zones, and who must see the records.
fn solver(name: &str, settings: &[(&str, &str)], resolver: &str) -> Result<DnsSolver, DnsError> {
    let settings: BTreeMap<String, Secret> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
    let settings = DnsSettings {
        provider: DnsProvider::Library { name: name.to_owned(), settings },
        ttl: Duration::from_secs(60),
        propagation: Propagation {
            check: true,
            timeout: Duration::from_secs(10),
            interval: Duration::from_millis(20),
            resolvers: vec![resolver.to_owned()],
        },
    };
    let storage: Arc<dyn Storage> = Arc::new(MemoryStore::new("node", Arc::new(|| NOW)));
    let client: Arc<dyn HttpClient> = Arc::new(NoClient);
    DnsSolver::new(&IssuerName::new("main"), &settings, &client, &storage)
}

fn powerdns(server: &PowerDns, key: &str) -> DnsSolver {
    solver("pdns", &[("url", &server.api()), ("api-key", key)], &server.addr().to_string()).unwrap()
}

fn challenge(token: &str) -> Challenge {
    Challenge {
        kind: ChallengeKind::Dns01,
        identifier: Identifier::Dns(ZONE.to_owned()),
        wildcard: false,
        token: token.to_owned(),
        key_authorization: format!("{token}.thumbprint"),
        account_uri: "https://ca.example/acct/123".to_owned(),
        issuer_domains: vec!["ca.example".to_owned()],
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Orders at the same time, as of a name and of its wildcard, have one place: no value is lost, and each is removed
/// alone.
#[test]
fn orders_at_the_same_time_share_a_place_at_powerdns() {
    let server = PowerDns::start(ZONE);
    let solver = powerdns(&server, PowerDns::KEY);
    let challenges = ["one", "two", "three"].map(challenge);
    let values = |challenges: &[Challenge]| {
        let mut values: Vec<String> =
            challenges.iter().map(|each| format!("\"{}\"", each.txt_value())).collect();
        values.sort();
        values
    };
    let runtime = runtime();
    let presents = challenges.each_ref().map(|each| solver.present(std::slice::from_ref(each), NOW));
    let [one, two, three] = presents;
    let all = runtime.block_on(async { tokio::join!(one, two, three) });
    assert_eq!(all, (Ok(()), Ok(()), Ok(())));
    assert_eq!(server.txt(PLACE), values(&challenges));
    runtime.block_on(solver.withdraw(&challenges[..1])).unwrap();
    assert_eq!(server.txt(PLACE), values(&challenges[1..]));
    runtime.block_on(solver.withdraw(&challenges)).unwrap();
    assert_eq!(server.txt(PLACE), [""; 0]);
}

#[track_caller]
fn refused(presented: Result<(), DnsError>, expected: &[&str], never: &str) {
    let error = presented.unwrap_err().to_string();
    for each in expected {
        assert!(error.contains(each), "{each:?} in: {error}");
    }
    assert!(!error.contains(never), "{error}");
}

#[test]
fn each_failure_says_what_to_do() {
    let server = PowerDns::start(ZONE);
    let wrong = "another-key";
    let present = |solver: DnsSolver| runtime().block_on(solver.present(&[challenge("one")], NOW));
    refused(present(powerdns(&server, wrong)), &["`pdns`", PLACE, "credentials", "`settings`"], wrong);
    let nobody = format!("http://127.0.0.1:{}", pn_testkit::free_port());
    let settings = [("url", nobody.as_str()), ("api-key", wrong)];
    let solver = solver("pdns", &settings, &server.addr().to_string()).unwrap();
    refused(present(solver), &["`pdns`", PLACE, &nobody], wrong);
    assert_eq!(server.txt(PLACE), [""; 0]);
}

#[test]
fn settings_are_checked_by_name() {
    for (name, keys, expected) in [
        ("cloudflare", &["token"][..], None),
        ("cloudflare", &[], Some("lacks its setting `token`")),
        ("cloudflare", &["token", "tokem"], Some("takes no setting `tokem`, only `token`")),
        ("route53", &["access-key-id", "secret-access-key", "hosted-zone-id"], None),
        ("cloudfare", &["token"], Some("cloudflare")),
    ] {
        let settings: Vec<(&str, &str)> = keys.iter().map(|key| (*key, "hush")).collect();
        let made = solver(name, &settings, "127.0.0.1:53").map(|made| format!("{made:?}"));
        match (made, expected) {
            (Ok(shown), None) => assert!(!shown.contains("hush"), "{shown}"),
            (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (made, _) => panic!("{name} {keys:?}: {made:?}"),
        }
    }
}

const HEAD: &str = "| provider | needs | takes |\n|---|---|---|\n";

/// The table is that of the code, row by row.
#[test]
#[expect(clippy::disallowed_methods, reason = "the order to write is no setting of the proxy")]
fn the_documentation_has_the_table_of_providers() {
    assert!(PROVIDERS.is_sorted_by_key(|provider| provider.name));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dns-challenges.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(HEAD).unwrap_or_else(|| panic!("no table in {}", path.display()));
    let (written, after) = rest.split_once("\n\n").unwrap();
    let rows: Vec<String> = PROVIDERS.iter().map(row).collect();
    let expected = rows.join("\n");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, format!("{before}{HEAD}{expected}\n\n{after}")).unwrap();
    } else {
        assert!(
            written == expected,
            "the table of providers is not up to date: `cargo xtask docs` writes it"
        );
    }
}

fn row(provider: &Provider) -> String {
    let keys = |keys: &[&str]| match keys {
        [] => String::new(),
        keys => format!("`{}`", keys.join("`, `")),
    };
    format!("| `{}` | {} | {} |", provider.name, keys(provider.needs), keys(provider.takes))
}

//! Session tickets: over reloads where nothing is changed, and never into another policy.

use super::Clock;
use super::pki::Ca;
use super::world::{Client, Failure, Site, World, client_auth, policy, site};
use pn_model::TlsPolicy;
use pn_model::tls::{ClientAuthMode, TlsVersion};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn client(version: &'static SupportedProtocolVersion) -> Arc<rustls::ClientConfig> {
    Client { versions: vec![version], ..Client::new() }.config()
}

#[test]
fn a_session_is_resumed() {
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let world = World::new(&[site(&["a.example"], &leaf)]);
    for version in BOTH {
        let client = client(version);
        assert!(!world.connect(&client, "a.example").unwrap().info.resumed);
        assert!(world.connect(&client, "a.example").unwrap().info.resumed, "{version:?}");
    }
}

#[test]
fn reloads_keep_the_sessions_of_unchanged_policies() {
    let ca = Ca::new("ca");
    let (old, renewed, other) = (ca.leaf(&["a.example"]), ca.leaf(&["a.example"]), ca.leaf(&["b.example"]));
    for version in BOTH {
        let mut world = World::new(&[site(&["a.example"], &old)]);
        let client = client(version);
        world.connect(&client, "a.example").unwrap();
        world.reload(&[site(&["a.example"], &old), site(&["b.example"], &other)]);
        assert!(world.connect(&client, "a.example").unwrap().info.resumed, "another site: {version:?}");
        world.reload(&[site(&["a.example"], &renewed)]);
        assert!(
            world.connect(&client, "a.example").unwrap().info.resumed,
            "renewed certificate: {version:?}"
        );
    }
}

/// Opens a session under `before`, reloads to `after`, and tells whether the session is resumed there, and whether
/// the ids of the two policies are equal.
fn over_a_change(
    before: Option<&TlsPolicy>,
    after: Option<&TlsPolicy>,
    client: &Arc<rustls::ClientConfig>,
) -> (Result<bool, Failure>, bool) {
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let under = |policy: Option<&TlsPolicy>| -> Site {
        let site = site(&["a.example"], &leaf);
        match policy {
            Some(policy) => site.under(policy),
            None => site,
        }
    };
    let mut world = World::new(&[under(before)]);
    world.connect(client, "a.example").unwrap();
    let old = world.table.policy_of("tls", "a.example");
    world.reload(&[under(after)]);
    let same = world.table.policy_of("tls", "a.example") == old;
    (world.connect(client, "a.example").map(|done| done.info.resumed), same)
}

#[test]
fn no_session_survives_a_change_of_what_is_demanded() {
    let (ca, wider) = (Ca::new("clients"), Ca::new("more clients"));
    let person = ca.leaf(&["person"]);
    let auth = |mode, roots: &[&Ca]| policy("p", |policy| policy.client_auth = client_auth(mode, roots));
    let strict = auth(ClientAuthMode::RequireAndVerify, &[&ca]);
    let wide = auth(ClientAuthMode::RequireAndVerify, &[&ca, &wider]);
    let lenient = auth(ClientAuthMode::Request, &[]);
    let given = auth(ClientAuthMode::VerifyIfGiven, &[&ca]);
    let mut revoking = strict.clone();
    revoking.client_auth.as_mut().unwrap().crls = vec![ca.revoking(&[], 30)];
    for (name, before, after) in [
        ("switched on", None, Some(&strict)),
        ("switched off", Some(&strict), None),
        ("made strict", Some(&lenient), Some(&strict)),
        ("made lenient", Some(&strict), Some(&given)),
        ("other roots", Some(&wide), Some(&strict)),
        ("other revocations", Some(&strict), Some(&revoking)),
    ] {
        for version in BOTH {
            let client = Client { versions: vec![version], ..Client::with(Some(&person)) }.config();
            let (resumed, same) = over_a_change(before, after, &client);
            assert!(!resumed.unwrap(), "{name} {version:?}");
            assert!(!same, "{name}: the ids must differ");
        }
    }
}

#[test]
fn a_client_without_a_certificate_gains_nothing_by_an_old_session() {
    let ca = Ca::new("clients");
    let auth = |mode| policy("p", |policy| policy.client_auth = client_auth(mode, &[&ca]));
    let (given, strict) = (auth(ClientAuthMode::VerifyIfGiven), auth(ClientAuthMode::RequireAndVerify));
    for before in [None, Some(&given)] {
        for version in BOTH {
            let (met, _) = over_a_change(before, Some(&strict), &client(version));
            assert!(matches!(met, Err(Failure::Server(rustls::Error::NoCertificatesPresented))), "{met:?}");
        }
    }
}

#[test]
fn names_of_policies_and_orders_of_roots_are_not_demands() {
    let (one, two) = (Ca::new("one"), Ca::new("two"));
    let person = one.leaf(&["person"]);
    let auth = |name: &str, roots: &[&Ca]| {
        policy(name, |policy| {
            policy.client_auth = client_auth(ClientAuthMode::RequireAndVerify, roots);
        })
    };
    let client = Client::with(Some(&person)).config();
    let (resumed, same) =
        over_a_change(Some(&auth("a", &[&one, &two])), Some(&auth("b", &[&two, &one])), &client);
    assert!(resumed.unwrap() && same);
    let default = policy("same-as-default", |_| {});
    let (resumed, same) = over_a_change(None, Some(&default), &client);
    assert!(resumed.unwrap() && same);
    let newer = policy("newer", |policy| policy.min_version = TlsVersion::V1_3);
    let (resumed, same) = over_a_change(None, Some(&newer), &client);
    assert!(!resumed.unwrap() && !same);
}

#[test]
fn a_policy_that_was_gone_for_a_while_starts_anew() {
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let newer = policy("newer", |policy| policy.min_version = TlsVersion::V1_3);
    let mut world = World::new(&[site(&["a.example"], &leaf)]);
    let client = Client::new().config();
    world.connect(&client, "a.example").unwrap();
    world.reload(&[site(&["a.example"], &leaf).under(&newer)]);
    world.reload(&[site(&["a.example"], &leaf)]);
    assert!(!world.connect(&client, "a.example").unwrap().info.resumed);
}

#[test]
fn a_session_does_not_move_to_another_name() {
    let leaf = Ca::new("ca").leaf(&["*.example"]);
    let world = World::new(&[site(&["*.example"], &leaf)]);
    for version in BOTH {
        let client = client(version);
        world.connect(&client, "a.example").unwrap();
        assert!(!world.connect(&client, "b.example").unwrap().info.resumed);
    }
}

#[test]
fn tickets_die_with_their_keys() {
    let clock = Clock::real();
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let world = World::with_clock(&[site(&["a.example"], &leaf)], clock.clone());
    let client = Client::new().config();
    world.connect(&client, "a.example").unwrap();
    clock.advance(7 * 3600);
    assert!(world.connect(&client, "a.example").unwrap().info.resumed, "the previous key still opens");
    clock.advance(13 * 3600);
    assert!(
        !world.connect(&client, "a.example").unwrap().info.resumed,
        "no key older than two rotations opens"
    );
}

#[test]
fn a_resumed_client_whose_certificate_expired_is_refused() {
    let ca = Ca::new("clients");
    let strict =
        policy("p", |policy| policy.client_auth = client_auth(ClientAuthMode::RequireAndVerify, &[&ca]));
    // Expired for the real clock, which judges the resumed session, but not yet for the server's clock, by which the
    // first handshake verifies.
    let now = time::OffsetDateTime::now_utc();
    let ending = now - time::Duration::minutes(10);
    let person =
        ca.leaf_until(&["person"], &rcgen::PKCS_ECDSA_P256_SHA256, now - time::Duration::days(1), ending);
    let clock = Clock::at(ending.unix_timestamp() as u64 - 60);
    let leaf = Ca::new("ca").leaf(&["a.example"]);
    let world = World::with_clock(&[site(&["a.example"], &leaf).under(&strict)], clock);
    for version in BOTH {
        let client = Client { versions: vec![version], ..Client::with(Some(&person)) }.config();
        assert!(!world.connect(&client, "a.example").unwrap().info.resumed);
        assert!(matches!(world.connect(&client, "a.example"), Err(Failure::ExpiredSession)), "{version:?}");
    }
}

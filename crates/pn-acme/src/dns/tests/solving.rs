//! Whole challenges: where records go, how long they are waited for, what is left of them afterwards.

use pn_model::IssuerName;

use super::super::DnsError;
use super::*;

const APEX: &str = "_acme-challenge.test.example.";

#[test]
fn a_name_and_its_wildcard_share_one_place() {
    let named = Named::start(&[(ZONE, "")]);
    let server = named.addr();
    let solver = solver(rfc2136(server), lookup(server));
    let [apex, wildcard] = [challenge(ZONE, "apex"), challenge("*.test.example", "wildcard")];
    run(async {
        let both = tokio::join!(
            solver.present(std::slice::from_ref(&apex), NOW),
            solver.present(std::slice::from_ref(&wildcard), NOW),
        );
        assert_eq!(both, (Ok(()), Ok(())));
        let mut expected = [apex.txt_value(), wildcard.txt_value()];
        expected.sort();
        assert_eq!(txt(server, APEX).await, expected);
        solver.withdraw(&[apex]).await.unwrap();
        assert_eq!(txt(server, APEX).await, [wildcard.txt_value()]);
    });
}

#[test]
fn nothing_is_left_of_a_failure() {
    let named = Named::start(&[(ZONE, "")]);
    let server = named.addr();
    let challenges = [challenge(ZONE, "one"), challenge("elsewhere.net", "two")];
    let presenter = rfc2136(server);
    run(async {
        presenter.append(&record(APEX, "of-another-order")).await.unwrap();
        let error = solver(rfc2136(server), lookup(server)).present(&challenges, NOW).await.unwrap_err();
        assert!(error.to_string().contains("elsewhere.net"), "{error}");
        assert_eq!(txt(server, APEX).await, ["of-another-order"]);
    });
}

#[test]
fn a_record_is_removed_by_a_process_that_did_not_make_it() {
    let named = Named::start(&[(ZONE, "")]);
    let (server, storage) = (named.addr(), store());
    let challenges = [challenge(ZONE, "one")];
    let node = || solver_in(Arc::clone(&storage), rfc2136(server), lookup(server));
    run(async {
        node().present(&challenges, NOW).await.unwrap();
        node().withdraw(&challenges).await.unwrap();
        assert_eq!(txt(server, APEX).await, [""; 0]);
    });
}

#[test]
fn what_a_killed_process_left_goes_with_a_later_order() {
    let named = Named::start(&[(ZONE, "")]);
    let (server, storage) = (named.addr(), store());
    let node = || solver_in(Arc::clone(&storage), rfc2136(server), lookup(server));
    let of = |name: &str| DnsSolver {
        journal: Journal { storage: Arc::clone(&storage), issuer: name.to_owned() },
        ..node()
    };
    let [left, live, other, last] = ["left", "live", "other", "last"].map(|token| challenge(ZONE, token));
    let values = |challenges: &[&Challenge]| {
        let mut values: Vec<String> = challenges.iter().map(|challenge| challenge.txt_value()).collect();
        values.sort();
        values
    };
    run(async {
        node().present(std::slice::from_ref(&left), NOW).await.unwrap();
        of("other").present(std::slice::from_ref(&other), NOW).await.unwrap();
        node().present(std::slice::from_ref(&live), NOW + 3000).await.unwrap();
        assert_eq!(txt(server, APEX).await, values(&[&left, &live, &other]));
        node().present(std::slice::from_ref(&last), NOW + 8_000).await.unwrap();
        assert_eq!(txt(server, APEX).await, values(&[&live, &other, &last]));
        // Nor does it wait for an order that never comes.
        node().tidy(NOW + 11_000).await.unwrap();
        assert_eq!(txt(server, APEX).await, values(&[&other, &last]));
    });
}

#[test]
fn what_could_not_be_removed_is_removed_later() {
    let named = Named::start(&[(ZONE, "")]);
    let (server, storage) = (named.addr(), store());
    let wrong = Tsig { secret: Secret::new("b3RoZXI="), ..tsig() };
    let locked_out = Rfc2136::new(&server.to_string(), Some(&wrong)).unwrap();
    let challenges = [challenge(ZONE, "one")];
    let node = || solver_in(Arc::clone(&storage), rfc2136(server), lookup(server));
    run(async {
        node().present(&challenges, NOW).await.unwrap();
        let error = solver_in(Arc::clone(&storage), locked_out, lookup(server)).withdraw(&challenges).await;
        assert!(error.unwrap_err().to_string().contains("refuses to remove"));
        node().present(&[challenge("www.test.example", "two")], NOW + 8_000).await.unwrap();
        assert_eq!(txt(server, APEX).await, [""; 0]);
    });
}

#[test]
fn an_alias_is_followed_into_another_zone() {
    let named = Named::start(&[
        (ZONE, "_acme-challenge.www IN CNAME a.deleg\na.deleg IN CNAME www.acme.example."),
        ("acme.example", ""),
    ]);
    let server = named.addr();
    let challenges = [challenge("www.test.example", "one")];
    run(async {
        let solver = solver(rfc2136(server), lookup(server));
        solver.present(&challenges, NOW).await.unwrap();
        assert_eq!(txt(server, "www.acme.example").await, [challenges[0].txt_value()]);
        solver.withdraw(&challenges).await.unwrap();
        assert_eq!(txt(server, "www.acme.example").await, [""; 0]);
    });
}

#[test]
fn aliases_that_lead_nowhere_are_refused() {
    let chain: String = (0..9).map(|n| format!("l{n} IN CNAME l{}\n", n + 1)).collect();
    let records = format!(
        "_acme-challenge.loop IN CNAME b\nb IN CNAME _acme-challenge.loop\n_acme-challenge.long IN CNAME l0\n{chain}"
    );
    let named = Named::start(&[(ZONE, &records)]);
    let solver = solver(rfc2136(named.addr()), lookup(named.addr()));
    let present = |name| run(solver.present(&[challenge(name, "one")], NOW)).unwrap_err();
    let error = present("loop.test.example");
    assert!(matches!(&error, DnsError::Loop { through, .. } if through == "b.test.example."), "{error}");
    let error = present("long.test.example");
    assert!(matches!(error, DnsError::TooManyAliases { most: 8, .. }), "{error}");
}

#[test]
fn an_alias_of_all_names_is_not_that_of_a_challenge() {
    let named = Named::start(&[(ZONE, "* IN CNAME front.elsewhere.net.")]);
    let server = named.addr();
    let challenges = [challenge("www.test.example", "one")];
    run(async {
        solver(rfc2136(server), lookup(server)).present(&challenges, NOW).await.unwrap();
        assert_eq!(txt(server, "_acme-challenge.www.test.example").await, [challenges[0].txt_value()]);
    });
}

#[test]
fn every_witness_must_see_the_record() {
    let (first, second) = (Named::start(&[(ZONE, "")]), Named::start(&[(ZONE, "")]));
    let servers = [first.addr(), second.addr()].map(|server| server.to_string());
    let lookup = Lookup::new(&servers, Some(&servers[0]));
    let challenges = [challenge(ZONE, "one")];
    run(async {
        let error = solver(rfc2136(first.addr()), lookup.clone())
            .present(&challenges, NOW)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&servers[1]) && !error.contains(&servers[0]), "{error}");
        assert!(error.contains("has no such record") && error.contains("propagation.timeout"), "{error}");
        assert_eq!(txt(first.addr(), APEX).await, [""; 0]);

        let patient = Propagation { timeout: Duration::from_secs(20), ..quick() };
        let solver = DnsSolver { propagation: patient, ..solver(rfc2136(first.addr()), lookup) };
        let late = async {
            while txt(first.addr(), APEX).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            rfc2136(second.addr()).append(&record(APEX, &challenges[0].txt_value())).await.unwrap();
        };
        let (presented, ()) = tokio::join!(solver.present(&challenges, NOW), late);
        presented.unwrap();
    });
}

#[test]
fn the_zones_own_name_servers_are_asked_where_no_resolvers_are_named() {
    let named = Named::start(&[(ZONE, "@ IN NS ns2\nns2 IN A 127.0.0.1")]);
    let server = named.addr();
    let lookup =
        Lookup { resolvers_testify: false, port: server.port(), ..Lookup::new(&[server.to_string()], None) };
    run(async {
        let witnesses = lookup.witnesses(&absolute(APEX).unwrap()).await.unwrap();
        let mut names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["ns1.test.example.", "ns2.test.example."]);
        solver(rfc2136(server), lookup).present(&[challenge(ZONE, "one")], NOW).await.unwrap();
    });
}

#[test]
fn the_server_that_takes_updates_is_asked_where_no_resolver_knows_the_zone() {
    let (public, private) = (Named::start(&[("public.example", "")]), Named::start(&[(ZONE, "")]));
    let lookup = Lookup {
        resolvers_testify: false,
        ..Lookup::new(&[public.addr().to_string()], Some(&private.addr().to_string()))
    };
    run(solver(rfc2136(private.addr()), lookup).present(&[challenge(ZONE, "one")], NOW)).unwrap();
}

#[test]
fn without_a_check_nobody_is_asked() {
    let (named, nobody) = (Named::start(&[(ZONE, "")]), "127.0.0.1:1".to_owned());
    let lookup = Lookup::new(&[nobody], Some(&named.addr().to_string()));
    let settings = Propagation { check: false, ..quick() };
    let solver = DnsSolver { propagation: settings, ..solver(rfc2136(named.addr()), lookup) };
    run(solver.present(&[challenge(ZONE, "one")], NOW)).unwrap();
}

#[test]
fn addresses_and_missing_providers_are_refused() {
    let solver = DnsSolver::without_provider(&IssuerName::new("main"), &store());
    let error = run(solver.present(&[challenge(ZONE, "one")], NOW)).unwrap_err().to_string();
    assert!(error.contains("needs a provider"), "{error}");
    let named = Named::start(&[(ZONE, "")]);
    let solver = self::solver(rfc2136(named.addr()), lookup(named.addr()));
    let address = Challenge { identifier: Identifier::parse("192.0.2.1"), ..challenge(ZONE, "one") };
    let error = run(solver.present(&[address], NOW)).unwrap_err().to_string();
    assert!(error.contains("RFC 8738"), "{error}");
}

fn persistent(name: &str) -> Challenge {
    Challenge { kind: ChallengeKind::DnsPersist01, ..challenge(name, "") }
}

#[test]
fn a_persistent_record_is_asked_for_by_its_line() {
    let record = "ca.example; accounturi=https://ca.example/acct/123";
    let records = format!(
        "_validation-persist.here IN TXT \"{record}\"\n_validation-persist.sub IN TXT \"{record}; policy=wildcard\""
    );
    let named = Named::start(&[(ZONE, &records)]);
    let solver = DnsSolver { presenter: None, ..solver(rfc2136(named.addr()), lookup(named.addr())) };
    let present = |name: &str| run(solver.present(&[persistent(name)], NOW));
    for name in ["here.test.example", "sub.test.example", "*.sub.test.example", "www.sub.test.example"] {
        present(name).unwrap();
    }
    for (name, problem, line) in [
        (
            "absent.test.example",
            "there is no TXT record",
            ".absent.test.example. 3600 IN TXT \"ca.example; accounturi=",
        ),
        ("*.here.test.example", "does not allow wildcards", "/123; policy=wildcard\""),
        (
            "below.here.test.example",
            "there is no TXT record",
            "_validation-persist.below.here.test.example. ",
        ),
    ] {
        let error = present(name).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(line), "{name}: {error}");
    }
}

#[test]
fn a_persistent_record_is_made_once_and_stays() {
    let named = Named::start(&[(ZONE, "")]);
    let server = named.addr();
    let solver = solver(rfc2136(server), lookup(server));
    let challenges = [persistent("*.test.example")];
    run(async {
        for _ in 0..2 {
            solver.present(&challenges, NOW).await.unwrap();
            solver.withdraw(&challenges).await.unwrap();
        }
        let expected = "ca.example; accounturi=https://ca.example/acct/123; policy=wildcard";
        assert_eq!(txt(server, "_validation-persist.test.example").await, [expected]);
    });
}

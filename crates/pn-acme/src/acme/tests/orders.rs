//! Orders of a CA without faults, or with one of them.

use super::*;
use crate::acme::sim::Replaces;
use std::cell::RefCell;
use std::collections::BTreeMap;

#[test]
fn every_kind_of_name_is_proven_and_nothing_stays_presented() {
    use ChallengeKind::*;
    for (names, configured, expected) in [
        (&["a.test"][..], &[TlsAlpn01, Http01][..], &[TlsAlpn01][..]),
        (&["a.test", "b.test"], &[Http01], &[Http01, Http01]),
        (&["*.a.test", "a.test"], &[Dns01], &[Dns01, Dns01]),
        (&["*.a.test", "a.test"], &[Http01, Dns01], &[Dns01, Http01]),
        (&["192.0.2.1", "2001:db8::1"], &[Dns01, Http01], &[Http01, Http01]),
        (&["*.a.test"], &[DnsPersist01, Dns01], &[DnsPersist01]),
    ] {
        let mut scene = Scene::registered(1);
        let presented = RefCell::new(Vec::new());
        let mut machine = Order { challenges: configured.to_vec(), ..order(names) }.machine(&scene.session);
        let obtained = sim::present_by(&mut machine, &mut scene.ca, &mut scene.now, |action| {
            let Action::Present(challenges) = action else { panic!("{action:?}") };
            presented.borrow_mut().extend(challenges.iter().map(|challenge| challenge.kind));
            Ok(())
        })
        .unwrap();
        assert_eq!(*presented.borrow(), expected, "{names:?}");
        assert_eq!(obtained.chain_pem, scene.ca.certificates[0].chain_pem);
        assert_eq!(scene.ca.certificates[0].names.len(), names.len());
        assert_eq!(CertId::of_pem(&obtained.chain_pem).as_ref(), Some(&scene.ca.certificates[0].id));
        let left: Vec<_> = scene.ca.board.iter().map(|challenge| challenge.kind).collect();
        let persists: Vec<_> = expected.iter().copied().filter(|kind| *kind == DnsPersist01).collect();
        assert_eq!(left, persists, "only a record that persists is left");
    }
}

#[test]
fn names_that_are_proven_already_are_passed_over() {
    let mut scene = Scene::registered(2);
    scene.ca.policy.reuse = 86_400;
    scene.order(order(&["a.test"])).unwrap();
    let mut machine = order(&["a.test", "b.test"]).machine(&scene.session);
    let mut presented = Vec::new();
    let outcome = sim::present_by(&mut machine, &mut scene.ca, &mut scene.now, |action| {
        let Action::Present(challenges) = action else { panic!("{action:?}") };
        presented.extend(challenges.iter().map(|challenge| challenge.identifier.to_string()));
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(presented, ["b.test"]);
    let mut all = order(&["a.test", "b.test"]).machine(&scene.session);
    sim::present_by(&mut all, &mut scene.ca, &mut scene.now, |_| panic!("nothing is open")).unwrap();
}

#[test]
fn one_name_that_fails_ends_the_order_with_its_name_and_the_way_it_was_tried() {
    for (stuck, silent, lingering) in
        [(false, false, false), (true, false, false), (false, true, false), (true, true, true)]
    {
        let mut scene = Scene::registered(3);
        (scene.ca.policy.stuck, scene.ca.policy.silent) = (stuck, silent);
        scene.ca.policy.lingering = lingering;
        scene.ca.policy.unprovable.insert(Identifier::parse("b.test"));
        let fault = scene.order(order(&["a.test", "b.test"])).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected(Identifier::parse("b.test")), "stuck {stuck}: {fault}");
        assert_eq!(fault.challenge, Some(ChallengeKind::TlsAlpn01));
        assert!(
            fault.message.contains("`b.test`: not proven by tls-alpn-01: unauthorized: found"),
            "{fault}"
        );
        assert!(scene.ca.board.is_empty(), "withdrawn all the same");
        assert!(scene.now < BEGIN + 60, "the order is not waited for");
    }
}

#[test]
fn an_order_that_is_stuck_is_given_up() {
    let mut scene = Scene::registered(4);
    scene.ca.policy.stuck = true;
    let fault = scene.order(order(&["a.test"])).unwrap_err();
    assert_eq!(fault.kind, FaultKind::TimedOut);
    assert!(fault.message.contains("still pending"), "{fault}");
    assert!(scene.now < BEGIN + 300, "{}", scene.now - BEGIN);
    scene.ca.policy.stuck = false;
    scene.ca.policy.issuance = 100_000;
    let fault = scene.order(order(&["b.test"])).unwrap_err();
    assert!(fault.message.contains("still processing"), "{fault}");
    scene.ca.policy.validation = 100_000;
    let fault = scene.order(order(&["c.test"])).unwrap_err();
    assert!(fault.message.contains("not decided about `c.test`"), "{fault}");
    assert!(scene.ca.board.is_empty());
}

#[test]
fn what_a_ca_says_about_waiting_is_followed() {
    for (said, validation, longest) in [
        ("1", 3, 20),
        ("30", 30, 100),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 20, 200),
        ("100000", 3, 700),
        ("0", 3, 60),
        ("soon", 3, 60),
    ] {
        let mut scene = Scene::registered(5);
        scene.ca.policy.poll_after = Some(said.to_owned());
        scene.ca.policy.validation = validation;
        let (before, requests) = (scene.now, scene.ca.requests);
        scene.order(order(&["a.test"])).unwrap();
        let lasted = scene.now - before;
        assert!((validation..longest).contains(&lasted), "{said}: {lasted}");
        assert!(scene.ca.requests - requests < 30, "{said}");
    }
}

#[test]
fn replaces_is_left_out_where_the_ca_balks_and_no_order_is_lost_where_it_is_not_echoed() {
    for (replaces, orders, noted) in
        [(Replaces::Echoed, 2, true), (Replaces::Ignored, 2, true), (Replaces::Refused, 2, false)]
    {
        let mut scene = Scene::registered(6);
        let first = scene.order(order(&["a.test"])).unwrap();
        scene.ca.policy.replaces = replaces;
        let id = CertId::of_pem(&first.chain_pem);
        scene.order(Order { replaces: id.clone(), ..order(&["a.test"]) }).unwrap();
        assert_eq!(scene.ca.orders.len(), orders, "{replaces:?}");
        let sent = scene.ca.orders[1].replaces.clone();
        assert_eq!(sent, id.filter(|_| noted).map(|id| id.to_string()), "{replaces:?}");
    }
}

#[test]
fn profiles_are_asked_for_only_where_there_are_any() {
    let mut scene = Scene::registered(7);
    scene.ca.policy.profiles = BTreeMap::from([("shortlived".to_owned(), 6 * 86_400)]);
    let mut fresh = Scene { session: Session::new(DIRECTORY, scene.session.key(), None).unwrap(), ..scene };
    let machine = Register::default().machine(&fresh.session);
    assert!(fresh.run(machine).unwrap().existed);
    fresh.order(Order { profile: Some("shortlived".to_owned()), ..order(&["a.test"]) }).unwrap();
    let issued = &fresh.ca.certificates[0];
    assert_eq!(issued.not_after - issued.not_before, 6 * 86_400);
    let fault = fresh.order(Order { profile: Some("classic".to_owned()), ..order(&["a.test"]) }).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Profile);
    assert!(fault.message.contains("no profile `classic` (it has: shortlived)"), "{fault}");
    assert_eq!(fresh.ca.orders.len(), 1, "no order is spent on it");
}

#[test]
fn the_preferred_chain_is_taken_where_there_is_one() {
    for (preferred, issuers, missing) in [
        (None, &["Sim Root"][..], false),
        (Some("Sim Root"), &["Sim Root"], false),
        (Some("Sim Old Root"), &["Sim Root", "Sim Old Root"], false),
        (Some("Another"), &["Sim Root", "Sim Old Root"], true),
    ] {
        let mut scene = Scene::registered(8);
        let preferred_chain = preferred.map(str::to_owned);
        let obtained = scene.order(Order { preferred_chain, ..order(&["a.test"]) }).unwrap();
        assert_eq!(obtained.topmost_issuers, issuers);
        assert_eq!(obtained.preferred_missing, missing);
        let default = obtained.chain_pem == scene.ca.certificates[0].chain_pem;
        assert_eq!(default, preferred != Some("Sim Old Root"), "{preferred:?}");
    }
}

#[test]
fn a_name_without_a_way_to_prove_it_is_told_at_once() {
    use ChallengeKind::*;
    for (name, configured, offered, remedy) in [
        ("*.a.test", &[Http01, TlsAlpn01][..], &ChallengeKind::ALL[..], "set the issuer's `dns`"),
        ("a.test", &[Dns01], &[Http01, TlsAlpn01], "the CA offers http-01, tls-alpn-01"),
        ("192.0.2.1", &[Dns01], &ChallengeKind::ALL, "configured challenges (dns-01)"),
    ] {
        let mut scene = Scene::registered(9);
        scene.ca.policy.offered = offered.to_vec();
        let fault = scene.order(Order { challenges: configured.to_vec(), ..order(&[name]) }).unwrap_err();
        let bare = Identifier::parse(name.trim_start_matches("*."));
        assert_eq!(fault.kind, FaultKind::NoChallenge(bare), "{fault}");
        assert!(fault.message.contains(remedy), "{fault}");
    }
}

#[test]
fn refusals_say_what_is_refused() {
    let mut scene = Scene::registered(10);
    scene.ca.policy.refused.insert(Identifier::parse("bad.test"));
    let fault = scene.order(order(&["bad.test"])).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Rejected(Identifier::parse("bad.test")));
    let other =
        CertificateKey::generate(KeyType::P256).unwrap().request(&[Identifier::parse("b.test")]).unwrap();
    let fault = scene.order(Order { csr: other, ..order(&["a.test"]) }).unwrap_err();
    assert_eq!((fault.kind.clone(), fault.problem.as_ref().unwrap().name()), (FaultKind::Refused, "badCSR"));
    assert!(fault.message.contains("other names"), "{fault}");
    let mut machine = order(&["c.test"]).machine(&scene.session);
    let fault =
        sim::present_by(&mut machine, &mut scene.ca, &mut scene.now, |_| Err("no zone `test`".to_owned()));
    let fault = fault.unwrap_err();
    assert_eq!((fault.kind.clone(), fault.to_string().as_str()), (FaultKind::Present, "no zone `test`"));
    let fault = Scene::new(11).order(order(&["a.test"])).unwrap_err();
    assert_eq!(fault.kind, FaultKind::AccountGone, "no account yet");
    for names in [&[][..], &["a.test"; 101]] {
        assert_eq!(scene.order(order(names)).unwrap_err().kind, FaultKind::Internal);
    }
}

#[test]
fn too_many_orders_are_put_off_until_the_ca_takes_them() {
    let mut scene = Scene::registered(12);
    scene.ca.policy.orders_per = Some((2, 3600));
    scene.order(order(&["a.test"])).unwrap();
    scene.order(order(&["b.test"])).unwrap();
    let fault = scene.order(order(&["c.test"])).unwrap_err();
    assert_eq!(fault.kind, FaultKind::RateLimited);
    let after = fault.retry_after.unwrap();
    assert!(after > scene.now + 3000 && after <= BEGIN + 3700, "{}", after - BEGIN);
    scene.now = after;
    scene.order(order(&["c.test"])).unwrap();
}

/// They share the nonces, and none is used twice.
#[test]
fn orders_of_one_account_run_side_by_side() {
    let mut scene = Scene::registered(13);
    scene.ca.policy.bad_nonces = 20;
    let mut running: Vec<_> = (0..5)
        .map(|index| (order(&[&format!("{index}.test")]).machine(&scene.session), Input::Start))
        .collect();
    while !running.is_empty() {
        running = std::mem::take(&mut running)
            .into_iter()
            .filter_map(|(mut machine, input)| match machine.advance(input, scene.now) {
                Step::Done(outcome) => outcome.map(|_| None).unwrap(),
                Step::Do(action) => Some((machine, scene.carry_out(action))),
            })
            .collect();
        scene.now += 1;
    }
    assert_eq!(scene.ca.certificates.len(), 5);
    assert!(scene.ca.board.is_empty());
}

#[test]
fn a_directory_that_moved_is_read_again() {
    let mut scene = Scene::registered(14);
    scene.order(order(&["a.test"])).unwrap();
    let read = scene.ca.directories;
    scene.order(order(&["b.test"])).unwrap();
    assert_eq!(scene.ca.directories, read, "what was read is used");
    scene.now += 13 * 3600;
    scene.order(order(&["c.test"])).unwrap();
    assert_eq!(scene.ca.directories, read + 1, "until it is old");
    let certificate = CertId::of_pem(&scene.ca.certificates[0].chain_pem).unwrap();
    scene.ca.certificates.clear();
    let machine = RenewalInfo { certificate }.machine(&scene.session);
    scene.run(machine).unwrap_err();
    scene.order(order(&["d.test"])).unwrap();
    assert_eq!(scene.ca.directories, read + 2, "or something is not where it says");
}

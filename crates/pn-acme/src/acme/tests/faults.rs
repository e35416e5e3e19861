//! CAs at their worst: whatever happens, a procedure ends in bounded time with a certificate that was ordered or with
//! one precise fault, takes back what it presented, and places no more orders than it says.

use super::*;
use crate::acme::sim::Policy;

/// Runs orders of that policy, a seed each; says how many gave a certificate.
fn storm(count: u64, policy: impl Fn(&mut Policy)) -> u64 {
    let mut obtained = 0;
    for seed in 0..count {
        let mut scene = Scene::registered(seed);
        policy(&mut scene.ca.policy);
        let (before, requests) = (scene.now, scene.ca.requests);
        match scene.order(order(&["a.test", "b.test"])) {
            Ok(_) => {
                obtained += 1;
                assert_eq!(scene.ca.certificates.len(), 1, "seed {seed}");
            }
            Err(fault) => {
                assert!(fault.kind != FaultKind::Internal, "seed {seed}: {fault}");
                assert!(fault.message.len() > 20, "seed {seed}: {fault}");
            }
        }
        assert!(scene.ca.board.is_empty(), "seed {seed}: something is left presented");
        assert!(scene.now - before < 2_000, "seed {seed}: {} s", scene.now - before);
        assert!(scene.ca.requests - requests < 600, "seed {seed}: {}", scene.ca.requests - requests);
        assert!(scene.ca.orders.len() <= 1, "seed {seed}: {} orders", scene.ca.orders.len());
    }
    obtained
}

#[test]
fn half_of_all_nonces_refused_costs_no_order() {
    assert_eq!(storm(40, |policy| policy.bad_nonces = 50), 40);
}

#[test]
fn short_troubles_cost_no_order() {
    assert!(storm(40, |policy| policy.server_errors = 10) >= 38);
    // But where the order itself is not answered: whether there is one is not known, so that the schedule has the word.
    assert!(storm(40, |policy| policy.unreachable = 10) >= 30);
}

#[test]
fn long_troubles_end() {
    assert!(storm(30, |policy| policy.lost_answers = 20) >= 15);
    storm(30, |policy| policy.server_errors = 60);
    storm(40, |policy| policy.malformed = 10);
    storm(40, |policy| {
        (policy.bad_nonces, policy.malformed, policy.lost_answers) = (30, 5, 10);
        (policy.server_errors, policy.unreachable, policy.reuse) = (10, 10, 86_400);
    });
}

#[test]
fn a_nonce_that_is_never_good_ends_the_procedure() {
    let mut scene = Scene::registered(30);
    scene.ca.policy.bad_nonces = 100;
    let requests = scene.ca.requests;
    let fault = scene.order(order(&["a.test"])).unwrap_err();
    assert_eq!((fault.kind.clone(), scene.ca.requests - requests), (FaultKind::Transport, 21), "{fault}");
}

#[test]
fn a_ca_that_is_down_is_told_from_one_that_refuses() {
    let mut scene = Scene::registered(31);
    scene.ca.policy.outages.push(BEGIN..BEGIN + 7200);
    let fault = scene.order(order(&["a.test"])).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Transport);
    assert!(fault.message.starts_with("no answer from `https://ca.test/"), "{fault}");
    assert!(fault.message.contains("`: connection refused; look at the network"), "{fault}");
    assert!(scene.now < BEGIN + 60, "an outage is for the schedule");
    scene.now = BEGIN + 7200;
    scene.order(order(&["a.test"])).unwrap();
}

/// Bytes in place of a CA's answers, thrown by dice.
#[test]
fn nonsense_in_any_answer_ends_in_a_fault() {
    for seed in 0..300 {
        let mut scene = Scene::registered(seed);
        let mut machine = order(&["a.test"]).machine(&scene.session);
        let (mut input, nonsense) = (Input::Start, scene.ca.throw(16));
        for step in 0.. {
            assert!(step < 5_000, "seed {seed}");
            let Step::Do(action) = machine.advance(input, scene.now) else { break };
            input = match action {
                Action::Send(request) => {
                    let mut answer = scene.ca.answer(&request, scene.now);
                    if let Ok(response) = &mut answer
                        && step >= nonsense
                    {
                        response.status = 200;
                        response.body.iter_mut().for_each(|byte| {
                            if scene.ca.throw(20) == 0 {
                                *byte = scene.ca.throw(256) as u8;
                            }
                        });
                    }
                    Input::Answer(answer)
                }
                Action::Wait { until } => {
                    scene.now = until;
                    Input::Elapsed
                }
                Action::Present(_) | Action::Withdraw(_) => Input::Presented(Ok(())),
            };
        }
    }
}

#[test]
fn urls_that_a_ca_may_not_give() {
    let key = || AccountKey::generate(KeyType::P256).unwrap();
    let long = format!("https://ca.test/{}", "a".repeat(3000));
    for (url, usable) in [
        ("https://ca.test/dir", true),
        ("http://127.0.0.1:4000/dir", true),
        ("https:///dir", false),
        ("https://:443/dir", false),
        ("https://user@ca.test/dir", false),
        ("file:///etc/passwd", false),
        ("https://ca.test/a b", false),
        ("https://ca.test/\r\nx", false),
        ("", false),
        (long.as_str(), false),
    ] {
        assert_eq!(Session::new(url, key(), None).is_ok(), usable, "{url}");
    }
    let plain = Session::new("https://ca.test/dir", key(), Some("http://ca.test/1".to_owned()));
    assert!(plain.is_err(), "nothing goes back from TLS");
}

//! What a CA may not say, and clocks that jump.

use super::*;
use serde_json::{Value, json};

/// Runs an order for `*.a.test` and `a.test` while every JSON answer passes through `tamper`, with its path.
fn tampered(scene: &mut Scene, tamper: impl Fn(&str, &mut Value)) -> Result<Obtained, AcmeFault> {
    let order = order(&["*.a.test", "a.test"]);
    played(scene, order.machine(&scene.session), |path, response| {
        if let Ok(mut body) = serde_json::from_slice(&response.body) {
            tamper(path, &mut body);
            response.body = body.to_string().into_bytes();
        }
    })
}

fn played<T>(
    scene: &mut Scene,
    mut machine: Procedure<T>,
    tamper: impl Fn(&str, &mut HttpResponse),
) -> Result<T, AcmeFault> {
    let mut input = Input::Start;
    loop {
        let action = match machine.advance(input, scene.now) {
            Step::Done(outcome) => return outcome,
            Step::Do(action) => action,
        };
        if let Action::Wait { until } = action {
            scene.now = until;
        }
        let path = if let Action::Send(request) = &action { request.url.clone() } else { String::new() };
        input = scene.carry_out(action);
        if let Input::Answer(Ok(response)) = &mut input {
            tamper(path.strip_prefix(sim::BASE).unwrap_or_default(), response);
        }
    }
}

#[test]
fn answers_that_are_not_used() {
    type Tamper = fn(&str, &mut Value);
    let rows: [(Tamper, &str); 11] = [
        (
            |path, body| set(path, "/authz/", body, "identifier", json!({"type": "dns", "value": "b.test"})),
            "not ordered",
        ),
        (
            |path, body| set_challenge(path, body, "token", json!("../../etc/passwd")),
            "token is not base64url",
        ),
        (|path, body| set_challenge(path, body, "token", json!("")), "token is not base64url"),
        (
            |path, body| set_challenge(path, body, "url", json!("http://ca.test/chall/0")),
            "has to begin with `https://`",
        ),
        (
            |path, body| {
                set(path, "/new-order", body, "authorizations", vec!["https://ca.test/a"; 101].into())
            },
            "more authorizations",
        ),
        (
            |path, body| set(path, "/new-order", body, "authorizations", json!(["https://a@ca.test/"])),
            "has to begin",
        ),
        (|path, body| set(path, "/order/", body, "finalize", Value::Null), "without `finalize`"),
        (|path, body| set(path, "/order/", body, "certificate", Value::Null), "without `certificate`"),
        (|path, body| set(path, "/new-order", body, "status", json!(7)), "cannot be read"),
        (|path, body| set(path, "/directory", body, "newOrder", Value::Null), "cannot be read"),
        (|path, body| set(path, "/directory", body, "newNonce", json!("/nonce")), "has to begin"),
    ];
    for (index, (tamper, expected)) in rows.into_iter().enumerate() {
        let mut scene = Scene::registered(40);
        let (key, account) = (scene.session.key(), scene.session.account_url());
        scene.session = Session::new(DIRECTORY, key, account).unwrap();
        let fault = tampered(&mut scene, tamper).unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadAnswer, "row {index}: {fault}");
        assert!(fault.message.contains(expected), "row {index}: {fault}");
        assert!(scene.ca.board.is_empty(), "row {index}");
    }
}

#[test]
fn what_may_be_left_out() {
    let mut scene = Scene::registered(41);
    let without_wildcard = |path: &str, body: &mut Value| {
        if path.starts_with("/authz/") {
            body.as_object_mut().unwrap().remove("wildcard");
        }
    };
    tampered(&mut scene, without_wildcard).unwrap();
    for expires in ["long ago", "1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let outcome = tampered(&mut scene, |_, body| {
            if body.get("finalize").is_some() {
                body["expires"] = expires.into();
            }
        });
        outcome.unwrap_or_else(|fault| panic!("{expires}: {fault}"));
    }
}

#[test]
fn headers_that_are_missing() {
    for (missing, expected) in [("location", "no Location"), ("replay-nonce", "no nonce")] {
        let mut scene = Scene::registered(42);
        scene.now += 10_000;
        let machine = order(&["a.test"]).machine(&scene.session);
        let outcome =
            played(&mut scene, machine, |_, response| response.headers.retain(|(name, _)| name != missing));
        let fault = outcome.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadAnswer);
        assert!(fault.message.contains(expected), "{fault}");
    }
}

#[test]
fn certificates_that_are_not_what_was_ordered() {
    let mut scene = Scene::registered(43);
    let other = scene.order(order(&["b.test"])).unwrap().chain_pem;
    let names = [Identifier::parse("a.test"), Identifier::parse("b.test")];
    let key = CertificateKey::generate(KeyType::P256).unwrap();
    let (both, one) = (key.request(&names).unwrap(), key.request(&names[..1]).unwrap());
    let narrow = scene.order(Order { csr: one, ..order(&["a.test"]) }).unwrap().chain_pem;
    for (chain, expected) in [
        (other.clone(), "for another key"),
        (narrow, "lacks a name"),
        (String::new(), "no certificate"),
        (other.repeat(6), "more than ten"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned(), "no PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "cannot be read"),
    ] {
        let machine = Order { csr: both.clone(), ..order(&["a.test", "b.test"]) }.machine(&scene.session);
        let outcome = played(&mut scene, machine, |path, response| {
            if path.starts_with("/cert/") {
                response.body = chain.clone().into_bytes();
            }
        });
        let fault = outcome.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadAnswer);
        assert!(fault.message.contains(expected), "{fault}");
    }
}

#[test]
fn windows_of_renewal_that_make_no_sense() {
    for (start, end) in [
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("soon", "later"),
        ("1960-01-01T00:00:00Z", "1961-01-01T00:00:00Z"),
    ] {
        let mut scene = Scene::registered(44);
        let chain = scene.order(order(&["a.test"])).unwrap().chain_pem;
        let machine = RenewalInfo { certificate: CertId::of_pem(&chain).unwrap() }.machine(&scene.session);
        let fault = played(&mut scene, machine, |path, response| {
            if path.starts_with("/ari/") {
                response.body =
                    json!({"suggestedWindow": {"start": start, "end": end}}).to_string().into_bytes();
            }
        });
        assert_eq!(fault.unwrap_err().kind, FaultKind::BadAnswer, "{start}");
    }
}

/// The CA has done what it was asked, and nobody was told.
#[test]
fn an_answer_that_is_lost_costs_neither_order_nor_certificate() {
    for lost in ["/directory", "/nonce", "/authz/", "/chall/", "/finalize/", "/order/", "/cert/"] {
        let mut scene = Scene::registered(45);
        scene.now += 1_000;
        scene.session = Session::new(DIRECTORY, scene.session.key(), scene.session.account_url()).unwrap();
        let machine = order(&["a.test"]).machine(&scene.session);
        losing_first(&mut scene, lost, machine).unwrap_or_else(|fault| panic!("{lost}: {fault}"));
        assert_eq!((scene.ca.orders.len(), scene.ca.certificates.len()), (1, 1), "{lost}");
        assert!(scene.ca.board.is_empty(), "{lost}");
    }
    // Whether there is an order is not known: a second one is for the schedule, and its throttle.
    let mut scene = Scene::registered(45);
    let machine = order(&["a.test"]).machine(&scene.session);
    let fault = losing_first(&mut scene, "/new-order", machine).unwrap_err();
    assert_eq!((fault.kind, scene.ca.orders.len()), (FaultKind::Transport, 1));
    let mut scene = Scene::registered(46);
    let new_key = AccountKey::generate(KeyType::P256).unwrap();
    let machine = Rollover { new_key: new_key.clone() }.machine(&scene.session);
    losing_first(&mut scene, "/key-change", machine).unwrap();
    assert!(scene.session.key() == new_key);
    scene.order(order(&["a.test"])).unwrap();
}

fn losing_first<T>(scene: &mut Scene, prefix: &str, mut machine: Procedure<T>) -> Result<T, AcmeFault> {
    let (mut input, mut lost) = (Input::Start, 0);
    loop {
        let action = match machine.advance(input, scene.now) {
            Step::Done(outcome) => {
                assert_eq!(lost, 1, "{prefix} was asked");
                return outcome;
            }
            Step::Do(action) => action,
        };
        if let Action::Wait { until } = action {
            scene.now = until;
        }
        let url = if let Action::Send(request) = &action { request.url.clone() } else { String::new() };
        input = scene.carry_out(action);
        if lost == 0 && url.strip_prefix(sim::BASE).is_some_and(|path| path.starts_with(prefix)) {
            lost = 1;
            input = Input::Answer(Err(TransportError("connection reset".to_owned())));
        }
    }
}

/// The machine's clock is thrown about while the CA's goes on: an order neither ends nor hangs for it.
#[test]
fn clocks_that_jump_cost_no_order() {
    for seed in 0..60 {
        let mut scene = Scene::registered(seed);
        let mut machine = order(&["a.test", "b.test"]).machine(&scene.session);
        let (mut input, mut clock) = (Input::Start, BEGIN);
        for step in 0.. {
            assert!(step < 500, "seed {seed}");
            if scene.ca.throw(5) == 0 {
                clock = BEGIN - 500_000_000 + scene.ca.throw(1_000_000_000);
            }
            let action = match machine.advance(input, clock) {
                Step::Done(outcome) => {
                    assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
                    break;
                }
                Step::Do(action) => action,
            };
            if let Action::Wait { until } = action {
                assert!(until <= clock + 60, "seed {seed}: waits for {} s", until - clock);
                scene.now += until - clock;
                clock = until;
            }
            input = scene.carry_out(action);
        }
    }
}

fn set(path: &str, prefix: &str, body: &mut Value, member: &str, value: Value) {
    if path.starts_with(prefix) {
        body[member] = value;
    }
}

fn set_challenge(path: &str, body: &mut Value, member: &str, value: Value) {
    if path.starts_with("/authz/") {
        body["challenges"].as_array_mut().unwrap().iter_mut().for_each(|one| one[member] = value.clone());
    }
}

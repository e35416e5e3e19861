//! The simulated CA refuses what a real one refuses.

use super::super::jws::{AccountKey, SignedAs, sign};
use super::*;
use pn_model::acme::KeyType;

const NEW_ORDER: &str = "https://ca.test/new-order";
const ORDER: &str = r#"{"identifiers":[{"type":"dns","value":"a.test"}]}"#;

fn post(ca: &mut SimCa, url: &str, body: String) -> HttpResponse {
    let request =
        HttpRequest { method: HttpMethod::Post, url: url.to_owned(), body: Some(body), accept: None };
    ca.answer(&request, 1_000).unwrap()
}

fn nonce(ca: &mut SimCa) -> String {
    let url = "https://ca.test/nonce".to_owned();
    let request = HttpRequest { method: HttpMethod::Head, url, body: None, accept: None };
    ca.answer(&request, 1_000).unwrap().header("replay-nonce").unwrap().to_owned()
}

/// A CA with one account, by its key.
fn with_account() -> (SimCa, AccountKey, String) {
    let (mut ca, key) = (SimCa::new(1), AccountKey::generate(KeyType::P256).unwrap());
    let (url, nonce) = ("https://ca.test/new-account", nonce(&mut ca));
    let payload = r#"{"termsOfServiceAgreed":true}"#;
    let made = post(&mut ca, url, sign(&key, SignedAs::Key, Some(&nonce), url, payload).unwrap());
    assert_eq!(made.status, 201);
    let account = made.header("location").unwrap().to_owned();
    (ca, key, account)
}

#[test]
fn requests_that_are_not_as_they_should_be() {
    let (mut ca, key, account) = with_account();
    let stranger = AccountKey::generate(KeyType::P256).unwrap();
    let by = SignedAs::Account(&account);
    let nobody = SignedAs::Account("https://ca.test/acct/77");
    for (key, by, signed_for, nonce_is_known, expected) in [
        (&key, by, NEW_ORDER, true, 201),
        (&key, by, "https://ca.test/else", true, 401),
        (&key, by, NEW_ORDER, false, 400),
        (&stranger, by, NEW_ORDER, true, 401),
        (&key, nobody, NEW_ORDER, true, 400),
        (&key, SignedAs::Key, NEW_ORDER, true, 400),
    ] {
        let nonce = if nonce_is_known { nonce(&mut ca) } else { "other".to_owned() };
        let body = sign(key, by, Some(&nonce), signed_for, ORDER).unwrap();
        let response = post(&mut ca, NEW_ORDER, body.clone());
        assert_eq!(response.status, expected, "{by:?} {signed_for}: {response:?}");
        let again = String::from_utf8(post(&mut ca, NEW_ORDER, body).body).unwrap();
        assert!(again.contains("badNonce") || signed_for != NEW_ORDER, "a nonce is good once: {again}");
    }
}

#[test]
fn nothing_is_issued_before_its_names_are_proven() {
    let (mut ca, key, account) = with_account();
    let mut ask = |url: &str, payload: &str| {
        let nonce = nonce(&mut ca);
        let body = sign(&key, SignedAs::Account(&account), Some(&nonce), url, payload).unwrap();
        post(&mut ca, url, body)
    };
    assert_eq!(ask(NEW_ORDER, ORDER).status, 201);
    let refused = ask("https://ca.test/finalize/0", r#"{"csr":""}"#);
    assert!(String::from_utf8(refused.body).unwrap().contains("orderNotReady"));
    assert_eq!(ask("https://ca.test/order/7", "").status, 404);
    assert_eq!(ask("https://ca.test/cert/0", "").status, 404);
    assert_eq!(ask("https://ca.test/chall/0/0", "{}").status, 200);
    assert_eq!(ask("https://ca.test/chall/0/0", "{}").status, 400, "a challenge is answered once");
    assert!(ca.certificates.is_empty());
}

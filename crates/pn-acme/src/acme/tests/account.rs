//! Accounts, renewal information and revocation.

use super::*;
use pn_model::Secret;
use pn_model::acme::Eab;
use serde_json::json;

#[test]
fn a_key_has_one_account() {
    let mut scene = Scene::new(20);
    let machine = Register { only_existing: true, ..Register::default() }.machine(&scene.session);
    assert_eq!(scene.run(machine).unwrap_err().kind, FaultKind::AccountGone);
    let machine =
        Register { email: Some("a@b.test".to_owned()), ..Register::default() }.machine(&scene.session);
    let made = scene.run(machine).unwrap();
    assert!(!made.existed);
    assert_eq!(made.body["contact"], json!(["mailto:a@b.test"]));
    assert_eq!(scene.session.account_url().as_ref(), Some(&made.url));
    let machine = Register::default().machine(&scene.session);
    let found = scene.run(machine).unwrap();
    assert_eq!((found.existed, found.url), (true, made.url));
}

#[test]
fn accounts_are_bound_to_those_of_the_ca() {
    let eab = |kid: &str, hmac: &str| Some(Eab { kid: kid.to_owned(), hmac: Secret::new(hmac) });
    for (eab, expected) in [
        (eab("kid-1", "c2VjcmV0LXNlY3JldA"), None),
        (eab("kid-1", "c2VjcmV0LXNlY3JldA=="), None),
        (eab("kid-1", "!"), Some("no base64url")),
        (eab("kid-2", "c2VjcmV0LXNlY3JldA"), Some("bind the account")),
        (None, Some("set the issuer's `eab`")),
    ] {
        let mut scene = Scene::new(21);
        scene.ca.policy.eab = Some(("kid-1".to_owned(), b"secret-secret".to_vec()));
        let machine = Register { eab, ..Register::default() }.machine(&scene.session);
        match (scene.run(machine), expected) {
            (Ok(_), None) => {}
            (Err(fault), Some(text)) => {
                assert_eq!(fault.kind, FaultKind::ExternalAccount);
                let text = text.replace("no base64url", "not base64url");
                assert!(fault.message.contains(&text), "{fault}");
            }
            (outcome, expected) => panic!("{outcome:?}, not {expected:?}"),
        }
    }
}

#[test]
fn an_account_that_the_ca_forgot_is_told_apart() {
    let mut scene = Scene::registered(22);
    scene.ca.forget_accounts();
    assert_eq!(scene.order(order(&["a.test"])).unwrap_err().kind, FaultKind::AccountGone);
    let machine = Register::default().machine(&scene.session);
    scene.run(machine).unwrap();
    scene.order(order(&["a.test"])).unwrap();
}

#[test]
fn contact_key_and_end_of_an_account() {
    let mut scene = Scene::registered(23);
    let machine = UpdateContact { email: Some("new@b.test".to_owned()) }.machine(&scene.session);
    assert_eq!(scene.run(machine).unwrap()["contact"], json!(["mailto:new@b.test"]));
    let machine = UpdateContact { email: None }.machine(&scene.session);
    assert_eq!(scene.run(machine).unwrap()["contact"], json!([]));
    let (old, new_key) = (scene.session.key(), AccountKey::generate(KeyType::P384).unwrap());
    let machine = Rollover { new_key: new_key.clone() }.machine(&scene.session);
    scene.run(machine).unwrap();
    assert!(scene.session.key() == new_key && new_key != old);
    scene.order(order(&["a.test"])).unwrap();
    let machine = Deactivate.machine(&scene.session);
    assert_eq!(scene.run(machine).unwrap()["status"], "deactivated");
    let fault = scene.order(order(&["b.test"])).unwrap_err();
    assert!(fault.message.contains("deactivated"), "{fault}");
    let machine = Register::default().machine(&scene.session);
    let fault = scene.run(machine).unwrap_err();
    assert!(fault.message.contains("make one with a new key"), "{fault}");
}

/// Whatever is lost on the way, the session knows the key that the CA knows.
#[test]
fn a_rollover_whose_answer_is_lost_is_found_out() {
    let mut done = 0;
    for seed in 0..40 {
        let mut scene = Scene::registered(seed);
        scene.ca.policy.lost_answers = 40;
        let new_key = AccountKey::generate(KeyType::P256).unwrap();
        let machine = Rollover { new_key: new_key.clone() }.machine(&scene.session);
        let outcome = scene.run(machine);
        let known = scene.ca.accounts.values().next().unwrap().jwk.clone();
        if outcome.is_ok() {
            done += 1;
            assert_eq!(known, new_key.jwk(), "seed {seed}");
            assert!(scene.session.key() == new_key, "seed {seed}");
        }
    }
    assert!(done > 20, "{done}");
}

#[test]
fn renewal_information() {
    for (offered, said, expected) in [
        (true, Some(3600), Some(3600)),
        (true, None, Some(6 * 3600)),
        (true, Some(1), Some(60)),
        (true, Some(10_000_000), Some(86_400)),
        (false, None, None),
    ] {
        let mut scene = Scene::new(24);
        (scene.ca.policy.renewal_info, scene.ca.policy.ask_after) = (offered, said);
        let machine = Register::default().machine(&scene.session);
        scene.run(machine).unwrap();
        let obtained = scene.order(order(&["a.test"])).unwrap();
        let certificate = CertId::of_pem(&obtained.chain_pem).unwrap();
        let machine = RenewalInfo { certificate }.machine(&scene.session);
        let window = scene.run(machine).unwrap();
        assert_eq!(window.is_some(), offered);
        let Some(window) = window else { continue };
        let issued = &scene.ca.certificates[0];
        assert!(
            issued.not_before < window.start && window.start < window.end && window.end < issued.not_after
        );
        let asked = window.retry_after - scene.now;
        assert!(expected.unwrap() - asked < 3, "{said:?}: {asked}");
        assert!(window.explanation_url.is_some());
    }
}

/// RFC 9773 section 4.1
#[test]
fn the_name_of_a_certificate() {
    const EXAMPLE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
";
    assert_eq!(CertId::of_pem(EXAMPLE).unwrap().to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
    assert_eq!(CertId::of_pem("").as_ref(), None);
    assert_eq!(CertId::of_der(b"\x30\x00"), None);
}

#[test]
fn certificates_are_revoked_by_their_account_or_their_key() {
    let mut scene = Scene::registered(25);
    let key = CertificateKey::generate(KeyType::P256).unwrap();
    let csr = key.request(&[Identifier::parse("a.test")]).unwrap();
    let chain = scene.order(Order { csr, ..order(&["a.test"]) }).unwrap().chain_pem;
    let second = scene.order(order(&["b.test"])).unwrap().chain_pem;
    let der = |pem: &str| rustls_pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap();
    let leaf = |pem: &str| -> Vec<u8> {
        let certificate: rustls_pki_types::CertificateDer<'static> = der(pem);
        certificate.to_vec()
    };
    let other = Session::new(DIRECTORY, AccountKey::generate(KeyType::P256).unwrap(), None).unwrap();
    let by_key = Some(AccountKey::from_pem(&key.to_pem()).unwrap());
    let compromised = Revoke { certificate: leaf(&chain), reason: RevocationReason::KeyCompromise, by_key };
    let machine = compromised.clone().machine(&other);
    scene.run(machine).unwrap();
    assert_eq!(scene.ca.certificates[0].revoked, Some(1));
    let machine = compromised.machine(&other);
    scene.run(machine).unwrap();
    let reason = RevocationReason::default();
    let machine = Revoke { certificate: leaf(&second), reason, by_key: None }.machine(&scene.session);
    scene.run(machine).unwrap();
    assert_eq!(scene.ca.certificates[1].revoked, Some(0));
}

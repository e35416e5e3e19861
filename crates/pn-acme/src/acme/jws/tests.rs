//! Against the examples of the standards, and against a verifier that shares no code with the signer.

use super::super::sim::verify::{Signed, verify};
use super::*;
use pn_model::acme::KeyType;
use serde_json::json;

/// RFC 7515 appendix A.2
const RSA: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
-----END RSA PRIVATE KEY-----
";
/// RFC 7515 appendix A.3
const EC: &str = "\
-----BEGIN EC PRIVATE KEY-----
MDECAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
AwEH
-----END EC PRIVATE KEY-----
";
const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

#[test]
fn examples_of_rfc_7515() {
    let rsa = AccountKey::from_pem(RSA).unwrap();
    let signature = rsa.sign(format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}").as_bytes()).unwrap();
    let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert_eq!(BASE64URL.encode(signature), expected);
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let tag = mac(
        &BASE64URL.decode(secret).unwrap(),
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}").as_bytes(),
    );
    assert_eq!(BASE64URL.encode(tag), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let ec = AccountKey::from_pem(EC).unwrap();
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    assert_eq!(ec.jwk(), jwk);
    assert_eq!(ec.thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    let signed = json!({
        "protected": "eyJhbGciOiJFUzI1NiJ9", "payload": PAYLOAD,
        "signature": "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    });
    assert!(verify(&Signed::parse(&signed.to_string()).unwrap(), &jwk), "the verifier of these tests");
}

#[test]
fn every_kind_of_key_signs_and_survives_its_file() {
    use KeyType::*;
    for (kind, algorithm) in [(P256, "ES256"), (P384, "ES384"), (Rsa2048, "RS256"), (Rsa3072, "RS256")] {
        let key = AccountKey::generate(kind).unwrap();
        let pem = key.to_pkcs8_pem().unwrap();
        let read = AccountKey::from_pem(&pem).unwrap();
        assert_eq!((read.algorithm(), read.thumbprint()), (algorithm, key.thumbprint()));
        let body = sign(&read, SignedAs::Account("https://ca/1"), Some("n"), "https://ca/o", r#"{"a":1}"#);
        let mut signed = Signed::parse(&body.unwrap()).unwrap();
        assert_eq!(
            signed.header,
            json!({"alg": algorithm, "kid": "https://ca/1", "nonce": "n", "url": "https://ca/o"})
        );
        assert_eq!(signed.payload, br#"{"a":1}"#);
        assert!(verify(&signed, &key.jwk()), "{kind:?}");
        signed.message.push(b'x');
        assert!(!verify(&signed, &key.jwk()), "{kind:?}: changed");
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.thumbprint()) && shown.len() < 80, "{shown}");
    }
}

#[test]
fn a_message_within_another_has_the_key_and_no_nonce() {
    let key = AccountKey::from_pem(EC).unwrap();
    let signed = Signed::parse(&sign(&key, SignedAs::Key, None, "https://ca/k", "").unwrap()).unwrap();
    assert_eq!(signed.header, json!({"alg": "ES256", "jwk": key.jwk(), "url": "https://ca/k"}));
    assert_eq!(signed.payload, b"");
    assert!(verify(&signed, &key.jwk()));
}

#[test]
fn an_external_account_is_bound_by_a_mac_over_the_key() {
    let key = AccountKey::from_pem(EC).unwrap();
    let signed = Signed::parse(&external_binding(&key, "kid-1", b"secret", "https://ca/new")).unwrap();
    assert_eq!(signed.header, json!({"alg": "HS256", "kid": "kid-1", "url": "https://ca/new"}));
    assert_eq!(serde_json::from_slice::<Value>(&signed.payload).unwrap(), key.jwk());
    let expected = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    hmac::verify(&expected, &signed.message, &signed.signature).unwrap();
}

#[test]
fn keys_that_are_refused() {
    let small = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    for (pem, expected) in [
        ("", KeyError::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KeyError::Unreadable),
        (small.as_str(), KeyError::Kind),
    ] {
        assert_eq!(AccountKey::from_pem(pem).unwrap_err(), expected, "{pem}");
    }
    assert_eq!(AccountKey::from_der(b"\x30\x00").unwrap_err(), KeyError::Unreadable);
}

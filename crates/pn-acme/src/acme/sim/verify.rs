//! Reads and verifies signed messages, as a CA does.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::Value;

/// A message in the flattened JSON form (RFC 7515 section 7.2.2), not verified.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) header: Value,
    pub(crate) payload: Vec<u8>,
    /// What is signed.
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Signed {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::of(&serde_json::from_str(text).ok()?)
    }

    pub(crate) fn of(value: &Value) -> Option<Self> {
        let part = |name| value.get(name).and_then(Value::as_str);
        let (protected, payload) = (part("protected")?, part("payload")?);
        Some(Self {
            header: serde_json::from_slice(&BASE64URL.decode(protected).ok()?).ok()?,
            payload: BASE64URL.decode(payload).ok()?,
            message: format!("{protected}.{payload}").into_bytes(),
            signature: BASE64URL.decode(part("signature")?).ok()?,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

pub(crate) fn verify(signed: &Signed, jwk: &Value) -> bool {
    let part = |name| jwk.get(name).and_then(Value::as_str).and_then(|text| BASE64URL.decode(text).ok());
    let ec = |algorithm: &'static EcdsaVerificationAlgorithm| {
        let point = [&[4][..], &part("x")?, &part("y")?].concat();
        UnparsedPublicKey::new(algorithm, point).verify(&signed.message, &signed.signature).ok()
    };
    match signed.header("alg") {
        Some("ES256") => ec(&ECDSA_P256_SHA256_FIXED).is_some(),
        Some("ES384") => ec(&ECDSA_P384_SHA384_FIXED).is_some(),
        Some("RS256") => part("n").zip(part("e")).is_some_and(|(n, e)| {
            let key = RsaPublicKeyComponents { n, e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, &signed.message, &signed.signature).is_ok()
        }),
        _ => false,
    }
}

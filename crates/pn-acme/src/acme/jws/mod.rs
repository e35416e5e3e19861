//! Signed messages (RFC 7515, the flattened JSON form; RFC 8555 section 6.2). Where they are sent is not here.

mod key;
#[cfg(test)]
mod tests;

pub use key::{AccountKey, KeyError};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Map, Value};

/// How the CA finds the key that verifies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignedAs<'a> {
    /// The key itself is in the message: a new account, a revocation by the certificate's key, a new key.
    Key,
    /// The URL of the account.
    Account(&'a str),
}

/// The body of a request to `url`. An empty payload is a POST-as-GET (RFC 8555 section 6.3); only a message within
/// another has no nonce.
pub(crate) fn sign(
    key: &AccountKey,
    signed_as: SignedAs<'_>,
    nonce: Option<&str>,
    url: &str,
    payload: &str,
) -> Result<String, KeyError> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), key.algorithm().into());
    match signed_as {
        SignedAs::Key => header.insert("jwk".to_owned(), key.jwk()),
        SignedAs::Account(account) => header.insert("kid".to_owned(), account.into()),
    };
    if let Some(nonce) = nonce {
        header.insert("nonce".to_owned(), nonce.into());
    }
    header.insert("url".to_owned(), url.into());
    let (protected, payload) = (encode_object(header), BASE64URL.encode(payload));
    let signature = key.sign(format!("{protected}.{payload}").as_bytes())?;
    Ok(flattened(&protected, &payload, &signature))
}

/// Binds the key to an account that the CA knows from elsewhere (RFC 8555 section 7.3.4).
pub(crate) fn external_binding(key: &AccountKey, kid: &str, secret: &[u8], url: &str) -> String {
    let mut header = Map::new();
    header.insert("alg".to_owned(), "HS256".into());
    header.insert("kid".to_owned(), kid.into());
    header.insert("url".to_owned(), url.into());
    let (protected, payload) = (encode_object(header), BASE64URL.encode(key.jwk().to_string()));
    let tag = mac(secret, format!("{protected}.{payload}").as_bytes());
    flattened(&protected, &payload, tag.as_ref())
}

fn mac(secret: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message)
}

fn encode_object(object: Map<String, Value>) -> String {
    BASE64URL.encode(Value::Object(object).to_string())
}

/// All three are base64url, in which nothing needs escaping.
fn flattened(protected: &str, payload: &str, signature: &[u8]) -> String {
    let signature = BASE64URL.encode(signature);
    format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#)
}

//! `pass-client-cert`: tells the service who the client is by its certificate. What a client says of itself in these
//! fields goes, whether or not it has a certificate.

use crate::Built;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use pn_core::tls::ClientIdentity;
use pn_core::{Env, Flow, Middleware, RequestContext};
use pn_model::middleware::{ClientCertField, PassClientCert};
use std::fmt::Write;
use std::sync::Arc;

/// RFC 9440 section 2
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
/// Of the rest of the chain, which is not passed on; RFC 9440 section 2.
const CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// Traefik's
const PEM: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert");
/// Traefik's
const INFO: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert-info");

#[derive(Debug)]
struct Pass(PassClientCert);

pub(crate) fn build(spec: &PassClientCert) -> Built {
    Ok(Arc::new(Pass(spec.clone())))
}

impl Middleware for Pass {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        for name in [CLIENT_CERT, CHAIN, PEM, INFO] {
            cx.remove_header(&name);
            cx.remove_aliases(&name);
        }
        let client = cx.tls().and_then(|tls| tls.client.clone());
        let Some(client) = client.filter(|client| client.verified || self.0.unverified) else {
            return Flow::Continue;
        };
        let certificate = STANDARD.encode(&client.certificate);
        let field = match self.0.certificate {
            ClientCertField::ClientCert => Some((CLIENT_CERT, format!(":{certificate}:"))),
            ClientCertField::XForwardedTlsClientCert => Some((PEM, certificate)),
            ClientCertField::Off => None,
        };
        let info = self.0.info.then(|| (INFO, info(&client)));
        for (name, value) in field.into_iter().chain(info) {
            // Both are made of visible ASCII.
            if let Ok(value) = HeaderValue::from_str(&value) {
                cx.set_header(name, value);
            }
        }
        Flow::Continue
    }
}

/// As Traefik writes it, percent-encoded.
fn info(client: &ClientIdentity) -> String {
    let ClientIdentity { subject, issuer, sans, serial, .. } = client;
    let sans = sans.join(",");
    let plain = format!("Subject=\"{subject}\";Issuer=\"{issuer}\";SerialNumber=\"{serial}\";SAN=\"{sans}\"");
    let mut out = String::with_capacity(plain.len() * 2);
    for byte in plain.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            byte => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
    }
    out
}

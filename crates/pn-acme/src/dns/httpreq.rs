//! The presenter that asks a service as lego's `httpreq` provider does: a POST of JSON to URL/present or URL/cleanup,
//! with basic authentication. The HTTP client comes from outside.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use std::sync::Arc;

use pn_model::Secret;

use super::error::DnsError;
use super::presenter::{Change, DnsPresenter, TxtRecord};
use crate::storage::BoxFuture;

/// Characters of an answer that an error repeats.
const ANSWER_SHOWN: usize = 1_000;

/// Sends one request. The implementation bounds its time and the answer's length, and checks certificates.
pub trait HttpClient: Send + Sync + fmt::Debug {
    /// The answer, or why there is none. Redirects are not followed.
    fn post<'a>(&'a self, request: JsonPost<'a>) -> BoxFuture<'a, Result<HookAnswer, String>>;
}

/// What a service answers.
#[derive(Debug, Clone, Default)]
pub struct HookAnswer {
    pub status: u16,
    /// The field Location.
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// A request with `Content-Type: application/json`.
#[derive(Clone, Copy)]
pub struct JsonPost<'a> {
    pub url: &'a str,
    /// The value of the field Authorization; a secret.
    pub authorization: Option<&'a str>,
    pub body: &'a str,
}

impl fmt::Debug for JsonPost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonPost").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub struct HttpReq {
    url: String,
    authorization: Option<Secret>,
    raw: bool,
    client: Arc<dyn HttpClient>,
}

impl HttpReq {
    /// As with lego, credentials are sent when both are there.
    pub fn new(
        url: &str,
        username: Option<&str>,
        password: Option<&Secret>,
        raw: bool,
        client: Arc<dyn HttpClient>,
    ) -> Self {
        let authorization = username.zip(password).map(|(username, password)| {
            let credentials = BASE64_STANDARD.encode(format!("{username}:{}", password.expose()));
            Secret::new(format!("Basic {credentials}"))
        });
        Self { url: url.trim_end_matches('/').to_owned(), authorization, raw, client }
    }

    async fn call(&self, record: &TxtRecord, change: Change) -> Result<(), DnsError> {
        let url = format!("{}/{}", self.url, change.lego());
        let fault = |reason: String| DnsError::Provider {
            provider: url.clone(),
            action: change.verb(),
            fqdn: record.fqdn.clone(),
            reason,
        };
        let body = self.body(record).map_err(fault)?;
        let authorization = self.authorization.as_ref().map(Secret::expose);
        let request = JsonPost { url: &url, authorization, body: &body };
        let answer = self.client.post(request).await.map_err(fault)?;
        let remedy = match answer.status {
            ..=299 => return Ok(()),
            // A client that follows turns the POST into a GET without its body, and nothing is done.
            300..=399 => "; redirects are not followed: let `url` name the place itself",
            401 | 403 => "; check `username` and `password`",
            _ => "",
        };
        Err(fault(format!("{}{remedy}", said(&answer))))
    }

    fn body(&self, record: &TxtRecord) -> Result<String, String> {
        if !self.raw {
            return Ok(json!({ "fqdn": record.fqdn, "value": record.value }).to_string());
        }
        let raw = record.raw.as_ref().ok_or("it is called in raw mode, which is for dns-01 only")?;
        let body = json!({ "domain": raw.domain, "token": raw.token, "keyAuth": raw.key_authorization });
        Ok(body.to_string())
    }
}

impl DnsPresenter for HttpReq {
    fn append<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.call(record, Change::Append))
    }

    fn remove<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.call(record, Change::Remove))
    }
}

fn said(answer: &HookAnswer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let text = answer.location.as_deref().unwrap_or_else(|| text.trim());
    let (status, shown) = (answer.status, text.chars().take(ANSWER_SHOWN).collect::<String>());
    if shown.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {shown}") }
}

//! What a machine and its driver say to each other. What machines there are is beside this file.

pub use crate::Time;

use super::fault::AcmeFault;
use super::wire::WireIdentifier;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use pn_model::acme::ChallengeKind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;

/// A procedure that asks for one thing at a time. It begins with [`Input::Start`]; from then on every action is answered
/// once, by the input that its documentation names, before the next one is given.
///
/// A machine that is dropped on its way leaves behind what it had presented: whoever drops it withdraws that.
pub trait Machine {
    type Output;

    fn advance(&mut self, input: Input, now: Time) -> Step<Self::Output>;
}

/// What a machine is told.
#[derive(Debug, Clone)]
pub enum Input {
    Start,
    Answer(Result<HttpResponse, TransportError>),
    Elapsed,
    /// The text of a failure is shown to the user.
    Presented(Result<(), String>),
}

/// What a machine wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answered by [`Input::Answer`], within a bounded time.
    Send(HttpRequest),
    /// Answered by [`Input::Elapsed`], at that time or sooner.
    Wait { until: Time },
    /// Make the CA find these, all of them, before they are answered by [`Input::Presented`].
    Present(Vec<Challenge>),
    /// Take these back, in the background if it takes long; answered by [`Input::Presented`] too, whose failure is
    /// the driver's to report.
    Withdraw(Vec<Challenge>),
}

#[derive(Debug)]
pub enum Step<T> {
    Do(Action),
    Done(Result<T, AcmeFault>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    Get,
    Head,
    Post,
}

/// A request to the CA. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: HttpMethod,
    pub url: String,
    /// Goes with `content-type: application/jose+json`.
    pub body: Option<String>,
    pub accept: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most [`ACME_BODY_BYTES`](pn_model::limits::ACME_BODY_BYTES): one that is longer is a [`TransportError`].
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The CA could not be reached, or what it said was no HTTP, or too long. The request may have been carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

/// What a certificate is for (RFC 8555 section 9.7.7, RFC 8738). A wildcard is written as in an order: `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "WireIdentifier", into = "WireIdentifier")]
pub enum Identifier {
    /// In lower case and in its ASCII form.
    Dns(String),
    Ip(IpAddr),
}

impl Identifier {
    /// An address where the text is one, a name otherwise.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Dns(text.to_ascii_lowercase()), Self::Ip)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// What proves to the CA that a name is ours (RFC 8555 section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub kind: ChallengeKind,
    /// Without `*.`
    pub identifier: Identifier,
    /// Whether it is for all the names below `identifier`.
    pub wildcard: bool,
    /// base64url; empty with dns-persist-01.
    pub token: String,
    /// What http-01 answers with (RFC 8555 section 8.1).
    pub key_authorization: String,
    pub account_uri: String,
    /// Of dns-persist-01: the names that the CA goes by, any of which may be written.
    pub issuer_domains: Vec<String>,
}

impl Challenge {
    /// The value of the TXT record of dns-01 (RFC 8555 section 8.4).
    pub fn txt_value(&self) -> String {
        BASE64URL.encode(self.tls_alpn_digest())
    }

    /// What the certificate of tls-alpn-01 holds in its `acmeIdentifier` (RFC 8737 section 3).
    pub fn tls_alpn_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.key_authorization).into()
    }

    /// The value of the TXT record of dns-persist-01 at `_validation-persist`. `None` where the CA gave no name of its.
    pub fn persist_value(&self) -> Option<String> {
        let issuer = self.issuer_domains.first()?;
        let policy = if self.wildcard { "; policy=wildcard" } else { "" };
        Some(format!("{issuer}; accounturi={}{policy}", self.account_uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_apart_by_their_form() {
        for (text, expected) in [
            ("Example.COM", Identifier::Dns("example.com".to_owned())),
            ("*.example.com", Identifier::Dns("*.example.com".to_owned())),
            ("192.0.2.1", Identifier::Ip([192, 0, 2, 1].into())),
            ("2001:db8::1", Identifier::Ip(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]))),
        ] {
            assert_eq!(Identifier::parse(text), expected);
            assert_eq!(expected.to_string(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn values_of_records() {
        let mut challenge = Challenge {
            kind: ChallengeKind::Dns01,
            identifier: Identifier::parse("example.com"),
            wildcard: false,
            token: "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA".to_owned(),
            key_authorization:
                "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
                    .to_owned(),
            account_uri: "https://ca.test/acct/1".to_owned(),
            issuer_domains: vec!["ca.test".to_owned(), "other.test".to_owned()],
        };
        assert_eq!(challenge.txt_value(), "ZTRx1Ckl1-tM05o5zaizTTA0yUy5AGereMgSNWC6Ll8");
        assert_eq!(challenge.persist_value().unwrap(), "ca.test; accounturi=https://ca.test/acct/1");
        challenge.wildcard = true;
        assert!(challenge.persist_value().unwrap().ends_with("; policy=wildcard"));
        challenge.issuer_domains.clear();
        assert_eq!(challenge.persist_value(), None);
    }
}

//! What ends a procedure without its result: whose fault it is, whether and when another try makes sense, and what can
//! be done about it. What is retried in between is beside `call`.

use super::machine::{Identifier, Time};
use super::wire::nullable;
use pn_model::acme::ChallengeKind;
use serde::Deserialize;
use std::fmt;

/// Why a procedure ended without its result.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct AcmeFault {
    pub kind: FaultKind,
    /// What the CA itself said, where it said something.
    pub problem: Option<Box<Problem>>,
    /// The CA wants nothing of this before then. At most a week ahead.
    pub retry_after: Option<Time>,
    /// How the name was to be proven, where that is what failed: another way may work.
    pub challenge: Option<ChallengeKind>,
    /// One line: the place, what is wrong, and the remedy.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many orders, accounts or requests: worth another try after `retry_after`, not before.
    RateLimited,
    /// The CA does not know the account (any more): register, then try again.
    AccountGone,
    /// The CA did not find what was presented for this name, or will not certify it. Further ones are in the message.
    Rejected(Identifier),
    /// What came is not what RFC 8555 says. Nothing of it was used.
    BadAnswer,
    /// The CA is not reachable or broken.
    Transport,
    /// The CA did not come to an end in time.
    TimedOut,
    /// None of the challenges that the CA offers for this name is configured.
    NoChallenge(Identifier),
    /// The account was deactivated, by us or by the CA: its key is of no use any more.
    AccountClosed,
    /// The order or the account's request was refused for another reason, which is in `problem`.
    Refused,
    /// The order failed at the CA after every name was proven.
    OrderInvalid,
    /// The CA wants an account of its own (external account binding), and the configuration has none or a wrong one.
    ExternalAccount,
    /// The CA waits for a person: new terms of service, most often.
    UserAction,
    /// The directory does not offer the profile that is configured.
    Profile,
    /// The directory does not offer this at all (key rollover, revocation).
    Unsupported,
    /// The challenges could not be presented: DNS, storage.
    Present,
    /// A key could not sign, or an argument was wrong. Our own fault.
    Internal,
}

impl AcmeFault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, problem: None, retry_after: None, challenge: None, message: message.into() }
    }

    pub(crate) fn bad_answer(url: &str, what: &str) -> Self {
        let message = format!("`{url}` answered with {what}; this is for the CA to mend");
        Self::new(FaultKind::BadAnswer, message)
    }

    pub(crate) fn internal(error: impl ToString) -> Self {
        Self::new(FaultKind::Internal, error.to_string())
    }
}

/// RFC 7807, as far as RFC 8555 section 6.7 uses it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// `urn:ietf:params:acme:error:...`
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub detail: String,
    /// Where a person can read on (RFC 8555 section 7.3.3).
    pub instance: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub subproblems: Vec<Subproblem>,
}

/// What is wrong with one name of several.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Subproblem {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub detail: String,
    pub identifier: Option<Identifier>,
}

const NAMESPACE: &str = "urn:ietf:params:acme:error:";

impl Problem {
    /// The type without its namespace; empty for those of others.
    pub fn name(&self) -> &str {
        self.kind.strip_prefix(NAMESPACE).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    /// One line that can be shown: what a CA writes is cut, and stripped of what would break the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.name().is_empty() { self.kind.as_str() } else { self.name() };
        write!(f, "{}: {}", shown(kind), shown(&self.detail))?;
        for sub in self.subproblems.iter().take(SUBPROBLEMS_SHOWN) {
            match &sub.identifier {
                Some(identifier) => {
                    write!(f, "; {}: {}", shown(&identifier.to_string()), shown(&sub.detail))?
                }
                None => write!(f, "; {}", shown(&sub.detail))?,
            }
        }
        f.write_str(hint(self.name()))
    }
}

/// More do not fit a line that is read.
const SUBPROBLEMS_SHOWN: usize = 5;
/// Details quote the response that the CA found in place of the expected one.
const SHOWN_CHARS: usize = 400;

pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The remedy for an error type of RFC 8555 section 6.7, where there is one that can be told from here.
fn hint(name: &str) -> &'static str {
    match name {
        "caa" => "; a CAA record of the domain forbids this CA: allow it there, or take another issuer",
        "connection" => {
            "; the name has to lead here from the internet, on port 80 for http-01 and 443 for tls-alpn-01"
        }
        "dns" => "; look at the domain's records, and at DNSSEC",
        "incorrectResponse" => "; something else answered in place of this proxy, or its record",
        "tls" => "; something else ends TLS in front of this proxy: take http-01 or dns-01",
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            "; this CA does not certify it: take another issuer"
        }
        "invalidContact" | "unsupportedContact" => "; look at the issuer's `email`",
        "externalAccountRequired" => "; set the issuer's `eab`, which the CA hands out",
        "badCSR" | "badPublicKey" => "; take another `key-type`",
        "badSignatureAlgorithm" => "; the CA does not take the account's kind of key: make a new account",
        "invalidProfile" => "; look at the issuer's `profile`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_shown_in_one_line_with_the_remedy() {
        for (json, expected) in [
            (r#"{"type":"urn:ietf:params:acme:error:caa","detail":"no\nway"}"#, "caa: no way; a CAA record"),
            (r#"{"type":"about:blank","detail":null,"subproblems":null}"#, "about:blank: "),
            (
                r#"{"type":"urn:ietf:params:acme:error:malformed","detail":"d","subproblems":[{"type":"x","detail":"e","identifier":{"type":"dns","value":"a.test"}}]}"#,
                "malformed: d; a.test: e",
            ),
        ] {
            let problem: Problem = serde_json::from_str(json).unwrap();
            assert!(problem.to_string().starts_with(expected), "{problem}");
        }
        let long = Problem { detail: "x".repeat(10_000), ..Problem::default() };
        assert!(long.to_string().len() < 1_000);
    }
}

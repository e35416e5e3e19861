//! What a CA answers with (RFC 8555 section 7.1, RFC 9773, draft-ietf-acme-profiles), read generously: unknown members
//! are passed over, `null` is as good as nothing, and only what a procedure cannot go on without is demanded.

use super::fault::Problem;
use super::machine::Identifier;
use pn_model::acme::ChallengeKind;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    pub new_nonce: String,
    pub new_account: String,
    pub new_order: String,
    pub revoke_cert: Option<String>,
    pub key_change: Option<String>,
    /// RFC 9773
    pub renewal_info: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub meta: Meta,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta {
    pub terms_of_service: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub caa_identities: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub external_account_required: bool,
    /// Name and description.
    #[serde(deserialize_with = "nullable")]
    pub profiles: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Pending,
    Ready,
    Processing,
    Valid,
    Invalid,
    /// `deactivated`, `expired`, `revoked`, or one that is not known.
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct WireOrder {
    pub(crate) status: Status,
    pub(crate) expires: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) authorizations: Vec<String>,
    pub(crate) finalize: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) error: Option<Problem>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Authorization {
    pub(crate) identifier: Identifier,
    pub(crate) status: Status,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) wildcard: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) challenges: Vec<WireChallenge>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct WireChallenge {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) url: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) status: Status,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) token: String,
    pub(crate) error: Option<Problem>,
    /// dns-persist-01
    #[serde(default, rename = "issuer-domain-names", deserialize_with = "nullable")]
    pub(crate) issuer_domains: Vec<String>,
}

impl WireChallenge {
    pub(crate) fn known(&self) -> Option<ChallengeKind> {
        ChallengeKind::ALL.into_iter().find(|kind| kind.name() == self.kind)
    }
}

/// RFC 9773 section 4.2
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireRenewalInfo {
    pub(crate) suggested_window: WireWindow,
    #[serde(rename = "explanationURL")]
    pub(crate) explanation_url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct WireWindow {
    pub(crate) start: String,
    pub(crate) end: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WireIdentifier {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl From<WireIdentifier> for Identifier {
    fn from(wire: WireIdentifier) -> Self {
        let address = (wire.kind == "ip").then(|| wire.value.parse().ok()).flatten();
        address.map_or_else(|| Self::Dns(wire.value.to_ascii_lowercase()), Self::Ip)
    }
}

impl From<Identifier> for WireIdentifier {
    fn from(identifier: Identifier) -> Self {
        let kind = if matches!(identifier, Identifier::Ip(_)) { "ip" } else { "dns" };
        Self { kind: kind.to_owned(), value: identifier.to_string() }
    }
}

pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn what_is_missing_null_or_unknown_does_no_harm() {
        let directory: Directory = from_value(json!({
            "newNonce": "n", "newAccount": "a", "newOrder": "o", "meta": null, "q1Yx": "https://community.example",
        }))
        .unwrap();
        assert_eq!(directory.meta, Meta::default());
        let order: WireOrder =
            from_value(json!({"status": "surprised", "authorizations": null, "identifiers": 3})).unwrap();
        assert_eq!((order.status, order.authorizations.len()), (Status::Other, 0));
        let authorization: Authorization = from_value(json!({
            "identifier": {"type": "dns", "value": "A.test"}, "status": "pending", "wildcard": null,
            "challenges": [{"type": "dns-persist-01", "issuer-domain-names": ["ca.test"]}, {"type": "new-02"}],
        }))
        .unwrap();
        assert_eq!(authorization.identifier, Identifier::parse("a.test"));
        let known: Vec<_> = authorization.challenges.iter().map(WireChallenge::known).collect();
        assert_eq!(known, [Some(ChallengeKind::DnsPersist01), None]);
        from_value::<Directory>(json!({"newNonce": "n", "newAccount": "a"})).unwrap_err();
    }

    #[test]
    fn identifiers_of_both_kinds() {
        for (text, kind) in [("*.a.test", "dns"), ("192.0.2.7", "ip"), ("2001:db8::7", "ip")] {
            let value = serde_json::to_value(Identifier::parse(text)).unwrap();
            assert_eq!(value, json!({"type": kind, "value": text}));
            assert_eq!(from_value::<Identifier>(value).unwrap(), Identifier::parse(text));
        }
    }
}

//! When the CA wants a certificate renewed (RFC 9773), and revocation (RFC 8555 section 7.6). The moment within the window
//! is chosen by the schedule.

use super::account::unsupported;
use super::call::{By, Line};
use super::certificate::CertId;
use super::fault::AcmeFault;
use super::jws::AccountKey;
use super::machine::Time;
use super::order::seconds;
use super::procedure::Procedure;
use super::session::Session;
use super::wire::WireRenewalInfo;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::json;

/// Seconds between two questions where the CA does not say, and the bounds for what it says (RFC 9773 section 4.3).
const ASK_AGAIN: u64 = 6 * 3600;
const ASK_AGAIN_BOUNDS: std::ops::RangeInclusive<u64> = 60..=24 * 3600;

/// Asks when a certificate is to be renewed. Needs no account.
#[derive(Debug, Clone)]
pub struct RenewalInfo {
    pub certificate: CertId,
}

/// What the CA suggests. A window that has passed means: now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalWindow {
    pub start: Time,
    /// After `start`.
    pub end: Time,
    /// When to ask again.
    pub retry_after: Time,
    /// Why, for a person.
    pub explanation_url: Option<String>,
}

impl RenewalInfo {
    /// `None`: the CA does not offer it.
    pub fn machine(self, session: &Session) -> Procedure<Option<RenewalWindow>> {
        let session = session.clone();
        Procedure::new(move |outside| async move { self.run(&Line::new(outside, session)).await })
    }

    async fn run(self, line: &Line) -> Result<Option<RenewalWindow>, AcmeFault> {
        let directory = line.directory().await?;
        let Some(url) = &directory.renewal_info else { return Ok(None) };
        let url = format!("{}/{}", url.trim_end_matches('/'), self.certificate);
        let answer = line.get(&url).await?;
        let info: WireRenewalInfo = answer.json()?;
        let window = seconds(&info.suggested_window.start).zip(seconds(&info.suggested_window.end));
        let (start, end) = window
            .filter(|(start, end)| start < end)
            .ok_or_else(|| answer.bad("a window that does not end after it begins (RFC 9773 section 4.2)"))?;
        let asked = answer.retry_after().unwrap_or(ASK_AGAIN);
        let delay = asked.clamp(*ASK_AGAIN_BOUNDS.start(), *ASK_AGAIN_BOUNDS.end());
        let retry_after = line.outside.now().saturating_add(delay);
        Ok(Some(RenewalWindow { start, end, retry_after, explanation_url: info.explanation_url }))
    }
}

/// RFC 5280 section 5.3.1, as far as subscribers may say it to a public CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationReason {
    #[default]
    Unspecified = 0,
    KeyCompromise = 1,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
}

impl RevocationReason {
    pub const ALL: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// As RFC 5280 calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Has a certificate revoked. One that is revoked already counts as done.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// The leaf, in DER.
    pub certificate: Vec<u8>,
    pub reason: RevocationReason,
    /// Its own private key, where the account is not the one that ordered it.
    pub by_key: Option<AccountKey>,
}

impl Revoke {
    pub fn machine(self, session: &Session) -> Procedure<()> {
        let session = session.clone();
        Procedure::new(move |outside| async move { self.run(&Line::new(outside, session)).await })
    }

    async fn run(self, line: &Line) -> Result<(), AcmeFault> {
        let directory = line.directory().await?;
        let url = directory.revoke_cert.as_deref().ok_or_else(|| unsupported(line, "revoke certificates"))?;
        let mut payload = json!({"certificate": BASE64URL.encode(&self.certificate)});
        if self.reason != RevocationReason::Unspecified {
            payload["reason"] = (self.reason as u8).into();
        }
        let by = self.by_key.as_ref().map_or(By::Account, By::Key);
        match line.post(url, &payload, by).await {
            Err(fault)
                if fault.problem.as_ref().is_some_and(|problem| problem.name() == "alreadyRevoked") =>
            {
                Ok(())
            }
            outcome => outcome.map(|_| ()),
        }
    }
}

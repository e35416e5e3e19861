//! Accounts at a CA (RFC 8555 section 7.3): made or found again, told of a new contact or key, closed. Certificates are
//! ordered in `order`.

use super::answer::Answer;
use super::call::{By, Line};
use super::fault::{AcmeFault, FaultKind};
use super::jws::{self, AccountKey, SignedAs};
use super::procedure::Procedure;
use super::session::Session;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pn_model::acme::Eab;
use serde_json::{Value, json};

/// Secrets of external accounts are handed out with and without padding.
const SECRET: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Makes an account for the session's key, or finds the one that it has. The terms of service are agreed to.
#[derive(Debug, Clone, Default)]
pub struct Register {
    pub email: Option<String>,
    pub eab: Option<Eab>,
    /// Only finds: [`FaultKind::AccountGone`] where there is none.
    pub only_existing: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub url: String,
    /// As the CA shows it (RFC 8555 section 7.1.2).
    pub body: Value,
    /// It was there before; its contact may be another one.
    pub existed: bool,
}

impl Register {
    /// The session has the account's URL when it ends.
    pub fn machine(self, session: &Session) -> Procedure<Registered> {
        let session = session.clone();
        Procedure::new(move |outside| async move { self.run(&Line::new(outside, session)).await })
    }

    async fn run(self, line: &Line) -> Result<Registered, AcmeFault> {
        let directory = line.directory().await?;
        if directory.meta.external_account_required && self.eab.is_none() && !self.only_existing {
            let what = format!(
                "`{}` makes accounts only for customers it knows; set the issuer's `eab` to what the CA hands out",
                line.session.directory_url()
            );
            return Err(AcmeFault::new(FaultKind::ExternalAccount, what));
        }
        let payload = self.payload(&line.session.key(), &directory.new_account)?;
        let answer = line.post(&directory.new_account, &payload, By::AccountKey).await;
        let answer = answer.map_err(|fault| self.of_binding(self.of_closed(fault)));
        let registered = registered(&answer?)?;
        line.session.set_account(Some(registered.url.clone()));
        Ok(registered)
    }

    /// Whoever only asks for the account of a key needs no rights but the key: a CA that refuses has closed it
    /// (RFC 8555 section 7.3.6).
    fn of_closed(&self, mut fault: AcmeFault) -> AcmeFault {
        let refused = fault.problem.as_ref().is_some_and(|problem| problem.name() == "unauthorized");
        if self.only_existing && refused {
            fault.kind = FaultKind::AccountClosed;
        }
        fault
    }

    /// A binding that it does not take is refused in the CA's own words, which seldom say where it was written.
    fn of_binding(&self, mut fault: AcmeFault) -> AcmeFault {
        let name = fault.problem.as_ref().map_or("", |problem| problem.name());
        if self.eab.is_some() && !self.only_existing && matches!(name, "unauthorized" | "malformed") {
            fault.kind = FaultKind::ExternalAccount;
            fault.message.push_str("; is the issuer's `eab` what the CA handed out, and not used up?");
        }
        fault
    }

    fn payload(&self, key: &AccountKey, url: &str) -> Result<Value, AcmeFault> {
        let mut payload = json!({"termsOfServiceAgreed": true});
        if self.only_existing {
            payload = json!({"onlyReturnExisting": true});
        } else if self.email.is_some() {
            payload["contact"] = contact(self.email.as_deref());
        }
        if let Some(eab) = self.eab.as_ref().filter(|_| !self.only_existing) {
            let secret = SECRET.decode(eab.hmac.expose().trim()).map_err(|_| {
                let what = "the issuer's `eab` has a secret that is not base64url; copy it from the CA again";
                AcmeFault::new(FaultKind::ExternalAccount, what)
            })?;
            let binding = jws::external_binding(key, &eab.kid, &secret, url);
            payload["externalAccountBinding"] =
                serde_json::from_str(&binding).map_err(AcmeFault::internal)?;
        }
        Ok(payload)
    }
}

/// Tells the CA where to write to.
#[derive(Debug, Clone)]
pub struct UpdateContact {
    /// `None`: nowhere.
    pub email: Option<String>,
}

impl UpdateContact {
    /// Ends with the account as the CA shows it.
    pub fn machine(self, session: &Session) -> Procedure<Value> {
        let payload = json!({"contact": contact(self.email.as_deref())});
        update(session, payload)
    }
}

/// Closes the account for ever. Its certificates stay valid; nothing can be ordered or revoked by it any more.
#[derive(Debug, Clone)]
pub struct Deactivate;

impl Deactivate {
    /// Ends with the account as the CA shows it.
    pub fn machine(self, session: &Session) -> Procedure<Value> {
        update(session, json!({"status": "deactivated"}))
    }
}

fn update(session: &Session, payload: Value) -> Procedure<Value> {
    let session = session.clone();
    Procedure::new(move |outside| async move {
        let line = Line::new(outside, session);
        let url = line.account()?;
        line.post(&url, &payload, By::Account).await?.json()
    })
}

/// Gives the account another key (RFC 8555 section 7.3.5). Keep both keys in storage before it begins and until it has
/// ended: when it ends without a result, either may be the one.
#[derive(Debug, Clone)]
pub struct Rollover {
    pub new_key: AccountKey,
}

impl Rollover {
    /// The session has the new key when it ends.
    pub fn machine(self, session: &Session) -> Procedure<()> {
        let session = session.clone();
        Procedure::new(move |outside| async move { self.run(&Line::new(outside, session)).await })
    }

    async fn run(self, line: &Line) -> Result<(), AcmeFault> {
        let directory = line.directory().await?;
        let url =
            directory.key_change.as_deref().ok_or_else(|| unsupported(line, "change an account's key"))?;
        let account = line.account()?;
        let inner = json!({"account": account, "oldKey": line.session.key().jwk()}).to_string();
        let inner =
            jws::sign(&self.new_key, SignedAs::Key, None, url, &inner).map_err(AcmeFault::internal)?;
        let payload = serde_json::from_str(&inner).map_err(AcmeFault::internal)?;
        if let Err(fault) = line.post(url, &payload, By::Account).await
            && !self.is_known(line, &directory.new_account, &account).await
        {
            return Err(fault);
        }
        line.session.set_key(self.new_key);
        Ok(())
    }

    /// Whether the account has the new key: the answer that said so may have been lost, and then a second try is refused.
    async fn is_known(&self, line: &Line, url: &str, account: &str) -> bool {
        let answer = line.post(url, &json!({"onlyReturnExisting": true}), By::Key(&self.new_key)).await;
        answer.is_ok_and(|answer| answer.location().is_ok_and(|found| found == account))
    }
}

impl Line {
    pub(super) fn account(&self) -> Result<String, AcmeFault> {
        let missing =
            || AcmeFault::new(FaultKind::AccountGone, "there is no account yet; register one first");
        self.session.account_url().ok_or_else(missing)
    }
}

pub(super) fn unsupported(line: &Line, what: &str) -> AcmeFault {
    let message = format!("`{}` does not offer to {what}", line.session.directory_url());
    AcmeFault::new(FaultKind::Unsupported, message)
}

fn registered(answer: &Answer) -> Result<Registered, AcmeFault> {
    let body: Value = answer.json()?;
    if let Some(status @ ("deactivated" | "revoked")) = body.get("status").and_then(Value::as_str) {
        let what = format!("the account is {status} at the CA; make one with a new key");
        return Err(AcmeFault::new(FaultKind::AccountClosed, what));
    }
    Ok(Registered { url: answer.location()?, body, existed: answer.status() == 200 })
}

fn contact(email: Option<&str>) -> Value {
    email.map(|email| format!("mailto:{email}")).into_iter().collect()
}

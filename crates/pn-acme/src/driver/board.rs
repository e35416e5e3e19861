//! How the certificates are, for the API, the metrics and the command line.

use super::served::Served;
use crate::Time;
use crate::life::{CertificateId, Next, Plan, Window};
use crate::records::Source;
use pn_model::IssuerName;
use pn_tls::CertificateInfo;

/// One certificate at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    pub id: CertificateId,
    /// That are asked for.
    pub names: Vec<String>,
    /// A client brought its name.
    pub on_demand: bool,
    /// Who signed what is held, or is asked first.
    pub issuer: IssuerName,
    /// URL of its directory.
    pub directory: String,
    pub state: CertificateState,
    /// What is served. `None`: nothing yet.
    pub served: Option<CertificateInfo>,
    /// Whether that was ordered here.
    pub source: Option<Source>,
    /// What is done next, and when.
    pub next: Next,
    pub next_at: Time,
    /// Rounds that failed since it went well.
    pub failures: u32,
    pub last_error: Option<String>,
    /// When the CA suggests to renew.
    pub window: Option<Window>,
    /// Somebody asked for another one, which is not there yet.
    pub asked_for: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateState {
    /// There is none, and one is being obtained.
    Obtaining,
    /// There is none: the next try is at `next_at`.
    Missing,
    Valid,
    /// Valid, and its renewal is under way.
    Renewing,
    /// Valid, and its renewal failed: see `last_error`.
    RenewalFailing,
    /// The CA was told to take it back. It is served until another is there.
    Revoked,
    /// It is served all the same.
    Expired,
}

impl CertificateState {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Obtaining => "obtaining",
            Self::Missing => "missing",
            Self::Valid => "valid",
            Self::Renewing => "renewing",
            Self::RenewalFailing => "renewal-failing",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl CertificateStatus {
    pub(super) fn of(plan: Plan, served: Option<Served>, now: Time) -> Option<Self> {
        let state = state(&plan, served.as_ref(), now);
        let facts = plan.facts.unwrap_or_default();
        let held = facts.held.as_ref();
        let mut issuers = plan.demand.issuers.iter();
        let signed = held.and_then(|held| issuers.find(|source| source.directory == held.directory));
        let issuer = signed.or_else(|| plan.demand.issuers.first())?;
        Some(Self {
            id: plan.demand.id.clone(),
            names: plan.demand.names.clone(),
            on_demand: plan.demand.on_demand,
            issuer: issuer.issuer.clone(),
            directory: issuer.directory.clone(),
            state,
            source: served.as_ref().map(|served| served.source),
            served: served.map(|served| served.info),
            next: plan.next,
            next_at: plan.at,
            failures: facts.tries.failures,
            last_error: plan.trouble.or(facts.tries.last_error),
            window: held.and_then(|held| held.window),
            asked_for: plan.asked_for,
        })
    }
}

fn state(plan: &Plan, served: Option<&Served>, now: Time) -> CertificateState {
    let facts = plan.facts.as_ref();
    if let (None, Some(served)) = (facts, served) {
        // It is just being looked at again.
        let ended = served.info.not_after <= now;
        return if ended { CertificateState::Expired } else { CertificateState::Valid };
    }
    let renews = plan.busy && plan.next == Next::Renew && plan.at <= now;
    match facts.and_then(|facts| facts.held.as_ref()) {
        None if plan.busy => CertificateState::Obtaining,
        None => CertificateState::Missing,
        Some(held) if !held.is_valid(now) => CertificateState::Expired,
        Some(held) if held.revoked => CertificateState::Revoked,
        Some(_) if renews => CertificateState::Renewing,
        Some(_) if facts.is_some_and(|facts| facts.tries.failures > 0) => CertificateState::RenewalFailing,
        Some(_) => CertificateState::Valid,
    }
}

//! How the certificates are, for the API, the metrics and the command line.

use crate::Time;
use crate::life::{CertificateId, Next, Plan, Window};
use pn_model::IssuerName;

/// One certificate at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    pub id: CertificateId,
    pub names: Vec<String>,
    /// Who signed what is held, or is asked first.
    pub issuer: IssuerName,
    pub state: CertificateState,
    pub not_before: Option<Time>,
    pub not_after: Option<Time>,
    /// What is done next, and when.
    pub next: Next,
    pub next_at: Time,
    /// Rounds that failed since it went well.
    pub failures: u32,
    pub last_error: Option<String>,
    /// When the CA suggests to renew.
    pub window: Option<Window>,
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
    /// It is served all the same.
    Expired,
}

impl CertificateStatus {
    pub(super) fn of(plan: Plan, now: Time) -> Option<Self> {
        let facts = plan.facts.unwrap_or_default();
        let held = facts.held.as_ref();
        let state = match held {
            None if plan.busy => CertificateState::Obtaining,
            None => CertificateState::Missing,
            Some(held) if !held.is_valid(now) => CertificateState::Expired,
            Some(_) if plan.busy && plan.next == Next::Renew && plan.at <= now => CertificateState::Renewing,
            Some(_) if facts.tries.failures > 0 => CertificateState::RenewalFailing,
            Some(_) => CertificateState::Valid,
        };
        let mut issuers = plan.demand.issuers.iter();
        let signed = held.and_then(|held| issuers.find(|source| source.directory == held.directory));
        let issuer = signed.or_else(|| plan.demand.issuers.first())?.issuer.clone();
        Some(Self {
            id: plan.demand.id.clone(),
            names: plan.demand.names.clone(),
            issuer,
            state,
            not_before: held.map(|held| held.not_before),
            not_after: held.map(|held| held.not_after),
            next: plan.next,
            next_at: plan.at,
            failures: facts.tries.failures,
            last_error: plan.trouble.or(facts.tries.last_error),
            window: held.and_then(|held| held.window),
        })
    }
}

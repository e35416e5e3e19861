//! Answers the DNS challenges of an order and takes the answers back: finds where each record belongs, adds it, waits
//! until it is seen; removes by value what it added, after a failure too. One solver serves one issuer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pn_model::acme::{ChallengeKind, DnsProvider, DnsSettings, Propagation};

use super::delegation::target;
use super::error::DnsError;
use super::exec::Exec;
use super::httpreq::{HttpClient, HttpReq};
use super::lookup::Lookup;
use super::persist::Persist;
use super::presenter::{DnsPresenter, RawChallenge, TxtRecord};
use super::propagation::wait_for;
use super::update::Rfc2136;
use super::zone::absolute;
use crate::Time;
use crate::acme::{Challenge, Identifier};

const LABEL: &str = "_acme-challenge";

#[derive(Debug)]
pub struct DnsSolver {
    /// `None`: records of dns-persist-01 are looked for, and made by hand.
    presenter: Option<Arc<dyn DnsPresenter>>,
    ttl: Duration,
    propagation: Propagation,
    lookup: Lookup,
    /// Where records went, by what they answer: an alias may lead elsewhere by the time they are removed. Ends with
    /// the process; then aliases are followed again.
    made: Mutex<HashMap<(String, String), String>>,
}

impl DnsSolver {
    /// With the provider of an issuer's configuration. `client` serves `httpreq`.
    pub fn new(settings: &DnsSettings, client: &Arc<dyn HttpClient>) -> Result<Self, DnsError> {
        let primary = match &settings.provider {
            DnsProvider::Rfc2136 { server, .. } => Some(server.as_str()),
            _ => None,
        };
        let lookup = Lookup::new(&settings.propagation.resolvers, primary);
        let presenter = presenter(&settings.provider, client)?;
        Ok(Self::with(Some(presenter), settings.ttl, settings.propagation.clone(), lookup))
    }

    /// Without a provider: for dns-persist-01, whose records somebody else makes.
    pub fn without_provider() -> Self {
        Self::with(None, Duration::ZERO, Propagation::default(), Lookup::new(&[], None))
    }

    pub(super) fn with(
        presenter: Option<Arc<dyn DnsPresenter>>,
        ttl: Duration,
        propagation: Propagation,
        lookup: Lookup,
    ) -> Self {
        Self { presenter, ttl, propagation, lookup, made: Mutex::default() }
    }

    /// Makes the records of these challenges and waits until they are seen. After an error none of those of dns-01 is
    /// left. Challenges of other kinds are passed over. `now`: seconds since 1970.
    pub async fn present(&self, challenges: &[Challenge], now: Time) -> Result<(), DnsError> {
        let result = self.try_present(challenges, now).await;
        if result.is_err()
            && let Err(error) = self.withdraw(challenges).await
        {
            tracing::warn!(%error, "a TXT record of a challenge that failed was left behind");
        }
        result
    }

    /// Removes the records of these challenges by their values, whether or not this process made them. Those of
    /// dns-persist-01 stay. Tries each, and returns the first error.
    pub async fn withdraw(&self, challenges: &[Challenge]) -> Result<(), DnsError> {
        let Some(presenter) = &self.presenter else { return Ok(()) };
        let mut result = Ok(());
        for challenge in of_kind(challenges, ChallengeKind::Dns01) {
            let removed = match self.record_to_remove(challenge).await {
                Ok(record) => presenter.remove(&record).await,
                Err(error) => Err(error),
            };
            result = result.and(removed);
        }
        result
    }

    async fn try_present(&self, challenges: &[Challenge], now: Time) -> Result<(), DnsError> {
        let mut records = Vec::new();
        for challenge in of_kind(challenges, ChallengeKind::Dns01) {
            records.push(self.add(challenge).await?);
        }
        for challenge in of_kind(challenges, ChallengeKind::DnsPersist01) {
            records.extend(self.persist(challenge, now).await?);
        }
        if records.is_empty() { Ok(()) } else { wait_for(&self.lookup, &self.propagation, &records).await }
    }

    async fn add(&self, challenge: &Challenge) -> Result<TxtRecord, DnsError> {
        let presenter = self.presenter.as_ref().ok_or_else(no_provider)?;
        let fqdn = fqdn(challenge)?;
        let at = target(&self.lookup, &absolute(&fqdn)?).await?.to_ascii();
        self.made().insert((fqdn, challenge.txt_value()), at.clone());
        let record = self.record(challenge, at);
        presenter.append(&record).await.map(|()| record)
    }

    async fn record_to_remove(&self, challenge: &Challenge) -> Result<TxtRecord, DnsError> {
        let fqdn = fqdn(challenge)?;
        let known = self.made().remove(&(fqdn.clone(), challenge.txt_value()));
        let at = match known {
            Some(at) => at,
            None => target(&self.lookup, &absolute(&fqdn)?).await?.to_ascii(),
        };
        Ok(self.record(challenge, at))
    }

    fn record(&self, challenge: &Challenge, fqdn: String) -> TxtRecord {
        let raw = RawChallenge {
            domain: challenge.identifier.to_string(),
            token: challenge.token.clone(),
            key_authorization: challenge.key_authorization.clone(),
        };
        TxtRecord { fqdn, value: challenge.txt_value(), ttl: self.ttl, raw: Some(raw) }
    }

    /// The record that was made, unless one was there.
    async fn persist(&self, challenge: &Challenge, now: Time) -> Result<Option<TxtRecord>, DnsError> {
        let persist = Persist::of(challenge)?;
        if !self.propagation.check && self.presenter.is_none() {
            return Ok(None);
        }
        let Err(lack) = persist.look(&self.lookup, now).await else { return Ok(None) };
        let record = persist.zone_line();
        let Some(presenter) = &self.presenter else {
            return Err(DnsError::Persist { problem: lack, record });
        };
        tracing::info!(%record, reason = %lack, "makes the record of dns-persist-01, which stays");
        let fqdn = target(&self.lookup, &persist.name).await?.to_ascii();
        let record = TxtRecord { fqdn, value: persist.value, ttl: self.ttl, raw: None };
        presenter.append(&record).await?;
        Ok(Some(record))
    }

    fn made(&self) -> MutexGuard<'_, HashMap<(String, String), String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_kind(challenges: &[Challenge], kind: ChallengeKind) -> impl Iterator<Item = &Challenge> {
    challenges.iter().filter(move |challenge| challenge.kind == kind)
}

/// Absolute.
fn fqdn(challenge: &Challenge) -> Result<String, DnsError> {
    match &challenge.identifier {
        Identifier::Dns(name) => Ok(format!("{LABEL}.{name}.")),
        Identifier::Ip(ip) => Err(DnsError::name(&ip.to_string(), &NO_ADDRESS)),
    }
}

pub(super) const NO_ADDRESS: &str = "certificates for addresses need http-01 or tls-alpn-01 (RFC 8738)";

fn no_provider() -> DnsError {
    DnsError::Settings("dns-01 needs a provider; describe one in the issuer's `dns`".to_owned())
}

fn presenter(
    provider: &DnsProvider,
    client: &Arc<dyn HttpClient>,
) -> Result<Arc<dyn DnsPresenter>, DnsError> {
    Ok(match provider {
        DnsProvider::Rfc2136 { server, tsig } => Arc::new(Rfc2136::new(server, tsig.as_ref())?),
        DnsProvider::Exec { program, args, raw } => {
            let args = args.iter().map(|arg| arg.expose().to_owned()).collect();
            Arc::new(Exec::new(program.clone(), args, *raw))
        }
        DnsProvider::HttpReq { url, username, password, raw } => {
            Arc::new(HttpReq::new(url, username.as_deref(), password.as_ref(), *raw, Arc::clone(client)))
        }
        DnsProvider::Library { name, .. } => return Err(library(name)),
    })
}

fn library(name: &str) -> DnsError {
    DnsError::Settings(format!("this build has no DNS provider `{name}`: use `rfc2136`, `exec` or `httpreq`"))
}

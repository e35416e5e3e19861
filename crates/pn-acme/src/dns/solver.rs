//! Answers the DNS challenges of an order and takes the answers back: finds where each record belongs, adds it, waits
//! until it is seen; removes by value what it added, after a failure too. One solver serves one issuer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pn_model::acme::{ChallengeKind, DnsProvider, DnsSettings, Propagation};
use pn_model::{IssuerName, Secret};

use tokio::time::timeout;

use super::delegation::target;
use super::error::DnsError;
use super::exec::Exec;
use super::httpreq::{HttpClient, HttpReq};
use super::journal::{Journal, Note};
use super::lookup::Lookup;
use super::persist::Persist;
use super::presenter::{DnsPresenter, RawChallenge, TxtRecord};
use super::propagation::wait_for;
use super::update::Rfc2136;
use super::zone::absolute;
use crate::Time;
use crate::acme::{Challenge, Identifier};
use crate::storage::Storage;

const LABEL: &str = "_acme-challenge";

#[derive(Debug)]
pub struct DnsSolver {
    /// `None`: records of dns-persist-01 are looked for, and made by hand.
    pub(super) presenter: Option<Arc<dyn DnsPresenter>>,
    pub(super) ttl: Duration,
    pub(super) propagation: Propagation,
    pub(super) lookup: Lookup,
    pub(super) journal: Journal,
}

/// Longest that an order lasts beside the wait for its records: what was left is removed, records are made, the CA looks.
const ORDER: Time = 2 * 3600;
/// Longest that the records of an order are made for: there may be a hundred, a program may take minutes for each, and
/// orders take turns with it. Below what the journal takes for the end of an order.
const MAKING: Duration = Duration::from_secs(3000);
/// Longest that records are removed for; what stays goes later. The order waits for it.
const REMOVING: Duration = Duration::from_secs(600);

impl DnsSolver {
    /// With the provider of an issuer's configuration. `client` serves `httpreq`; `storage` keeps what is to be removed.
    pub fn new(
        issuer: &IssuerName,
        settings: &DnsSettings,
        client: &Arc<dyn HttpClient>,
        storage: &Arc<dyn Storage>,
    ) -> Result<Self, DnsError> {
        let primary = match &settings.provider {
            DnsProvider::Rfc2136 { server, .. } => Some(server.as_str()),
            _ => None,
        };
        let lookup = Lookup::new(&settings.propagation.resolvers, primary);
        let presenter = presenter(&settings.provider, client, &lookup)?;
        let journal = Journal { storage: Arc::clone(storage), issuer: issuer.to_string() };
        let (ttl, propagation) = (settings.ttl, settings.propagation.clone());
        Ok(Self { presenter: Some(presenter), ttl, propagation, lookup, journal })
    }

    /// Without a provider: for dns-persist-01, whose records somebody else makes.
    pub fn without_provider(issuer: &IssuerName, storage: &Arc<dyn Storage>) -> Self {
        let journal = Journal { storage: Arc::clone(storage), issuer: issuer.to_string() };
        let (propagation, lookup) = (Propagation::default(), Lookup::new(&[], None));
        Self { presenter: None, ttl: Duration::ZERO, propagation, lookup, journal }
    }

    /// Makes the records of these challenges and waits until they are seen. After an error none of those of dns-01 is
    /// left. Challenges of other kinds are passed over. `now`: seconds since 1970.
    pub async fn present(&self, challenges: &[Challenge], now: Time) -> Result<(), DnsError> {
        self.tidy(now).await?;
        let result = self.try_present(challenges, now).await;
        if result.is_err()
            && let Err(error) = self.withdraw(challenges).await
        {
            tracing::warn!(%error, "a TXT record of a challenge that failed was left behind");
        }
        result
    }

    /// Removes the records of these challenges by their values, whichever process made them. Those of dns-persist-01
    /// stay. Tries each, and returns the first error; what is left then is removed with a later order.
    pub async fn withdraw(&self, challenges: &[Challenge]) -> Result<(), DnsError> {
        let removed = timeout(REMOVING, self.withdraw_each(challenges)).await;
        removed.unwrap_or(Err(DnsError::Slow { what: "removed", waited: REMOVING }))
    }

    async fn withdraw_each(&self, challenges: &[Challenge]) -> Result<(), DnsError> {
        let mut result = Ok(());
        for challenge in of_kind(challenges, ChallengeKind::Dns01) {
            let removed = match self.journal.find(challenge).await {
                Ok(Some(note)) => self.remove(&note).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            result = result.and(removed);
        }
        result
    }

    async fn try_present(&self, challenges: &[Challenge], now: Time) -> Result<(), DnsError> {
        let made = timeout(MAKING, self.make(challenges, now)).await;
        let records = made.unwrap_or(Err(DnsError::Slow { what: "made", waited: MAKING }))?;
        if records.is_empty() { Ok(()) } else { wait_for(&self.lookup, &self.propagation, &records).await }
    }

    async fn make(&self, challenges: &[Challenge], now: Time) -> Result<Vec<TxtRecord>, DnsError> {
        let mut records = Vec::new();
        for challenge in of_kind(challenges, ChallengeKind::Dns01) {
            records.push(self.add(challenge, now).await?);
        }
        for challenge in of_kind(challenges, ChallengeKind::DnsPersist01) {
            records.extend(self.persist(challenge, now).await?);
        }
        Ok(records)
    }

    async fn add(&self, challenge: &Challenge, now: Time) -> Result<TxtRecord, DnsError> {
        let presenter = self.presenter.as_ref().ok_or_else(no_provider)?;
        let Identifier::Dns(name) = &challenge.identifier else {
            return Err(DnsError::name(&challenge.identifier.to_string(), &NO_ADDRESS));
        };
        let at = target(&self.lookup, &absolute(&format!("{LABEL}.{name}"))?).await?;
        let raw = RawChallenge {
            domain: name.clone(),
            token: challenge.token.clone(),
            key_authorization: challenge.key_authorization.clone(),
        };
        let (fqdn, value) = (at.to_ascii(), challenge.txt_value());
        let record = TxtRecord { fqdn, value, ttl: self.ttl, raw: Some(raw) };
        let expires = now + self.propagation.timeout.as_secs() + ORDER;
        self.journal.note(challenge, &record, expires).await?;
        presenter.append(&record).await.map(|()| record)
    }

    async fn remove(&self, note: &Note) -> Result<(), DnsError> {
        let Some(presenter) = &self.presenter else { return Ok(()) };
        presenter.remove(&note.record()).await?;
        self.journal.forget(note).await
    }

    /// Removes what orders that are over have left, of processes that were killed or servers that did not answer. What
    /// stays is told by the log, and tried again the next time. `now`: seconds since 1970.
    pub async fn tidy(&self, now: Time) -> Result<(), DnsError> {
        // What hangs keeps no order from its turn.
        let swept = timeout(REMOVING, self.sweep(now)).await;
        swept.unwrap_or_else(|_| {
            tracing::warn!("not all TXT records of orders that are over were removed in time");
            Ok(())
        })
    }

    async fn sweep(&self, now: Time) -> Result<(), DnsError> {
        for note in self.journal.overdue(now).await? {
            match self.remove(&note).await {
                Ok(()) => tracing::info!(fqdn = note.fqdn, "removed the TXT record of an order that is over"),
                Err(error) => tracing::warn!(%error, "the TXT record of an order that is over stays"),
            }
        }
        Ok(())
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
}

fn of_kind(challenges: &[Challenge], kind: ChallengeKind) -> impl Iterator<Item = &Challenge> {
    challenges.iter().filter(move |challenge| challenge.kind == kind)
}

pub(super) const NO_ADDRESS: &str = "certificates for addresses need http-01 or tls-alpn-01 (RFC 8738)";

fn no_provider() -> DnsError {
    DnsError::Settings("dns-01 needs a provider; describe one in the issuer's `dns`".to_owned())
}

fn presenter(
    provider: &DnsProvider,
    client: &Arc<dyn HttpClient>,
    lookup: &Lookup,
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
        DnsProvider::Library { name, settings } => library(name, settings, lookup)?,
    })
}

#[cfg(feature = "dns-providers")]
fn library(
    name: &str,
    settings: &BTreeMap<String, Secret>,
    lookup: &Lookup,
) -> Result<Arc<dyn DnsPresenter>, DnsError> {
    Ok(Arc::new(super::library::Library::new(name, settings, lookup.clone())?))
}

#[cfg(not(feature = "dns-providers"))]
fn library(
    name: &str,
    _settings: &BTreeMap<String, Secret>,
    _lookup: &Lookup,
) -> Result<Arc<dyn DnsPresenter>, DnsError> {
    Err(DnsError::Settings(format!(
        "this build has no DNS provider `{name}`: build it with `--features dns-providers`, or use `rfc2136`, \
         `exec` or `httpreq`"
    )))
}

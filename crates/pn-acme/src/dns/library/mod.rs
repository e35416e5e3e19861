//! The presenter that changes records by the API of a DNS provider, through the crate `dns-update`. Only in builds with
//! the feature `dns-providers`: the crate brings an HTTP client of its own.

mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dns_update::{DnsRecord, DnsRecordType, DnsUpdater};
use pn_model::Secret;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::cover::Cover;
use super::error::DnsError;
use super::lookup::Lookup;
use super::presenter::{Change, DnsPresenter, TxtRecord};
use super::turn::turn_of;
use super::zone::absolute;
use crate::storage::BoxFuture;

/// Of one request to a provider.
const TIMEOUT: Option<Duration> = Some(Duration::from_secs(30));
/// Of one change with all its requests: a provider that throttles us is asked again up to three times.
const PATIENCE: Duration = Duration::from_secs(180);
/// Settings that are no secrets, so that errors may name what they say.
const PUBLIC: &[&str] = &["url", "host", "endpoint", "region", "server", "port", "environment"];

pub use table::PROVIDERS;

pub(super) struct Library {
    name: &'static str,
    updater: DnsUpdater,
    lookup: Lookup,
    /// Some providers want their keys in the URL, which errors repeat.
    cover: Cover,
    /// Many APIs know whole sets of records, or zones, only: two changes at once would lose one of them, of whichever
    /// issuer.
    turn: Arc<Mutex<()>>,
}

/// One provider: what it is called, and which settings it needs and takes.
#[derive(Debug)]
pub struct Provider {
    pub name: &'static str,
    pub needs: &'static [&'static str],
    pub takes: &'static [&'static str],
    make: fn(&Given<'_>) -> dns_update::Result<DnsUpdater>,
}

/// The settings of the configuration, once their names are known to be right.
struct Given<'a>(&'a BTreeMap<String, Secret>);

impl Given<'_> {
    /// One that the provider needs.
    fn get(&self, key: &str) -> &str {
        self.maybe(key).unwrap_or_default()
    }

    fn maybe(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(Secret::expose)
    }

    fn text(&self, key: &str) -> String {
        self.get(key).to_owned()
    }

    fn maybe_text(&self, key: &str) -> Option<String> {
        self.maybe(key).map(str::to_owned)
    }

    fn is_on(&self, key: &str) -> bool {
        self.maybe(key) == Some("true")
    }
}

impl Library {
    pub(super) fn new(
        name: &str,
        settings: &BTreeMap<String, Secret>,
        lookup: Lookup,
    ) -> Result<Self, DnsError> {
        let provider = find(name)?;
        provider.check(settings)?;
        let updater = (provider.make)(&Given(settings)).map_err(|error| {
            DnsError::Settings(format!("the DNS provider `{name}` does not take its settings: {error}"))
        })?;
        let secrets = settings.iter().filter(|(key, _)| !PUBLIC.contains(&key.as_str()));
        let cover = Cover::of(secrets.map(|(_, value)| value.clone()));
        Ok(Self { name: provider.name, updater, lookup, cover, turn: turn_of(name) })
    }

    async fn change(&self, record: &TxtRecord, change: Change) -> Result<(), DnsError> {
        let fault = |reason: String| DnsError::Provider {
            provider: self.name.to_owned(),
            action: change.verb(),
            fqdn: record.fqdn.clone(),
            reason,
        };
        let name = absolute(&record.fqdn)?;
        let zone = self.lookup.zone(&name.base_name()).await?;
        let zone = zone.ok_or_else(|| fault("no name server has a zone for it".to_owned()))?.apex.to_ascii();
        let values = vec![DnsRecord::TXT(record.value.clone())];
        let (fqdn, kind) = (record.fqdn.trim_end_matches('.'), DnsRecordType::TXT);
        let (zone, ttl) =
            (zone.trim_end_matches('.'), u32::try_from(record.ttl.as_secs()).unwrap_or(u32::MAX));
        let _turn = self.turn.lock().await;
        let work = async {
            match change {
                Change::Append => self.updater.add_to_rrset(fqdn, kind, ttl, values, zone).await,
                Change::Remove => self.updater.remove_from_rrset(fqdn, kind, values, zone).await,
            }
        };
        let Ok(done) = timeout(PATIENCE, work).await else {
            return Err(fault(format!("it had not done so after {} s", PATIENCE.as_secs())));
        };
        match (done, change) {
            (Ok(()), _) | (Err(dns_update::Error::NotFound), Change::Remove) => Ok(()),
            (Err(dns_update::Error::Unauthorized), _) => Err(fault(
                "it does not accept the credentials; compare `settings` with what it gave".to_owned(),
            )),
            (Err(dns_update::Error::NotFound), Change::Append) => {
                Err(fault(format!("it has no zone `{zone}`; is it another account's?")))
            }
            (Err(error), _) => Err(fault(self.cover.put_on(&error.to_string()))),
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("name", &self.name).finish_non_exhaustive()
    }
}

impl DnsPresenter for Library {
    fn append<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.change(record, Change::Append))
    }

    fn remove<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.change(record, Change::Remove))
    }
}

impl Provider {
    /// Whether the settings are those that it needs and takes, no more and no less.
    fn check(&self, settings: &BTreeMap<String, Secret>) -> Result<(), DnsError> {
        let (name, needs) = (self.name, self.needs.join("`, `"));
        if let Some(missing) = self.needs.iter().find(|key| !settings.contains_key(**key)) {
            let problem =
                format!("the DNS provider `{name}` lacks its setting `{missing}`; it needs `{needs}`");
            return Err(DnsError::Settings(problem));
        }
        let known = |key: &&String| self.needs.iter().chain(self.takes).any(|known| known == key);
        if let Some(unknown) = settings.keys().find(|key| !known(key)) {
            let takes = [self.needs, self.takes].concat().join("`, `");
            let problem = format!("the DNS provider `{name}` takes no setting `{unknown}`, only `{takes}`");
            return Err(DnsError::Settings(problem));
        }
        Ok(())
    }
}

fn find(name: &str) -> Result<&'static Provider, DnsError> {
    let unknown = || {
        let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
        DnsError::Settings(format!("there is no DNS provider `{name}`; there are {}", names.join(", ")))
    };
    PROVIDERS.iter().find(|provider| provider.name == name).ok_or_else(unknown)
}

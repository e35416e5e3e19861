//! The presenter that changes records by the API of a DNS provider, through the crate `dns-update`. Only in builds with
//! the feature `dns-providers`: the crate brings an HTTP client of its own.

mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use dns_update::{DnsRecord, DnsRecordType, DnsUpdater};
use pn_model::Secret;

use super::error::DnsError;
use super::lookup::Lookup;
use super::presenter::{Change, DnsPresenter, TxtRecord};
use super::zone::absolute;
use crate::storage::BoxFuture;

/// Of one request to a provider.
const TIMEOUT: Option<Duration> = Some(Duration::from_secs(30));

pub(super) struct Library {
    name: &'static str,
    updater: DnsUpdater,
    lookup: Lookup,
}

/// One provider: what it is called, and which settings it needs and takes.
struct Provider {
    name: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
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
        Ok(Self { name: provider.name, updater, lookup })
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
        let done = match change {
            Change::Append => self.updater.add_to_rrset(fqdn, kind, ttl, values, zone).await,
            Change::Remove => self.updater.remove_from_rrset(fqdn, kind, values, zone).await,
        };
        match (done, change) {
            (Ok(()), _) | (Err(dns_update::Error::NotFound), Change::Remove) => Ok(()),
            (Err(dns_update::Error::Unauthorized), _) => Err(fault(
                "it does not accept the credentials; compare `settings` with what it gave".to_owned(),
            )),
            (Err(error), _) => Err(fault(error.to_string())),
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
        let names: Vec<&str> = table::PROVIDERS.iter().map(|provider| provider.name).collect();
        DnsError::Settings(format!("there is no DNS provider `{name}`; there are {}", names.join(", ")))
    };
    table::PROVIDERS.iter().find(|provider| provider.name == name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(name: &str, keys: &[&str]) -> Result<Library, DnsError> {
        let settings = keys.iter().map(|key| ((*key).to_owned(), Secret::new("hush"))).collect();
        Library::new(name, &settings, Lookup::new(&[], None))
    }

    #[test]
    fn settings_are_checked_by_name() {
        for (name, keys, expected) in [
            ("cloudflare", &["token"][..], None),
            ("cloudflare", &[], Some("lacks its setting `token`")),
            ("cloudflare", &["token", "tokem"], Some("takes no setting `tokem`, only `token`")),
            ("route53", &["access-key-id", "secret-access-key", "hosted-zone-id"], None),
            ("cloudfare", &["token"], Some("cloudflare")),
        ] {
            let made = make(name, keys).map(|made| format!("{made:?}"));
            match (made, expected) {
                (Ok(shown), None) => assert!(!shown.contains("hush"), "{shown}"),
                (Err(error), Some(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (made, _) => panic!("{name} {keys:?}: {made:?}"),
            }
        }
    }

    #[test]
    fn providers_are_in_order_and_their_documentation_names_them() {
        let names: Vec<&str> = table::PROVIDERS.iter().map(|provider| provider.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let guide = include_str!("../../../../../docs/dns-challenges.md");
        for provider in table::PROVIDERS {
            let needs = provider.needs.join("`, `");
            let row = format!("| `{}` | `{needs}` |", provider.name);
            assert!(guide.contains(&row), "docs/dns-challenges.md lacks {row}");
        }
    }
}

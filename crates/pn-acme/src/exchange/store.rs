//! A bundle into a store, and a store into a bundle. What is there already is kept where it is as good.

use super::material::end;
use super::{Bundle, BundleIssuer, ExchangeError, name_of};
use crate::records::{AccountRecord, CertificateRecord, Record, load, save};
use crate::storage::{ACCOUNTS, CERTIFICATES, Expected, Key, Storage, StorageError};
use std::collections::BTreeMap;

/// Read at once; what a store across a network takes in one question.
const AT_ONCE: usize = 100;
/// Others may write to the store meanwhile, but not for ever.
const ATTEMPTS: usize = 5;

/// What became of the records of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub stored: Vec<Key>,
    /// What is there is the same, another account, or a certificate that is valid as long.
    pub kept: Vec<Key>,
}

impl Bundle {
    /// Every account and certificate of a store, one issuer a CA. What cannot be read is in `unread`.
    pub async fn read(storage: &dyn Storage) -> Result<Self, StorageError> {
        let mut bundle = Self::default();
        let mut issuers: BTreeMap<String, BundleIssuer> = BTreeMap::new();
        let named = |directory: &str| BundleIssuer {
            name: name_of(directory),
            directory: Some(directory.to_owned()),
            ..BundleIssuer::default()
        };
        for account in bundle.records::<AccountRecord>(storage, ACCOUNTS).await? {
            let directory = account.directory.clone();
            issuers.entry(directory).or_insert_with_key(|url| named(url)).accounts.push(account);
        }
        for certificate in bundle.records::<CertificateRecord>(storage, CERTIFICATES).await? {
            let directory = certificate.issuer_directory.clone();
            issuers.entry(directory).or_insert_with_key(|url| named(url)).certificates.push(certificate);
        }
        bundle.issuers = issuers.into_values().collect();
        Ok(bundle)
    }

    /// Stores everything. `replace`: also over what is there and as good.
    pub async fn store(&self, storage: &dyn Storage, replace: bool) -> Result<Report, ExchangeError> {
        let unknown = self.without_directory();
        if !unknown.is_empty() {
            return Err(ExchangeError::NoDirectory(unknown));
        }
        let mut report = Report::default();
        for issuer in &self.issuers {
            for account in &issuer.accounts {
                let better = |_: &AccountRecord| replace;
                report.add(account.key(), put(storage, &account.key(), account, better).await?);
            }
            for certificate in &issuer.certificates {
                let better = |there: &CertificateRecord| replace || end(certificate) > end(there);
                report.add(certificate.key(), put(storage, &certificate.key(), certificate, better).await?);
            }
        }
        Ok(report)
    }

    async fn records<T: Record>(
        &mut self,
        storage: &dyn Storage,
        prefix: &str,
    ) -> Result<Vec<T>, StorageError> {
        let keys = storage.list(prefix).await?;
        let mut all = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            for (key, found) in keys.iter().zip(storage.load_many(keys).await?) {
                match found.and_then(|found| found.map(|stored| T::of(key, &stored)).transpose()) {
                    Ok(Some(record)) => all.push(record),
                    // Deleted meanwhile.
                    Ok(None) => {}
                    Err(error) => self.unread.push(error.to_string()),
                }
            }
        }
        Ok(all)
    }
}

impl Report {
    fn add(&mut self, key: Key, stored: bool) {
        if stored { self.stored.push(key) } else { self.kept.push(key) }
    }
}

/// Whether it was stored. What is there and cannot be read is replaced.
async fn put<T: Record>(
    storage: &dyn Storage,
    key: &Key,
    record: &T,
    better: impl Fn(&T) -> bool + Send,
) -> Result<bool, StorageError> {
    for _ in 0..ATTEMPTS {
        let expected = match load::<T>(storage, key).await {
            Ok(None) => Expected::Absent,
            Ok(Some((there, _))) if !better(&there) => return Ok(false),
            Ok(Some((_, version))) => Expected::Version(version),
            Err(StorageError::Damaged { .. }) => Expected::Any,
            Err(error) => return Err(error),
        };
        match save(storage, key, record, expected, None).await {
            Err(StorageError::Conflict(_)) => {}
            done => return done.map(|_| true),
        }
    }
    Err(StorageError::Conflict(key.clone()))
}

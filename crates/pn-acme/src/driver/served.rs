//! What handshakes have been given: the newest of each certificate, so that it is given once, and can be shown.

use crate::Time;
use crate::acme::Identifier;
use crate::life::{CertificateId, Demand};
use crate::records::{CertificateRecord, Source};
use pn_model::HostPattern;
use pn_tls::{CertificateInfo, CertificateStore, Source as Publisher};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a leaf says of itself, and the chain with its key.
pub(super) type Usable = (CertificateInfo, Arc<pn_tls::CertifiedKey>);

/// How often a certificate that has ended is told of in the log.
const TELL: u64 = 3600;

/// One that handshakes have.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) info: CertificateInfo,
    pub(super) source: Source,
    on_demand: bool,
    directory: String,
    /// When its end was told of.
    told: Time,
}

#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<BTreeMap<CertificateId, Served>>);

impl Shelf {
    /// Gives the certificate to handshakes, unless they have it.
    pub(super) fn publish(
        &self,
        to: &CertificateStore,
        demand: &Demand,
        record: &CertificateRecord,
        (info, key): &Usable,
    ) {
        let is_it = |served: &Served| {
            served.info.serial == info.serial
                && served.directory == record.issuer_directory
                && served.on_demand == demand.on_demand
        };
        if self.lock().get(&demand.id).is_some_and(is_it) {
            return;
        }
        let names = demand.names.iter().map(|name| pattern(name));
        let by = if demand.on_demand { Publisher::OnDemand } else { Publisher::Acme };
        to.publish(by, [(names, Arc::clone(key))]);
        let (source, directory) = (record.source, record.issuer_directory.clone());
        let info = info.clone();
        let served = Served { info, source, on_demand: demand.on_demand, directory, told: 0 };
        self.lock().insert(demand.id.clone(), served);
    }

    /// That a certificate has ended and is served all the same is told of in the log, now and then.
    pub(super) fn tell_of_the_end(&self, demand: &Demand, error: Option<&str>, now: Time) {
        let mut all = self.lock();
        let Some(served) = all.get_mut(&demand.id) else { return };
        if now < served.info.not_after || now < served.told.saturating_add(TELL) {
            return;
        }
        served.told = now;
        let hours = (now - served.info.not_after) / 3600;
        tracing::error!(
            id = %demand.id, names = demand.names.join(", "), error,
            "the certificate expired {hours} h ago, could not be renewed, and is served all the same"
        );
    }

    pub(super) fn get(&self, id: &CertificateId) -> Option<Served> {
        self.lock().get(id).cloned()
    }

    /// Whether they have it, and in this way.
    pub(super) fn has(&self, demand: &Demand) -> bool {
        self.lock().get(&demand.id).is_some_and(|served| served.on_demand == demand.on_demand)
    }

    pub(super) fn remove(&self, id: &CertificateId) {
        self.lock().remove(id);
    }

    pub(super) fn retain(&self, ids: &BTreeSet<&CertificateId>) {
        self.lock().retain(|id, _| ids.contains(id));
    }

    /// Never held while anything else runs.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CertificateId, Served>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a record has for handshakes. The reason where key and chain do not belong together, or are not for the names
/// of the demand.
pub(super) fn usable(record: &CertificateRecord, demand: &Demand) -> Result<Usable, String> {
    let info = record.info()?;
    let held: BTreeSet<Identifier> = info.names.iter().map(|name| Identifier::parse(name)).collect();
    match demand.names.iter().find(|name| !held.contains(&Identifier::parse(name))) {
        Some(name) => Err(format!("its certificate is not for `{name}`")),
        None => certified_key(record).map(|key| (info, key)),
    }
}

fn certified_key(record: &CertificateRecord) -> Result<Arc<pn_tls::CertifiedKey>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(record.chain_pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(record.key_pem.expose().as_bytes());
    let (chain, key) = (chain.map_err(|e| e.to_string())?, key.map_err(|e| e.to_string())?);
    let made = pn_tls::certified_key(chain, key)
        .map_err(|error| format!("its key cannot be used or is another certificate's ({error})"))?;
    Ok(match record.staple() {
        Some(staple) => Arc::new(pn_tls::CertifiedKey { ocsp: Some(staple), ..(*made).clone() }),
        None => made,
    })
}

fn pattern(name: &str) -> HostPattern {
    match name.strip_prefix("*.") {
        Some(suffix) => HostPattern::OneLabel(suffix.to_owned()),
        None => HostPattern::Exact(name.to_owned()),
    }
}

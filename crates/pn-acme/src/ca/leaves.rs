//! The certificates that the CA holds, by their names, and when each is to be renewed. Losing one costs nothing but a
//! signature, so its file is renamed into place but not forced to the disk (thousands of them would make a start slow),
//! and one that cannot be kept on the disk is served all the same.

use super::demand::{Demand, is_certifiable};
use super::leaf::{Issued, Signer, issued_at, key_id_of, renew_at};
use crate::error::AcmeError;
use crate::files::PrivateDir;
use pn_model::HostPattern;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Leaves {
    dir: PrivateDir,
    /// By file name.
    held: BTreeMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    demand: Demand,
    issued: Issued,
}

impl Leaves {
    pub(super) fn open(dir: PrivateDir) -> Self {
        Self { dir, held: BTreeMap::new() }
    }

    pub(super) fn reconcile(
        &mut self,
        demands: &[Demand],
        signer: &Signer,
        root: &[u8],
        now: UnixTime,
    ) -> Result<Vec<Issued>, AcmeError> {
        let mut held = BTreeMap::new();
        let mut all = Vec::new();
        for demand in demands {
            let Some(demand) = certifiable(demand) else { continue };
            let file = file_name(&demand);
            let issued = match self.known(&file, &demand, root, now) {
                Some(issued) => issued,
                None => self.make(&file, &demand, signer, now)?,
            };
            all.push(issued.clone());
            held.insert(file, Held { demand, issued });
        }
        let wanted: BTreeSet<&String> = held.keys().collect();
        if let Err(error) = self.clear(&wanted) {
            tracing::warn!(%error, "certificates that nobody wants any more were not cleared away");
        }
        self.held = held;
        Ok(all)
    }

    pub(super) fn next_renewal(&self) -> Option<u64> {
        self.held.values().map(|held| held.issued.renew_at).min()
    }

    pub(super) fn due(&self, now: UnixTime) -> Vec<Demand> {
        let due = self.held.values().filter(|held| held.issued.renew_at <= now.as_secs());
        due.map(|held| held.demand.clone()).collect()
    }

    pub(super) fn renew(&mut self, signer: &Signer, now: UnixTime) -> Result<Vec<Issued>, AcmeError> {
        let mut all = Vec::new();
        for demand in self.due(now) {
            let file = file_name(&demand);
            let issued = self.make(&file, &demand, signer, now)?;
            all.push(issued.clone());
            self.held.insert(file, Held { demand, issued });
        }
        Ok(all)
    }

    fn make(&self, file: &str, demand: &Demand, signer: &Signer, now: UnixTime) -> Result<Issued, AcmeError> {
        let signed = signer.issue(&demand.names, demand.lifetime, now)?;
        if let Err(error) = self.dir.write(file, &signed.pem, false) {
            tracing::warn!(%error, "a certificate of the internal CA is not kept on the disk; the next start makes it anew");
        }
        Ok(signed.issued)
    }

    fn clear(&self, wanted: &BTreeSet<&String>) -> Result<(), AcmeError> {
        let names = self.dir.names()?;
        names.iter().filter(|name| !wanted.contains(name)).try_for_each(|name| self.dir.remove(name))
    }

    /// From memory or the file. `None` when it is to be made anew: there is none, it is damaged, of another root, or
    /// due.
    fn known(&self, file: &str, demand: &Demand, root: &[u8], now: UnixTime) -> Option<Issued> {
        let current = |issued: &Issued| (issued.made_at()..issued.renew_at).contains(&now.as_secs());
        if let Some(held) = self.held.get(file).filter(|held| current(&held.issued)) {
            return Some(held.issued.clone());
        }
        let text = self.dir.read(file).ok()??;
        parse(&text, demand, root).filter(current)
    }
}

impl Issued {
    /// Seconds since 1970, give or take: a certificate from the future means that the clock was set back.
    fn made_at(&self) -> u64 {
        let life = (self.not_after - self.renew_at).saturating_mul(3);
        self.not_after.saturating_sub(life).saturating_sub(3600)
    }
}

fn parse(text: &str, demand: &Demand, root: &[u8]) -> Option<Issued> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().ok()?;
    let [leaf, intermediate] = chain.as_slice() else { return None };
    let (_, issuer) = x509_parser::parse_x509_certificate(intermediate).ok()?;
    let (_, cert) = x509_parser::parse_x509_certificate(leaf).ok()?;
    if key_id_of(&issuer, false)? != root || key_id_of(&cert, false)? != key_id_of(&issuer, true)? {
        return None;
    }
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok();
    let (not_before, not_after) = (seconds(cert.validity().not_before)?, seconds(cert.validity().not_after)?);
    let made = issued_at(not_before);
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
    let key = pn_tls::certified_key(chain, key).ok()?;
    let names = demand.names.clone();
    Some(Issued { names, key, not_after, renew_at: renew_at(made, not_after) })
}

/// What of a demand is certified ahead.
fn certifiable(demand: &Demand) -> Option<Demand> {
    let mut names: Vec<HostPattern> =
        demand.names.iter().filter(|name| is_certifiable(name)).cloned().collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    (!names.is_empty()).then_some(Demand { names, lifetime: demand.lifetime })
}

/// Readable by its first name, unique by all names and the lifetime.
fn file_name(demand: &Demand) -> String {
    let all: Vec<String> = demand.names.iter().map(ToString::to_string).collect();
    let digest = Sha256::digest(format!("{}/{}", all.join(","), Duration::as_secs(&demand.lifetime)));
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    let first: String =
        all.first().map(|name| name.chars().take(100).map(safe).collect()).unwrap_or_default();
    format!("{first}-{hash}.pem")
}

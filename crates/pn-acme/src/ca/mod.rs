//! The internal CA: a root that people trust once, an intermediate that signs, and short-lived certificates for the
//! names that no public authority certifies.
//!
//! The root carries no name constraints. Its names are a matter of configuration (`issuer = "lan"` may be given to any
//! site, single labels cannot be expressed as a constraint), and a root that had to be replaced with each new name
//! would have to be trusted again each time. What limits it instead: its key never leaves the state directory, it is
//! made per installation, and it signs nothing but the intermediate (path lengths one and zero).

mod authority;
mod demand;
mod leaf;
mod leaves;
mod mint;

#[cfg(test)]
mod tests;

pub use demand::{DEFAULT_LIFETIME, Demand, MintBy, demands, minting};
pub use leaf::Issued;

use crate::error::AcmeError;
use crate::files::{PrivateDir, StateDir};
use arc_swap::ArcSwap;
use authority::Authority;
use leaves::Leaves;
use mint::Minter;
use pn_model::{HostPattern, IssuerName};
use pn_tls::{Mint, TimeProvider};
use rustls_pki_types::UnixTime;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One a process. Its files are made on opening; signing itself touches none.
#[derive(Debug)]
pub struct InternalCa {
    authority: Authority,
    /// Shared with the minters that workers use.
    signer: Arc<ArcSwap<leaf::Signer>>,
    leaves: Leaves,
}

impl InternalCa {
    /// Loads root and intermediate, or makes them. Files that were damaged are put aside and made anew, with an error
    /// in the log: a new root has to be trusted again. `host` names this machine in the root's name.
    pub fn open(state: &StateDir, host: &str, now: UnixTime) -> Result<Self, AcmeError> {
        let dir = PrivateDir::open(state.path().join("internal-ca"))?;
        let leaves = Leaves::open(PrivateDir::open(dir.path_of("leaves"))?);
        let (authority, signer) = Authority::open(dir, host, now)?;
        Ok(Self { authority, signer: Arc::new(ArcSwap::from_pointee(signer)), leaves })
    }

    pub fn root_pem(&self) -> &str {
        self.authority.root_pem()
    }

    /// The root certificate alone.
    pub fn root_path(&self) -> PathBuf {
        self.authority.root_path()
    }

    /// Signs a certificate for these names; stores nothing and touches no file. The lifetime is cut at the end of the
    /// intermediate's own.
    pub fn issue(
        &self,
        names: &[HostPattern],
        lifetime: Duration,
        now: UnixTime,
    ) -> Result<Issued, AcmeError> {
        self.signer.load().issue(names, lifetime, now).map(|signed| signed.issued)
    }

    /// Makes the CA hold what is demanded and nothing else. Returns every certificate, stored or new, for
    /// `CertificateStore::publish`. Names that are only certified on demand are left to [`Self::minter`].
    pub fn reconcile(&mut self, demands: &[Demand], now: UnixTime) -> Result<Vec<Issued>, AcmeError> {
        self.refresh(now)?;
        let root = self.authority.root_key_id().to_vec();
        self.leaves.reconcile(demands, &self.signer.load(), &root, now)
    }

    /// The next moment at which [`Self::renew`] has something to do.
    pub fn next_renewal(&self) -> UnixTime {
        let own = self.authority.renew_at(&self.signer.load());
        let first = self.leaves.next_renewal().map_or(own, |leaf| leaf.min(own));
        UnixTime::since_unix_epoch(Duration::from_secs(first))
    }

    /// What [`Self::renew`] would renew at this moment.
    pub fn renewals_due(&self, now: UnixTime) -> Vec<Demand> {
        self.leaves.due(now)
    }

    /// Renews what is due, the intermediate among it. Returns the new certificates.
    pub fn renew(&mut self, now: UnixTime) -> Result<Vec<Issued>, AcmeError> {
        self.refresh(now)?;
        self.leaves.renew(&self.signer.load(), now)
    }

    /// Makes certificates during handshakes, for names under wildcards and those that wait for their issuer's.
    /// `issuers` are those of [`minting`].
    pub fn minter(
        &self,
        issuers: BTreeMap<Option<IssuerName>, MintBy>,
        clock: Arc<dyn TimeProvider>,
    ) -> Box<dyn Mint> {
        Box::new(Minter { signer: Arc::clone(&self.signer), issuers, clock })
    }

    fn refresh(&mut self, now: UnixTime) -> Result<(), AcmeError> {
        if let Some(signer) = self.authority.refresh(&self.signer.load(), now)? {
            self.signer.store(Arc::new(signer));
        }
        Ok(())
    }
}

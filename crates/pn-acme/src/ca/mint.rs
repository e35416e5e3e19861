//! Certificates made in the middle of a handshake: for names that are only known then, and for those that wait for their
//! issuer's.

use super::demand::MintBy;
use super::leaf::{Signer, self_signed};
use crate::error::AcmeError;
use arc_swap::ArcSwap;
use pn_model::{HostPattern, IssuerName};
use pn_tls::{Mint, Minted, TimeProvider};
use rustls_pki_types::UnixTime;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct Minter {
    pub(super) signer: Arc<ArcSwap<Signer>>,
    pub(super) issuers: BTreeMap<Option<IssuerName>, MintBy>,
    pub(super) clock: Arc<dyn TimeProvider>,
}

impl Minter {
    fn by(&self, issuer: Option<&IssuerName>) -> Option<MintBy> {
        self.issuers.get(&issuer.cloned()).copied()
    }

    fn make(&self, by: MintBy, name: &str, now: UnixTime) -> Result<Minted, AcmeError> {
        let names = [HostPattern::Exact(name.to_owned())];
        let issued = match by {
            MintBy::InternalCa(lifetime) => self.signer.load().issue(&names, lifetime, now)?.issued,
            MintBy::Itself => self_signed(&names, now)?,
        };
        Ok(Minted { key: issued.key, renew_at: issued.renew_at })
    }
}

impl Mint for Minter {
    fn mint(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Minted> {
        let (by, now) = (self.by(issuer)?, self.clock.current_time()?);
        let made = self.make(by, name, now);
        made.inspect_err(|error| tracing::warn!(name, %error, "no certificate could be made")).ok()
    }

    fn is_placeholder(&self, issuer: Option<&IssuerName>) -> bool {
        self.by(issuer) == Some(MintBy::Itself)
    }
}

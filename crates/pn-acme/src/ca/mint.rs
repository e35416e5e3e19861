//! Certificates made in the middle of a handshake, for names that are only known then.

use super::leaf::Signer;
use arc_swap::ArcSwap;
use pn_model::{HostPattern, IssuerName};
use pn_tls::{Mint, Minted, TimeProvider};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Minter {
    pub(super) signer: Arc<ArcSwap<Signer>>,
    pub(super) lifetimes: BTreeMap<Option<IssuerName>, Duration>,
    pub(super) clock: Arc<dyn TimeProvider>,
}

impl Mint for Minter {
    fn mint(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Minted> {
        let lifetime = self.lifetimes.get(&issuer.cloned())?;
        let now = self.clock.current_time()?;
        let names = [HostPattern::Exact(name.to_owned())];
        match self.signer.load().issue(&names, *lifetime, now) {
            Ok(signed) => Some(Minted { key: signed.issued.key, renew_at: signed.issued.renew_at }),
            Err(error) => {
                tracing::warn!(name, %error, "no certificate could be made");
                None
            }
        }
    }
}

//! One certificate of the store, with what there is to know of it, and the choice among several of one name.

use super::{CertificateInfo, Source, info_of};
use crate::pair;
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;
use std::cmp::Reverse;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) source: Source,
    /// `None` for what is not X.509.
    pub(super) info: Option<CertificateInfo>,
    schemes: Box<[SignatureScheme]>,
    rank: u8,
}

/// How well a certificate serves a client; the greatest is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    /// The client can verify what its key signs.
    signs: bool,
    unexpired: bool,
    source: Source,
    /// The cheaper to sign with, the better.
    cheap: Reverse<u8>,
}

impl Fit {
    /// Nothing that another certificate could do better matters.
    pub(super) fn suffices(self) -> bool {
        self.signs && self.unexpired
    }
}

impl Held {
    pub(super) fn new(source: Source, key: Arc<CertifiedKey>) -> Self {
        let info = info_of(&key);
        let info = info.map(|info| CertificateInfo { source: Some(source), ..info });
        let (schemes, rank) = (pair::schemes_of(key.key.as_ref()), pair::rank(&key));
        Self { key, source, info, schemes: schemes.into(), rank }
    }

    /// Whether one takes the place of the other: a name has one certificate of each source and kind of key.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.source == other.source && self.rank == other.rank
    }

    /// `offered`: what the client can verify; `None` asks for nothing in particular.
    pub(super) fn fit(&self, offered: Option<&[SignatureScheme]>, now: u64) -> Fit {
        let can = |offered: &[SignatureScheme]| self.schemes.iter().any(|own| offered.contains(own));
        Fit {
            signs: offered.is_none_or(can),
            unexpired: self.info.as_ref().is_some_and(|info| now < info.not_after),
            source: self.source,
            cheap: Reverse(self.rank),
        }
    }
}

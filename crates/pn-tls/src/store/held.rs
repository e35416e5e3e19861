//! One certificate of the store, with what there is to know of it, and the choice among several of one name.

use super::{CertificateInfo, Source, info_of};
use crate::pair;
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) source: Source,
    /// `None` for what is not X.509.
    pub(super) info: Option<CertificateInfo>,
    schemes: Box<[SignatureScheme]>,
    rank: u8,
    /// When a client last came for it, in seconds since 1970, to the hour. Kept of certificates on demand only.
    used: AtomicU64,
}

/// Handshakes of all workers write it down, so they do so seldom.
const USE_SECONDS: u64 = 3_600;

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
        let (info, on_demand) = (info_of(&key), source == Source::OnDemand);
        let info = info.map(|info| CertificateInfo { source: Some(source), on_demand, ..info });
        let (schemes, rank) = (pair::schemes_of(key.key.as_ref()), pair::rank(&key));
        Self { key, source, info, schemes: schemes.into(), rank, used: AtomicU64::new(0) }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// A client came for it.
    pub(super) fn note_use(&self, now: u64) {
        if now >= self.used() + USE_SECONDS {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    /// What it is put in the place of was used then.
    pub(super) fn inherit_use(&self, other: &Self) {
        self.used.fetch_max(other.used(), Ordering::Relaxed);
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

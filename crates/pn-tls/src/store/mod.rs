//! Certificates that come from issuers. The store has atomic cells of its own beside the graph: a renewal is seen by
//! the next handshake without a reload. Reading takes no lock; only the control plane writes.

mod held;
mod minted;

pub use minted::{Mint, Minted};

use crate::challenges::ChallengeBoard;
use crate::on_demand::{NoCertificate, OnDemand, OnDemandCounts, Waiting};
use crate::pair;
use ahash::RandomState;
use arc_swap::{ArcSwap, ArcSwapOption};
use held::{Fit, Held};
use minted::Mintage;
use pn_model::{HostPattern, IssuerName};
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls_pki_types::CertificateDer;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Publishing copies the shards of its names, so that one renewal among ten thousand certificates copies forty.
const SHARDS: usize = 256;

/// Names share their text, and certificates themselves, with the copy.
type Names = HashMap<Arc<str>, Arc<[Arc<Held>]>, RandomState>;
type Shard = ArcSwap<Names>;

/// Who put a certificate into the store, and may take it out. The greater goes first where a name has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    InternalCa,
    /// By ACME, for a name that a client brought.
    OnDemand,
    Acme,
}

/// What is held for a name, for metrics and the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Who put it into the store. `None`: it is from files.
    pub source: Option<Source>,
    /// Names and addresses of the certificate.
    pub names: Vec<String>,
    /// Hexadecimal.
    pub serial: String,
    /// The common name of the CA that signed it.
    pub signed_by: String,
    /// `p256`, `p384`, `rsa2048` and the like.
    pub key_type: &'static str,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Made because a client asked for this name: clients choose how many there are.
    pub on_demand: bool,
}

pub struct CertificateStore {
    /// By `host`, `*.host` or address. A name has few certificates, say one of ECDSA and one of RSA.
    names: Box<[Shard]>,
    hasher: RandomState,
    minted: Mintage,
    challenges: ChallengeBoard,
    on_demand: ArcSwapOption<Box<dyn OnDemand>>,
    clock: Arc<dyn TimeProvider>,
}

impl CertificateStore {
    pub fn new() -> Self {
        Self::with_clock(Arc::new(DefaultTimeProvider))
    }

    pub fn with_clock(clock: Arc<dyn TimeProvider>) -> Self {
        Self {
            names: (0..SHARDS).map(|_| Shard::from_pointee(Names::default())).collect(),
            hasher: RandomState::new(),
            minted: Mintage::new(),
            challenges: ChallengeBoard::default(),
            on_demand: ArcSwapOption::empty(),
            clock,
        }
    }

    /// Answers to challenges of ACME, which stand before every certificate.
    pub fn challenges(&self) -> &ChallengeBoard {
        &self.challenges
    }

    /// Adds and replaces: every name of `names` gets the certificate beside it, in the place of one of the same source
    /// and kind of key (ECDSA, RSA). Many at once are cheaper than one by one. Names change one after the other.
    pub fn publish<N>(&self, source: Source, certificates: impl IntoIterator<Item = (N, Arc<CertifiedKey>)>)
    where
        N: IntoIterator<Item = HostPattern>,
    {
        let mut added: HashMap<usize, Vec<(Arc<str>, Arc<Held>)>> = HashMap::new();
        for (names, key) in certificates {
            let held = Arc::new(Held::new(source, key));
            for name in names.into_iter().filter_map(key_of) {
                let own = added.entry(self.place(&name)).or_default();
                own.push((name.into(), Arc::clone(&held)));
            }
        }
        for (place, added) in added {
            let Some(shard) = self.names.get(place) else { continue };
            shard.rcu(|now| {
                let mut next = Names::clone(now);
                for (name, held) in &added {
                    let others = next.get(name).map(|others| &**others).unwrap_or_default();
                    let with = with(others, held);
                    next.insert(Arc::clone(name), with);
                }
                next
            });
        }
    }

    /// Forgets the certificates of this source for names that are not wanted any more.
    pub fn retain(&self, source: Source, wanted: impl Fn(&str) -> bool) {
        let goes = |name: &str, held: &Held| held.source == source && !wanted(name);
        for shard in &self.names {
            let some = shard.load().iter().any(|(name, all)| all.iter().any(|held| goes(name, held)));
            if !some {
                continue;
            }
            shard.rcu(|now| {
                let kept = now.iter().filter_map(|(name, all)| {
                    let kept: Vec<_> = all.iter().filter(|held| !goes(name, held)).cloned().collect();
                    (!kept.is_empty()).then(|| (Arc::clone(name), kept.into()))
                });
                kept.collect::<Names>()
            });
        }
    }

    /// Who makes certificates on demand. Replacing it forgets what was made so far.
    pub fn set_mint(&self, mint: Box<dyn Mint>) {
        self.minted.set(mint);
    }

    /// Who obtains certificates for names that clients bring.
    pub fn set_on_demand(&self, on_demand: Box<dyn OnDemand>) {
        self.on_demand.store(Some(Arc::new(on_demand)));
    }

    /// `None`: nobody does.
    pub fn on_demand_counts(&self) -> Option<OnDemandCounts> {
        self.on_demand.load().as_ref().map(|on_demand| on_demand.counts())
    }

    pub(crate) fn obtains(&self, issuer: &IssuerName) -> bool {
        self.on_demand.load().as_ref().is_some_and(|on_demand| on_demand.serves(issuer))
    }

    pub(crate) fn knock(&self, issuer: &IssuerName, name: &str) -> Result<Waiting, NoCertificate> {
        match &*self.on_demand.load() {
            Some(on_demand) => on_demand.knock(issuer, name),
            None => Err(NoCertificate::Denied),
        }
    }

    /// Whether there is a certificate for a name that a client brought. Its own counts as used now.
    pub fn uses(&self, name: &str) -> bool {
        let own = self.names.get(self.place(name)).map(|names| names.load());
        match own.as_ref().and_then(|names| names.get(name)) {
            Some(all) => {
                let now = self.now();
                all.iter().filter(|held| held.source == Source::OnDemand).for_each(|held| held.note_use(now));
                true
            }
            None => self.get(name).is_some(),
        }
    }

    /// When a client last came for a certificate on demand of this name, to the hour. `None`: not in this process.
    pub fn last_used(&self, name: &str) -> Option<u64> {
        let names = self.names.get(self.place(name))?.load();
        names.get(name)?.iter().map(|held| held.used()).max().filter(|used| *used > 0)
    }

    /// A certificate for a normalised host name or address: its own, or that of `*.parent`.
    pub fn get(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.find(name, None)
    }

    /// The one that serves this client best: whose key it can verify, which has not expired, its own name's before that
    /// of `*.parent`. One that has expired is better than none: clients say so more clearly than a refusal could.
    fn find(&self, name: &str, offered: Option<&[SignatureScheme]>) -> Option<Arc<CertifiedKey>> {
        let now = self.now();
        let own = self.best(name, offered, now);
        if own.as_ref().is_some_and(|(fit, _)| fit.suffices()) {
            return own.map(|(_, key)| key);
        }
        let wild = name.split_once('.').and_then(|(_, parent)| {
            // A certificate's wildcard stands for one label. Built only for names without a good one of their own.
            let mut wildcard = String::with_capacity(parent.len() + 2);
            wildcard.push_str("*.");
            wildcard.push_str(parent);
            self.best(&wildcard, offered, now)
        });
        match (own, wild) {
            (Some((own, key)), Some((wild, _))) if own >= wild => Some(key),
            (_, Some((_, key))) | (Some((_, key)), None) => Some(key),
            (None, None) => None,
        }
    }

    fn best(
        &self,
        name: &str,
        offered: Option<&[SignatureScheme]>,
        now: u64,
    ) -> Option<(Fit, Arc<CertifiedKey>)> {
        let names = self.names.get(self.place(name))?.load();
        let all = names.get(name)?;
        // `max_by_key` takes the last of equals, hence from the end.
        let best = all.iter().rev().map(|held| (held.fit(offered, now), held)).max_by_key(|(fit, _)| *fit);
        best.map(|(fit, held)| (fit, Arc::clone(&held.key)))
    }

    pub(crate) fn get_or_mint(
        &self,
        issuer: Option<&IssuerName>,
        name: &str,
        offered: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.find(name, Some(offered)).or_else(|| self.minted.get(issuer, name, self.now()))
    }

    /// Whether a site of this issuer has nothing to show for this name but that it waits for its certificate.
    pub(crate) fn waits(&self, issuer: Option<&IssuerName>, name: &str) -> bool {
        self.minted.is_placeholder(issuer) && self.get(name).is_none()
    }

    fn place(&self, name: &str) -> usize {
        self.hasher.hash_one(name) as usize % SHARDS
    }

    /// A clock that fails counts as 1970, which makes nothing look expired.
    fn now(&self) -> u64 {
        self.clock.current_time().map_or(0, |now| now.as_secs())
    }

    #[cfg(test)]
    pub(crate) fn minted_count(&self) -> usize {
        self.minted.keys().len()
    }

    /// Certificates of issuers and minted ones, each once.
    pub fn certificates(&self) -> Vec<CertificateInfo> {
        let mut held: Vec<Arc<Held>> = Vec::new();
        for shard in &self.names {
            held.extend(shard.load().values().flat_map(|all| all.iter().cloned()));
        }
        held.sort_by_key(|held| Arc::as_ptr(held) as usize);
        held.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let minted = infos(self.minted.keys());
        let source = Some(Source::InternalCa);
        let minted = minted.into_iter().map(|info| CertificateInfo { source, on_demand: true, ..info });
        held.iter().filter_map(|held| held.info.clone()).chain(minted).collect()
    }

    fn len(&self) -> usize {
        self.names.iter().map(|shard| shard.load().len()).sum()
    }
}

/// The certificates of a name with one more.
fn with(others: &[Arc<Held>], held: &Arc<Held>) -> Arc<[Arc<Held>]> {
    others.iter().filter(|other| held.replaces(other)).for_each(|other| held.inherit_use(other));
    let kept = others.iter().filter(|other| !held.replaces(other));
    kept.cloned().chain([Arc::clone(held)]).collect()
}

/// What there is to know of each, once.
pub(crate) fn infos(mut keys: Vec<Arc<CertifiedKey>>) -> Vec<CertificateInfo> {
    keys.sort_by_key(|key| Arc::as_ptr(key) as usize);
    keys.dedup_by(|a, b| Arc::ptr_eq(a, b));
    keys.iter().filter_map(|key| info_of(key)).collect()
}

/// `None` for patterns that no certificate can be for.
fn key_of(pattern: HostPattern) -> Option<String> {
    match pattern {
        HostPattern::Exact(host) => Some(host),
        HostPattern::OneLabel(suffix) => Some(format!("*.{suffix}")),
        HostPattern::AnyDepth(_) | HostPattern::Any => None,
    }
}

fn info_of(key: &CertifiedKey) -> Option<CertificateInfo> {
    certificate_info(key.cert.first()?)
}

/// What a leaf certificate says of itself. `None` for what is not X.509.
pub fn certificate_info(leaf: &CertificateDer<'_>) -> Option<CertificateInfo> {
    let facts = pair::facts(leaf)?;
    let pair::Facts { names, serial, signed_by, key_type, not_before, not_after } = facts;
    let (source, on_demand) = (None, false);
    Some(CertificateInfo { source, names, serial, signed_by, key_type, not_before, not_after, on_demand })
}

impl Default for CertificateStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").field("names", &self.len()).finish_non_exhaustive()
    }
}

//! Certificates that come from issuers. The store has an atomic cell of its own beside the graph: a renewal is seen by
//! the next handshake without a reload. Reading takes no lock; only the control plane writes.

use crate::pair;
use ahash::RandomState;
use arc_swap::{ArcSwap, ArcSwapOption};
use pn_model::limits::INTERNAL_CERTIFICATES;
use pn_model::{HostPattern, IssuerName};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Adding a minted certificate copies one shard, so that the copy stays small and workers seldom meet.
const SHARDS: usize = 64;

type Names = HashMap<String, Arc<CertifiedKey>, RandomState>;
type Shard = ArcSwap<HashMap<String, Entry, RandomState>>;

/// Makes certificates for names that are only known once a client asks, such as those under `**.host` or `*`. Called
/// in the middle of a handshake: it must be quick, bounded and without I/O.
pub trait Mint: Send + Sync {
    /// `issuer` is the one that the site names; `None` stands for the built-in internal CA. `None` when this issuer
    /// makes no certificates on demand.
    fn mint(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Minted>;
}

#[derive(Debug, Clone)]
pub struct Minted {
    pub key: Arc<CertifiedKey>,
    /// When to make a new one, in seconds since 1970.
    pub renew_at: u64,
}

/// What is held for a name, for metrics and the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Names and addresses of the certificate.
    pub names: Vec<String>,
    /// Hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
    /// Made because a client asked for this name: clients choose how many there are.
    pub on_demand: bool,
}

pub struct CertificateStore {
    /// By `host`, `*.host` or address.
    names: ArcSwap<Names>,
    minted: Vec<Shard>,
    hasher: RandomState,
    mint: ArcSwapOption<Box<dyn Mint>>,
    clock: Arc<dyn TimeProvider>,
}

#[derive(Clone)]
struct Entry {
    issuer: Option<IssuerName>,
    minted: Minted,
}

impl CertificateStore {
    pub fn new() -> Self {
        Self::with_clock(Arc::new(DefaultTimeProvider))
    }

    pub fn with_clock(clock: Arc<dyn TimeProvider>) -> Self {
        Self {
            names: ArcSwap::from_pointee(Names::default()),
            minted: (0..SHARDS).map(|_| Shard::from_pointee(HashMap::default())).collect(),
            hasher: RandomState::new(),
            mint: ArcSwapOption::empty(),
            clock,
        }
    }

    /// Adds and replaces, in one swap: every name of `names` gets the certificate beside it.
    pub fn publish<N>(&self, certificates: impl IntoIterator<Item = (N, Arc<CertifiedKey>)>)
    where
        N: IntoIterator<Item = HostPattern>,
    {
        let mut added = Vec::new();
        for (names, key) in certificates {
            added.extend(names.into_iter().filter_map(key_of).map(|name| (name, Arc::clone(&key))));
        }
        self.names.rcu(|now| {
            let mut next = Names::clone(now);
            next.extend(added.iter().cloned());
            next
        });
    }

    /// Forgets the certificates of names that are not wanted any more.
    pub fn retain(&self, wanted: impl Fn(&str) -> bool) {
        self.names.rcu(|now| {
            let mut next = Names::clone(now);
            next.retain(|name, _| wanted(name));
            next
        });
    }

    /// Who makes certificates on demand. Replacing it forgets what was made so far.
    pub fn set_mint(&self, mint: Box<dyn Mint>) {
        self.mint.store(Some(Arc::new(mint)));
        for shard in &self.minted {
            shard.store(Arc::default());
        }
    }

    /// The certificate for a normalised host name or address: its own, or that of `*.parent`.
    pub fn get(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let names = self.names.load();
        if let Some(key) = names.get(name) {
            return Some(Arc::clone(key));
        }
        let (_, parent) = name.split_once('.')?;
        // A certificate's wildcard stands for one label. Built on the stack's end, only for names without their own.
        let mut wildcard = String::with_capacity(parent.len() + 2);
        wildcard.push_str("*.");
        wildcard.push_str(parent);
        names.get(&wildcard).map(Arc::clone)
    }

    pub(crate) fn get_or_mint(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Arc<CertifiedKey>> {
        self.get(name).or_else(|| self.minted(issuer, name))
    }

    fn minted(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Arc<CertifiedKey>> {
        let shard = self.shard(name)?;
        let now = self.clock.current_time()?.as_secs();
        if let Some(entry) = shard.load().get(name)
            && now < entry.minted.renew_at
            && entry.issuer.as_ref() == issuer
        {
            return Some(Arc::clone(&entry.minted.key));
        }
        let minted = self.mint.load().as_ref()?.mint(issuer, name)?;
        let key = Arc::clone(&minted.key);
        insert_bounded(shard, name, Entry { issuer: issuer.cloned(), minted });
        Some(key)
    }

    fn shard(&self, name: &str) -> Option<&Shard> {
        let at = self.hasher.hash_one(name) as usize % SHARDS;
        self.minted.get(at)
    }

    #[cfg(test)]
    pub(crate) fn minted_count(&self) -> usize {
        self.minted.iter().map(|shard| shard.load().len()).sum()
    }

    /// Certificates of issuers and minted ones, each once.
    pub fn certificates(&self) -> Vec<CertificateInfo> {
        let wanted = self.names.load().values().cloned().collect();
        let minted = self.minted.iter().flat_map(|shard| {
            let entries: Vec<_> = shard.load().values().map(|entry| Arc::clone(&entry.minted.key)).collect();
            entries
        });
        let minted = infos(minted.collect());
        let minted = minted.into_iter().map(|info| CertificateInfo { on_demand: true, ..info });
        infos(wanted).into_iter().chain(minted).collect()
    }
}

/// What there is to know of each, once.
pub(crate) fn infos(mut keys: Vec<Arc<CertifiedKey>>) -> Vec<CertificateInfo> {
    keys.sort_by_key(|key| Arc::as_ptr(key) as usize);
    keys.dedup_by(|a, b| Arc::ptr_eq(a, b));
    keys.iter().filter_map(|key| info_of(key)).collect()
}

/// Full shards lose what would have been renewed first.
fn insert_bounded(shard: &Shard, name: &str, entry: Entry) {
    const MOST: usize = INTERNAL_CERTIFICATES / SHARDS;
    shard.rcu(|now| {
        let mut next = HashMap::clone(now);
        if next.len() >= MOST && !next.contains_key(name) {
            let first = next.iter().min_by_key(|(_, entry)| entry.minted.renew_at);
            if let Some(first) = first.map(|(name, _)| name.clone()) {
                next.remove(&first);
            }
        }
        next.insert(name.to_owned(), entry.clone());
        next
    });
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
    let facts = pair::facts(key.cert.first()?)?;
    let pair::Facts { names, serial, not_before, not_after } = facts;
    Some(CertificateInfo { names, serial, not_before, not_after, on_demand: false })
}

impl Default for CertificateStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").field("names", &self.names.load().len()).finish_non_exhaustive()
    }
}

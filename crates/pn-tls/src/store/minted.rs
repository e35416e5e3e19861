//! Certificates that are made in the middle of a handshake, for names that are only known then, or that wait for one of
//! their issuer's.

use ahash::RandomState;
use arc_swap::{ArcSwap, ArcSwapOption};
use pn_model::IssuerName;
use pn_model::limits::INTERNAL_CERTIFICATES;
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Adding a certificate copies one shard, so that the copy stays small and workers seldom meet.
const SHARDS: usize = 64;

type Shard = ArcSwap<HashMap<String, Entry, RandomState>>;

/// Makes certificates for names that are only known once a client asks, such as those under `**.host` or `*`, and for
/// those whose issuer has not made one yet. Called in the middle of a handshake: it must be quick, bounded and without
/// I/O.
pub trait Mint: Send + Sync {
    /// `issuer` is the one that the site names; `None` stands for the built-in internal CA. `None` when this issuer
    /// makes no certificates on demand.
    fn mint(&self, issuer: Option<&IssuerName>, name: &str) -> Option<Minted>;

    /// Whether what is made for this issuer's sites only says that the real one is not there: nothing is served under it.
    fn is_placeholder(&self, _issuer: Option<&IssuerName>) -> bool {
        false
    }
}

#[derive(Debug, Clone)]
pub struct Minted {
    pub key: Arc<CertifiedKey>,
    /// When to make a new one, in seconds since 1970.
    pub renew_at: u64,
}

pub(super) struct Mintage {
    shards: Box<[Shard]>,
    hasher: RandomState,
    mint: ArcSwapOption<Box<dyn Mint>>,
}

#[derive(Clone)]
struct Entry {
    issuer: Option<IssuerName>,
    minted: Minted,
}

impl Mintage {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::from_pointee(HashMap::default())).collect(),
            hasher: RandomState::new(),
            mint: ArcSwapOption::empty(),
        }
    }

    pub(super) fn set(&self, mint: Box<dyn Mint>) {
        self.mint.store(Some(Arc::new(mint)));
        for shard in &self.shards {
            shard.store(Arc::default());
        }
    }

    pub(super) fn is_placeholder(&self, issuer: Option<&IssuerName>) -> bool {
        self.mint.load().as_ref().is_some_and(|mint| mint.is_placeholder(issuer))
    }

    pub(super) fn get(&self, issuer: Option<&IssuerName>, name: &str, now: u64) -> Option<Arc<CertifiedKey>> {
        let shard = self.shards.get(self.hasher.hash_one(name) as usize % SHARDS)?;
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

    pub(super) fn keys(&self) -> Vec<Arc<CertifiedKey>> {
        let of = |shard: &Shard| -> Vec<_> {
            shard.load().values().map(|entry| Arc::clone(&entry.minted.key)).collect()
        };
        self.shards.iter().flat_map(of).collect()
    }
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

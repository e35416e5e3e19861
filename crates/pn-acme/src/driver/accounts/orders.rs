//! What people ask of accounts: which there are, another key, the end of one.

use super::contact::{Place, places};
use super::{AccountError, Who, read};
use crate::Time;
use crate::acme::AccountKey;
use crate::driver::awaited::{self, Silence};
use crate::driver::context::Context;
use crate::driver::run::Standing;
use crate::driver::wanted::Wanted;
use crate::records::AccountRecord;
use crate::storage::{ACCOUNTS, Key, StorageError};
use pn_model::IssuerName;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use tokio::sync::oneshot;

/// One account, or an issuer that has none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatus {
    /// `None`: no issuer of the configuration that runs uses it.
    pub issuer: Option<IssuerName>,
    pub directory: String,
    /// At the CA where orders are tried again after a failure.
    pub staging: bool,
    pub email: Option<String>,
    /// `None`: the first order registers one.
    pub url: Option<String>,
    /// The algorithm that it signs with (RFC 7518).
    pub algorithm: Option<String>,
    pub registered_at: Option<Time>,
    /// The CA has not been told of the address yet.
    pub contact_due: bool,
    /// A rollover broke off; which key the account has is found out with its next use.
    pub rollover_open: bool,
    /// Why it cannot be read or used, with the remedy. Nothing else is known of it then.
    pub trouble: Option<String>,
}

/// Why nothing was done to an account, or less than was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountRefusal {
    /// It is not clear which one is meant, or there is none.
    #[error("{0}")]
    Which(String),
    #[error("{0}")]
    Silent(Silence),
    /// The CA or the storage said no.
    #[error("{0}")]
    Failed(String),
}

/// `which`: an issuer's name or an account's URL; `None`: the only one.
#[derive(Debug)]
pub(in crate::driver) enum AccountOrder {
    List(oneshot::Sender<Result<Vec<AccountStatus>, AccountRefusal>>),
    RollOver { which: Option<String>, done: oneshot::Sender<Result<AccountStatus, AccountRefusal>> },
    Deactivate { which: Option<String>, done: oneshot::Sender<Result<AccountStatus, AccountRefusal>> },
}

pub(in crate::driver) async fn obey(cx: &Context, order: AccountOrder) {
    let ca = OnceLock::new();
    match order {
        AccountOrder::List(done) => awaited::answer(done, &ca, Box::pin(list(cx))).await,
        AccountOrder::RollOver { which, done } => {
            let work = change(cx, which.as_deref(), What::RollOver, &ca);
            awaited::answer(done, &ca, Box::pin(work)).await;
        }
        AccountOrder::Deactivate { which, done } => {
            let work = change(cx, which.as_deref(), What::Deactivate, &ca);
            awaited::answer(done, &ca, Box::pin(work)).await;
        }
    }
}

#[derive(Clone, Copy)]
enum What {
    RollOver,
    Deactivate,
}

async fn list(cx: &Context) -> Result<Vec<AccountStatus>, AccountRefusal> {
    Ok(all(cx, &cx.wanted.load_full()).await?.into_iter().map(|(status, _)| status).collect())
}

/// Those of issuers first, with their keys in the storage; staging accounts and unused ones only where there are such.
async fn all(cx: &Context, wanted: &Wanted) -> Result<Vec<(AccountStatus, Key)>, AccountRefusal> {
    let (mut all, mut used) = (Vec::new(), BTreeSet::new());
    for place in places(wanted) {
        let key = place.who.key();
        let record = read(&key, &*cx.storage).await.map(|found| found.map(|(record, _)| record));
        if !matches!(record, Ok(None)) || !place.staging {
            all.push((status(Some(&place), &key, &record), key.clone()));
        }
        used.insert(key);
    }
    for key in cx.storage.list(ACCOUNTS).await.map_err(failed)? {
        if used.contains(&key) {
            continue;
        }
        let record = read(&key, &*cx.storage).await.map(|found| found.map(|(record, _)| record));
        if !matches!(record, Ok(None)) {
            all.push((status(None, &key, &record), key));
        }
    }
    Ok(all)
}

fn status(
    place: Option<&Place<'_>>,
    key: &Key,
    found: &Result<Option<AccountRecord>, AccountError>,
) -> AccountStatus {
    let settings = place.map(|place| &place.issuing.settings);
    let record = found.as_ref().ok().and_then(Option::as_ref);
    let directory =
        place.map(|place| place.who.directory).or_else(|| record.map(|record| record.directory.as_str()));
    let private = record.and_then(|record| AccountKey::from_pem(record.key_pem.expose()).ok());
    AccountStatus {
        issuer: place.map(|place| place.issuer.clone()),
        directory: directory.or_else(|| key.segments().nth(1)).unwrap_or_default().to_owned(),
        staging: place.is_some_and(|place| place.staging),
        email: settings.map_or_else(|| record.and_then(|r| r.email.clone()), |s| s.email.clone()),
        url: record.map(|record| record.url.clone()),
        algorithm: private.map(|key| key.algorithm().to_owned()),
        registered_at: record.map(|record| record.registered_at),
        contact_due: record.is_some_and(|record| record.upkeep.contact_due),
        rollover_open: record.is_some_and(|record| record.upkeep.next_key_pem.is_some()),
        trouble: found.as_ref().err().map(ToString::to_string),
    }
}

/// Ends with the account as it was before it was deactivated, or is with its new key.
async fn change(
    cx: &Context,
    which: Option<&str>,
    what: What,
    ca: &OnceLock<String>,
) -> Result<AccountStatus, AccountRefusal> {
    let wanted = cx.wanted.load_full();
    let (meant, key) = choose(all(cx, &wanted).await?, which)?;
    if let Some(trouble) = meant.trouble {
        return Err(AccountRefusal::Failed(trouble));
    }
    let place = places(&wanted).into_iter().find(|place| place.who.directory == meant.directory);
    let place = place.ok_or_else(|| {
        let text =
            format!("no issuer of the configuration that runs has the directory `{}`", meant.directory);
        AccountRefusal::Which(text)
    })?;
    ca.get_or_init(|| meant.directory.clone());
    let who = Who { directory: &meant.directory, email: meant.email.as_deref(), eab: None };
    let standing = Standing::default();
    let world = cx.world(place.issuing, &standing);
    let done = match what {
        What::RollOver => cx.accounts.roll_over(&who, &*cx.storage, &world).await,
        What::Deactivate => cx.accounts.deactivate(&who, &*cx.storage, &world).await,
    };
    let refused = |error: AccountError| AccountRefusal::Failed(error.to_string());
    done.map_err(refused)?;
    let record = read(&key, &*cx.storage).await.map_err(refused)?;
    Ok(AccountStatus {
        algorithm: record
            .and_then(|(record, _)| AccountKey::from_pem(record.key_pem.expose()).ok())
            .map_or_else(|| meant.algorithm.clone(), |key| Some(key.algorithm().to_owned())),
        ..meant
    })
}

fn choose(
    all: Vec<(AccountStatus, Key)>,
    which: Option<&str>,
) -> Result<(AccountStatus, Key), AccountRefusal> {
    let named = |account: &AccountStatus| match which {
        Some(which) => {
            let issuer = account.issuer.as_ref().filter(|_| !account.staging);
            issuer.is_some_and(|issuer| issuer.as_str() == which) || account.url.as_deref() == Some(which)
        }
        None => account.issuer.is_some() && !account.staging,
    };
    let known: Vec<String> = all.iter().filter_map(|(account, _)| called(account)).collect();
    let there = |account: &AccountStatus| account.url.is_some() || account.trouble.is_some();
    let mut meant: Vec<_> = all.into_iter().filter(|(account, _)| named(account) && there(account)).collect();
    // Issuers may share an account.
    meant.dedup_by(|one, other| one.1 == other.1);
    match (meant.pop(), meant.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) if known.is_empty() => {
            Err(AccountRefusal::Which("there is no account yet: the first order registers one".to_owned()))
        }
        _ => {
            let text = format!("name an account, by its issuer or its URL: {}", known.join(", "));
            Err(AccountRefusal::Which(text))
        }
    }
}

fn called(account: &AccountStatus) -> Option<String> {
    let url = account.url.clone()?;
    let issuer = account.issuer.as_ref().filter(|_| !account.staging);
    Some(issuer.map_or(url, ToString::to_string))
}

impl From<Silence> for AccountRefusal {
    fn from(silence: Silence) -> Self {
        Self::Silent(silence)
    }
}

fn failed(error: StorageError) -> AccountRefusal {
    AccountRefusal::Failed(error.to_string())
}

//! Accounts at CAs: which there are, and what may be asked of them.

use super::{Page, json, time};
use serde::Serialize;
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, UNIX_EPOCH};

/// Whoever looks after accounts. `which`: an issuer's name or an account's URL; `None`: the only one.
pub trait Accounts: Send + Sync {
    fn list(&self) -> AccountAnswer<'_, Vec<Account>>;

    /// Gives the account another key (RFC 8555 section 7.3.5).
    fn roll_over(&self, which: Option<String>) -> AccountAnswer<'_, Account>;

    /// Closes the account for ever (RFC 8555 section 7.3.6), and forgets it.
    fn deactivate(&self, which: Option<String>) -> AccountAnswer<'_, Account>;
}

pub type AccountAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, AccountRefusal>> + Send + 'a>>;

/// One account, or an issuer that has none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `None`: no issuer of the configuration that runs uses it.
    pub issuer: Option<String>,
    pub directory: String,
    /// At the CA where orders are tried again after a failure.
    pub staging: bool,
    pub email: Option<String>,
    /// `None`: the first order registers one.
    pub url: Option<String>,
    /// The algorithm that it signs with (RFC 7518).
    pub algorithm: Option<String>,
    /// Seconds since 1970.
    pub registered: Option<u64>,
    /// The CA has not been told of the address yet.
    pub contact_due: bool,
    /// Which key it has after a rollover that broke off is found out with its next use.
    pub rollover_open: bool,
    /// Why it cannot be read or used, with the remedy. Nothing else is known of it then.
    pub trouble: Option<String>,
}

/// Why nothing was done, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountRefusal {
    /// It is not clear which one is meant, or there is none.
    Which(String),
    /// The CA or the storage said no.
    Failed(String),
    /// The CA has not said anything in time: it may still be done.
    Silent(String),
}

#[derive(Debug, Serialize)]
struct AccountView {
    issuer: Option<String>,
    directory: String,
    staging: bool,
    email: Option<String>,
    url: Option<String>,
    algorithm: Option<String>,
    registered: Option<String>,
    contact_due: bool,
    rollover_open: bool,
    trouble: Option<String>,
}

pub(crate) fn all(accounts: Vec<Account>) -> Page {
    json(&accounts.into_iter().map(view).collect::<Vec<_>>())
}

pub(crate) fn one(account: Account) -> Page {
    json(&view(account))
}

fn view(account: Account) -> AccountView {
    AccountView {
        issuer: account.issuer,
        directory: account.directory,
        staging: account.staging,
        email: account.email,
        url: account.url,
        algorithm: account.algorithm,
        registered: account.registered.map(|seconds| time(UNIX_EPOCH + Duration::from_secs(seconds))),
        contact_due: account.contact_due,
        rollover_open: account.rollover_open,
        trouble: account.trouble,
    }
}

impl fmt::Display for AccountRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Which(text) | Self::Failed(text) | Self::Silent(text)) = self;
        f.write_str(text)
    }
}

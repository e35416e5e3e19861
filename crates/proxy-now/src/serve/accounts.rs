//! Accounts at CAs, as the admin pages ask for them.

use pn_acme::driver::{self, AccountStatus, Driver};
use pn_admin::{Account, AccountAnswer, AccountRefusal, Accounts};
use std::sync::{Arc, OnceLock};

/// Empty for as long as no site wants a certificate of ACME.
pub(super) struct DriverAccounts(pub(super) Arc<OnceLock<Driver>>);

impl DriverAccounts {
    fn driver(&self) -> Result<&Driver, AccountRefusal> {
        let none = || AccountRefusal::Which("no site has its certificate of an ACME issuer".to_owned());
        self.0.get().ok_or_else(none)
    }
}

impl Accounts for DriverAccounts {
    fn list(&self) -> AccountAnswer<'_, Vec<Account>> {
        Box::pin(async move {
            let Some(driver) = self.0.get() else { return Ok(Vec::new()) };
            Ok(driver.accounts().await.map_err(refused)?.into_iter().map(account).collect())
        })
    }

    fn roll_over(&self, which: Option<String>) -> AccountAnswer<'_, Account> {
        Box::pin(async move { self.driver()?.roll_over(which).await.map(account).map_err(refused) })
    }

    fn deactivate(&self, which: Option<String>) -> AccountAnswer<'_, Account> {
        Box::pin(async move { self.driver()?.deactivate(which).await.map(account).map_err(refused) })
    }
}

fn account(status: AccountStatus) -> Account {
    Account {
        issuer: status.issuer.map(|issuer| issuer.to_string()),
        directory: status.directory,
        staging: status.staging,
        email: status.email,
        url: status.url,
        algorithm: status.algorithm,
        registered: status.registered_at,
        contact_due: status.contact_due,
        rollover_open: status.rollover_open,
        trouble: status.trouble,
    }
}

fn refused(refusal: driver::AccountRefusal) -> AccountRefusal {
    match refusal {
        driver::AccountRefusal::Which(text) => AccountRefusal::Which(text),
        driver::AccountRefusal::Silent(silence) => AccountRefusal::Silent(silence.to_string()),
        driver::AccountRefusal::Failed(text) => AccountRefusal::Failed(text),
    }
}

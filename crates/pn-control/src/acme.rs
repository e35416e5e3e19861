//! Certificates of ACME beside those of the internal CA: a site comes up at once, and what it is served with comes when
//! the CA has signed it. How that goes is `pn-acme`'s driver.

use crate::issuing::{InternalIssuing, Issuing};
use pn_acme::driver::{Driver, DriverParts, Unusable, Wanted};
use pn_acme::life::{self, Pace};
use pn_acme::storage::{FileStore, StorageError, system_clock};
use pn_core::PrepareError;
use pn_model::{Model, NodePath};
use pn_tls::CertificateStore;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The internal CA and ACME.
pub struct AcmeIssuing {
    internal: InternalIssuing,
    place: StorePlace,
    certificates: Arc<CertificateStore>,
    /// Set when the first site wants a certificate of ACME.
    driver: Arc<OnceLock<Driver>>,
    /// Of the model that runs, or is about to.
    wanted: Wanted,
}

/// Where accounts and certificates are kept.
#[derive(Debug, Clone)]
pub struct StorePlace {
    pub path: PathBuf,
    /// Whether other processes may use it at the same time.
    pub shared: bool,
}

impl AcmeIssuing {
    pub fn new(internal: InternalIssuing, place: StorePlace, certificates: Arc<CertificateStore>) -> Self {
        Self { internal, place, certificates, driver: Arc::default(), wanted: Wanted::default() }
    }

    /// For those who show how certificates are; empty for as long as nobody wants any of ACME.
    pub fn driver(&self) -> Arc<OnceLock<Driver>> {
        Arc::clone(&self.driver)
    }

    /// Where accounts and certificates are kept.
    pub fn place(&self) -> &StorePlace {
        &self.place
    }

    fn started(&self) -> Result<&Driver, PrepareError> {
        if let Some(driver) = self.driver.get() {
            return Ok(driver);
        }
        let driver = self.start().map_err(|message| {
            let at =
                NodePath::of(["runtime", if self.place.shared { "certificate-store" } else { "state-dir" }]);
            PrepareError { at, message, help: None }
        })?;
        Ok(self.driver.get_or_init(|| driver))
    }

    fn start(&self) -> Result<Driver, String> {
        let store = FileStore::open(&self.place.path).map_err(|error: StorageError| error.to_string())?;
        let parts = DriverParts {
            storage: Arc::new(store),
            shared: self.place.shared,
            certificates: Arc::clone(&self.certificates),
            clock: system_clock(),
            pace: Pace::default(),
        };
        Driver::start(parts)
            .map_err(|error| format!("the thread for certificates cannot be started: {error}"))
    }

    /// `None`: nobody wants, or ever wanted, a certificate of ACME.
    fn want(&self, model: &Model) -> Result<Option<(&Driver, Wanted)>, Vec<PrepareError>> {
        if self.driver.get().is_none()
            && life::demands(model).is_empty()
            && life::open_issuers(model).is_empty()
        {
            return Ok(None);
        }
        let driver = self.started().map_err(|error| vec![error])?;
        let wanted = driver.wanted(model, &self.wanted);
        wanted
            .map(|wanted| Some((driver, wanted)))
            .map_err(|errors| errors.into_iter().map(refused).collect())
    }
}

impl Issuing for AcmeIssuing {
    fn ensure(&mut self, model: &Model) -> Result<(), Vec<PrepareError>> {
        self.internal.ensure(model)?;
        if let Some((driver, wanted)) = self.want(model)? {
            driver.load(wanted);
        }
        Ok(())
    }

    fn settle(&mut self, model: &Model) {
        self.internal.settle(model);
        let wanted = match self.want(model) {
            Ok(Some((driver, wanted))) => {
                driver.settle(wanted.clone());
                wanted
            }
            Ok(None) => return,
            Err(errors) => {
                // It was usable a moment ago, or it ran before: what runs goes on.
                for error in errors {
                    tracing::error!(at = %error.at, "{}", error.message);
                }
                return;
            }
        };
        self.wanted = wanted;
    }

    fn renew(&mut self) {
        self.internal.renew();
    }

    fn due(&self) -> Option<Duration> {
        self.internal.due()
    }
}

fn refused(unusable: Unusable) -> PrepareError {
    PrepareError { at: unusable.at, message: unusable.message, help: None }
}

impl fmt::Debug for AcmeIssuing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeIssuing").field("place", &self.place).finish_non_exhaustive()
    }
}

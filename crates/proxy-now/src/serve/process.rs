//! What the admin pages ask of the process as a whole.

use super::certificates;
use pn_admin::{Begun, Certificate, Process, Revocation};
use pn_model::ListenerName;
use pn_proxy::{Meters, Plane};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

pub(super) struct ThisProcess {
    /// The graph that the plane runs leads here (`@api`), so this must not hold the plane.
    plane: Weak<Plane>,
    workers: usize,
    meters: Meters,
    driver: certificates::Lifecycle,
    store: PathBuf,
}

impl ThisProcess {
    pub(super) fn new(plane: &Arc<Plane>, driver: certificates::Lifecycle, store: PathBuf) -> Self {
        Self { plane: Arc::downgrade(plane), workers: plane.workers(), meters: plane.meters(), driver, store }
    }
}

impl Process for ThisProcess {
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn workers(&self) -> usize {
        self.workers
    }

    fn addresses(&self, listener: &ListenerName) -> Vec<SocketAddr> {
        self.plane.upgrade().map(|plane| plane.addresses(listener)).unwrap_or_default()
    }

    fn certificates(&self) -> Vec<Certificate> {
        let in_use = self.plane.upgrade().map(|plane| plane.certificates()).unwrap_or_default();
        certificates::all(in_use, self.driver.get())
    }

    fn orders(&self) -> Vec<(String, &'static str, u64)> {
        certificates::orders(self.driver.get())
    }

    fn certificate_store(&self) -> &Path {
        &self.store
    }

    fn rescan(&self) {
        if let Some(driver) = self.driver.get() {
            driver.rescan();
        }
    }

    fn renew(&self, id: &str) -> Result<Begun, String> {
        certificates::renew(self.driver.get(), id)
    }

    fn revoke<'a>(&'a self, id: &'a str, serial: Option<&'a str>, reason: &'a str) -> Revocation<'a> {
        Box::pin(certificates::revoke(self.driver.get(), id, serial, reason))
    }

    fn metrics(&self, out: &mut String) {
        self.meters.write(out);
    }

    fn now(&self) -> u64 {
        self.plane.upgrade().map_or(0, |plane| plane.now())
    }
}

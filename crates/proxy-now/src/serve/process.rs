//! What the admin pages ask of the process as a whole.

use pn_admin::{Certificate, Process};
use pn_model::ListenerName;
use pn_proxy::{Meters, Plane};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

pub(super) struct ThisProcess {
    /// The graph that the plane runs leads here (`@api`), so this must not hold the plane.
    plane: Weak<Plane>,
    workers: usize,
    meters: Meters,
}

impl ThisProcess {
    pub(super) fn new(plane: &Arc<Plane>) -> Self {
        Self { plane: Arc::downgrade(plane), workers: plane.workers(), meters: plane.meters() }
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
        let certificate = |info: pn_tls::CertificateInfo| Certificate {
            names: info.names,
            serial: info.serial,
            not_before: info.not_before,
            not_after: info.not_after,
            on_demand: info.on_demand,
        };
        let all = self.plane.upgrade().map(|plane| plane.certificates()).unwrap_or_default();
        all.into_iter().map(certificate).collect()
    }

    fn metrics(&self, out: &mut String) {
        self.meters.write(out);
    }

    fn now(&self) -> u64 {
        self.plane.upgrade().map_or(0, |plane| plane.now())
    }
}

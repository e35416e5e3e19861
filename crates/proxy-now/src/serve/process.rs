//! What the admin pages ask of the process as a whole.

use pn_admin::{Certificate, Process};
use pn_model::ListenerName;
use pn_proxy::Plane;
use pn_tls::CertificateStore;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

pub(super) struct ThisProcess {
    /// The graph that the plane runs leads here (`@api`), so this must not hold the plane.
    plane: Weak<Plane>,
    workers: usize,
    store: Arc<CertificateStore>,
}

impl ThisProcess {
    pub(super) fn new(plane: &Arc<Plane>, store: &Arc<CertificateStore>) -> Self {
        Self { plane: Arc::downgrade(plane), workers: plane.workers(), store: Arc::clone(store) }
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
        };
        self.store.certificates().into_iter().map(certificate).collect()
    }

    fn metrics(&self, _out: &mut String) {}
}

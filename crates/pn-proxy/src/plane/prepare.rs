//! The second move of a change: whatever of it may fail here is done here, and undone when the change is refused.

use super::bind::{Binder, Bound};
use super::{Plane, PlaneState};
use crate::access_log::{Log, Sink};
use crate::upstream::ClientConfigs;
use ahash::HashMap;
use pn_core::{DataPlane, PrepareError, PrepareWarning, Prepared, RouterGraph};
use pn_model::NodePath;
use pn_model::listener::BindAddress;
use pn_tls::{TlsListener, TlsSite, TlsTable};
use std::sync::{Arc, PoisonError};

impl DataPlane for Plane {
    fn prepare(&self, next: &RouterGraph) -> Result<Prepared, Vec<PrepareError>> {
        let current = self.source.current();
        let state = current.prepared::<PlaneState>();
        let mut errors = Vec::new();
        let tls = self.tls(next, state, &mut errors);
        let upstream_tls = ClientConfigs::prepare(next, &self.upstream_tls, &mut errors);
        let access_log = access_log(next, state, &mut errors);
        let sockets = self.sockets(next, state, &mut errors);
        let gates = next.listeners().iter().map(|listener| {
            let known = state.and_then(|state| state.gates.get(listener.name()));
            (listener.name().clone(), known.map(Arc::clone).unwrap_or_default())
        });
        match tls {
            Some(tls) if errors.is_empty() => {
                self.remember(&sockets);
                let policies = tls.site_policies().into();
                let warnings = tls.warnings().iter().map(PrepareWarning::from).collect();
                let made =
                    PlaneState { tls, policies, upstream_tls, access_log, sockets, gates: gates.collect() };
                Ok(Prepared::new(Arc::new(made)).with_warnings(warnings))
            }
            _ => Err(errors),
        }
    }

    fn await_serving(&self, generation: u64) {
        self.adopted.wait(generation);
    }
}

impl Plane {
    fn tls(
        &self,
        next: &RouterGraph,
        state: Option<&PlaneState>,
        errors: &mut Vec<PrepareError>,
    ) -> Option<TlsTable> {
        const NONE: &pn_model::site::CertificateSource = &pn_model::site::CertificateSource::None;
        let sites: Vec<_> = next
            .sites()
            .iter()
            .map(|site| TlsSite {
                name: &site.name,
                hosts: &site.hosts,
                listeners: &site.listeners,
                policy: site.tls.as_ref().and_then(|tls| tls.policy.as_deref()),
                certificate: site.tls.as_ref().map_or(NONE, |tls| &tls.certificate),
                path: &site.path,
            })
            .collect();
        let listeners: Vec<_> = next
            .listeners()
            .iter()
            .filter(|listener| listener.spec.tls)
            .map(|listener| TlsListener { name: listener.name(), protocols: listener.spec.protocols })
            .collect();
        let previous = state.map(|state| &state.tls);
        match TlsTable::build(&sites, &listeners, &self.certificates, previous) {
            Ok(table) => Some(table),
            Err(found) => {
                errors.extend(found.into_iter().map(PrepareError::from));
                None
            }
        }
    }

    /// Sockets of addresses that stay are kept, whatever else of their listener changes.
    fn sockets(
        &self,
        next: &RouterGraph,
        state: Option<&PlaneState>,
        errors: &mut Vec<PrepareError>,
    ) -> HashMap<BindAddress, Arc<Bound>> {
        let addresses = || next.listeners().iter().flat_map(|listener| &listener.spec.addresses);
        let binder = Binder {
            workers: self.workers.len(),
            handed_over: &self.handed_over,
            binds: &|tcp| addresses().any(|address| *address == BindAddress::Tcp(tcp)),
        };
        let mut ours = self.listening_at();
        let mut sockets: HashMap<BindAddress, Arc<Bound>> = HashMap::default();
        for listener in next.listeners() {
            for address in &listener.spec.addresses {
                if let Some(bound) = state.and_then(|state| state.sockets.get(address)) {
                    sockets.insert(address.clone(), Arc::clone(bound));
                    continue;
                }
                match binder.bind(address, &ours) {
                    Ok(bound) => {
                        ours.extend(bound.local());
                        sockets.insert(address.clone(), Arc::new(bound));
                    }
                    Err(error) => errors.push(PrepareError {
                        at: listener.spec.path.child("address"),
                        message: error.message,
                        help: error.help,
                    }),
                }
            }
        }
        sockets
    }

    fn remember(&self, sockets: &HashMap<BindAddress, Arc<Bound>>) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.retain(|(_, alive)| alive.strong_count() > 0);
        listening
            .extend(sockets.iter().map(|(address, bound)| (address.clone(), Arc::downgrade(bound.alive()))));
    }
}

/// A log stays open while its file is the same, whatever else of it changes.
fn access_log(
    next: &RouterGraph,
    state: Option<&PlaneState>,
    errors: &mut Vec<PrepareError>,
) -> Option<Arc<Sink>> {
    let spec = next.logs().access.as_ref()?;
    let running = state.and_then(|state| state.access_log.as_ref()).map(|sink| sink.log());
    let same = running.filter(|log| log.path() == spec.file.as_deref()).map(Arc::clone);
    let log = match same {
        Some(log) => log,
        None => match Log::open(spec.file.as_deref()) {
            Ok(log) => Arc::new(log),
            Err(error) => {
                let file = spec
                    .file
                    .as_deref()
                    .map_or_else(|| "standard output".to_owned(), |file| file.display().to_string());
                errors.push(PrepareError {
                    at: NodePath::of(["logs", "access", "file"]),
                    message: format!("cannot open {file}: {error}"),
                    help: Some(
                        "the folder must be there, and the file writable for the proxy's user".to_owned(),
                    ),
                });
                return None;
            }
        },
    };
    Some(Arc::new(Sink::new(spec.clone(), log)))
}

//! Certificates that sites want from issuers: which names, made before the graph that needs them is published, made
//! again before they end. How a certificate is made is `pn-acme`'s; how one is found in a handshake is `pn-tls`'s.

use pn_acme::{AcmeError, Demand, InternalCa, Issued, MintBy, StateDir, demands};
use pn_core::PrepareError;
use pn_model::site::CertificateSource;
use pn_model::{HostPattern, IssuerName};
use pn_model::{Model, NodePath};
use pn_tls::{CertificateStore, Source, TimeProvider};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// After a renewal failed; certificates are renewed long before they end.
const RETRY: Duration = Duration::from_secs(60);

/// Whoever makes certificates for the control plane.
pub trait Issuing: Send {
    /// Sees to it that every name that the model wants from an issuer has a certificate in the store. When the model is
    /// then refused, [`Self::settle`] for the running one takes back what was added.
    fn ensure(&mut self, model: &Model) -> Result<(), Vec<PrepareError>>;

    /// The model runs: what no site of it wants may go.
    fn settle(&mut self, model: &Model);

    /// Makes again what is due. What fails is logged and tried again.
    fn renew(&mut self);

    /// How long until the next renewal. `None`: there is nothing to renew.
    fn due(&self) -> Option<Duration>;
}

/// For a process without issuers, such as one that only checks: a site that wants one is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIssuing;

impl Issuing for NoIssuing {
    fn ensure(&mut self, model: &Model) -> Result<(), Vec<PrepareError>> {
        match first_wanting(model) {
            Some(site) => Err(vec![no_issuer(&site.path)]),
            None => Ok(()),
        }
    }

    fn settle(&mut self, _: &Model) {}

    fn renew(&mut self) {}

    fn due(&self) -> Option<Duration> {
        None
    }
}

fn no_issuer(at: &NodePath) -> PrepareError {
    PrepareError { at: at.clone(), message: "there is no issuer here".to_owned(), help: None }
}

/// Certificates by the internal CA, which is made when the first site wants one.
pub struct InternalIssuing {
    state: Arc<StateDir>,
    store: Arc<CertificateStore>,
    clock: Arc<dyn TimeProvider>,
    ca: Option<InternalCa>,
    /// What the CA holds certificates for.
    held: Vec<Demand>,
    minting: BTreeMap<Option<IssuerName>, MintBy>,
    failed: bool,
}

impl InternalIssuing {
    pub fn new(state: Arc<StateDir>, store: Arc<CertificateStore>, clock: Arc<dyn TimeProvider>) -> Self {
        Self { state, store, clock, ca: None, held: Vec::new(), minting: BTreeMap::new(), failed: false }
    }

    /// Holds what is demanded, in the CA and in the store. The CA reads each certificate it holds, so it is only
    /// asked when something is new, or `exactly` these are to be held and there are others.
    fn hold(&mut self, demands: Vec<Demand>, exactly: bool) -> Result<(), AcmeError> {
        let new = without(&demands, &self.held);
        let gone = without(&self.held, &demands);
        if new.is_empty() && (gone.is_empty() || !exactly) {
            return Ok(());
        }
        let wanted = if exactly { demands } else { demands.into_iter().chain(gone).collect() };
        let now = self.clock.current_time().ok_or_else(no_clock)?;
        let issued = self.authority()?.reconcile(&wanted, now)?;
        self.held = wanted;
        publish(&self.store, issued);
        Ok(())
    }

    fn mint(&mut self, model: &Model) -> Result<(), AcmeError> {
        let mut issuers = pn_acme::minting(model);
        for (issuer, by) in &self.minting {
            issuers.entry(issuer.clone()).or_insert(*by);
        }
        if issuers != self.minting {
            let clock = Arc::clone(&self.clock);
            let minter = self.authority()?.minter(issuers.clone(), clock);
            self.store.set_mint(minter);
            self.minting = issuers;
        }
        Ok(())
    }

    fn authority(&mut self) -> Result<&mut InternalCa, AcmeError> {
        let now = self.clock.current_time().ok_or_else(no_clock)?;
        let ca = match self.ca.take() {
            Some(ca) => ca,
            None => InternalCa::open(&self.state, &pn_acme::host_name(), now)?,
        };
        Ok(self.ca.insert(ca))
    }
}

impl Issuing for InternalIssuing {
    fn ensure(&mut self, model: &Model) -> Result<(), Vec<PrepareError>> {
        if first_wanting(model).is_none() {
            return Ok(());
        }
        self.hold(demands(model), false)
            .and_then(|()| self.mint(model))
            .map_err(|error| vec![refused(model, &error)])
    }

    fn settle(&mut self, model: &Model) {
        let wanted = demands(model);
        let names: HashSet<String> =
            wanted.iter().flat_map(|demand| &demand.names).map(HostPattern::to_string).collect();
        if let Err(error) = self.hold(wanted, true) {
            tracing::warn!(%error, "certificates that no site wants any more were not cleared away");
        }
        self.store.retain(Source::InternalCa, |name| names.contains(name));
    }

    fn renew(&mut self) {
        let Some(now) = self.clock.current_time() else { return };
        let Some(ca) = &mut self.ca else { return };
        match ca.renew(now) {
            Ok(issued) => {
                self.failed = false;
                for one in &issued {
                    tracing::info!(names = %list(&one.names), "certificate renewed by the internal CA");
                }
                publish(&self.store, issued);
            }
            Err(error) => {
                self.failed = true;
                tracing::error!(%error, "certificates were not renewed; trying again in {RETRY:?}");
            }
        }
    }

    fn due(&self) -> Option<Duration> {
        let next = self.ca.as_ref()?.next_renewal().as_secs();
        let now = self.clock.current_time()?.as_secs();
        let after = Duration::from_secs(next.saturating_sub(now));
        Some(if self.failed { after.max(RETRY) } else { after })
    }
}

/// Nothing to certify, and no name that could be asked for, needs no CA.
fn first_wanting(model: &Model) -> Option<&pn_model::Site> {
    let wants = |source: &CertificateSource| {
        matches!(source, CertificateSource::Issuer(_) | CertificateSource::InternalCa)
    };
    model.sites.values().find(|site| wants(&site.certificate))
}

fn publish(store: &CertificateStore, issued: Vec<Issued>) {
    store.publish(Source::InternalCa, issued.into_iter().map(|one| (one.names, one.key)));
}

fn without(these: &[Demand], others: &[Demand]) -> Vec<Demand> {
    let key = |demand: &Demand| (demand.names.clone(), demand.lifetime);
    let known: HashSet<_> = others.iter().map(key).collect();
    these.iter().filter(|demand| !known.contains(&key(demand))).cloned().collect()
}

fn list(names: &[HostPattern]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// At the site whose name it is about; what the disk refuses is no site's doing.
fn refused(model: &Model, error: &AcmeError) -> PrepareError {
    let at = match error {
        AcmeError::Name { name, .. } => model
            .sites
            .values()
            .find(|site| site.hosts.iter().any(|host| host.to_string() == *name))
            .map(|site| site.path.clone())
            .unwrap_or_default(),
        AcmeError::Storage { .. } | AcmeError::InUse { .. } => NodePath::of(["runtime", "state-dir"]),
        _ => NodePath::default(),
    };
    PrepareError { at, message: error.to_string(), help: None }
}

fn no_clock() -> AcmeError {
    AcmeError::Signing("the system's clock cannot be read".to_owned())
}

impl fmt::Debug for InternalIssuing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InternalIssuing").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileProvider, Provider};
    use pn_config::{Format, Input};
    use pn_tls::DefaultTimeProvider;

    fn model(text: &str) -> Model {
        let input = Input::Text { name: "test".to_owned(), text: text.to_owned(), format: Format::Toml };
        Model::clone(&FileProvider::new(vec![input], |_| None).load().outcome.unwrap().model)
    }

    #[test]
    fn names_have_certificates_before_the_graph_and_lose_them_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(&dir.path().join("state")).unwrap());
        let store = Arc::new(CertificateStore::new());
        let mut issuing = InternalIssuing::new(state, Arc::clone(&store), Arc::new(DefaultTimeProvider));
        let has = |names: [&str; 2]| names.map(|name| store.get(name).is_some());

        issuing.ensure(&model("[sites.\"a.localhost\"]\nhttps = \"off\"\nto = \"@ping\"\n")).unwrap();
        assert!(!dir.path().join("state/internal-ca").exists(), "nobody asked for a CA");
        let one = model("[sites.\"a.localhost\"]\nto = \"http://127.0.0.1:1\"\n");
        issuing.ensure(&one).unwrap();
        issuing.settle(&one);
        assert_eq!(has(["a.localhost", "b.localhost"]), [true, false]);
        let before = store.get("a.localhost").unwrap();
        let two = model(
            "[sites.\"a.localhost\"]\nto = \"http://127.0.0.1:1\"\n[sites.\"b.localhost\"]\nto = \"http://127.0.0.1:1\"\n",
        );
        issuing.ensure(&two).unwrap();
        assert_eq!(has(["a.localhost", "b.localhost"]), [true, true], "before the graph is published");
        let other = model("[sites.\"b.localhost\"]\nto = \"http://127.0.0.1:1\"\n");
        issuing.ensure(&other).unwrap();
        assert_eq!(has(["a.localhost", "b.localhost"]), [true, true], "the running graph still wants it");
        assert_eq!(before.cert, store.get("a.localhost").unwrap().cert, "what is there is not made again");
        issuing.settle(&other);
        assert_eq!(has(["a.localhost", "b.localhost"]), [false, true]);
        assert!(issuing.due().unwrap() > Duration::from_secs(3600));
    }

    #[test]
    fn what_the_disk_refuses_is_no_sites_doing() {
        let dir = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(&dir.path().join("state")).unwrap());
        std::fs::write(dir.path().join("state/internal-ca"), "in the way").unwrap();
        let mut issuing = InternalIssuing::new(state, Arc::default(), Arc::new(DefaultTimeProvider));
        let refused = issuing.ensure(&model("[sites.\"a.localhost\"]\nto = \"@ping\"\n")).unwrap_err();
        let places: Vec<_> = refused.iter().map(|error| error.at.to_string()).collect();
        assert_eq!(places, ["runtime.state-dir"]);
        assert!(refused[0].message.contains("state/internal-ca"), "{}", refused[0].message);
    }

    #[test]
    fn what_was_issued_for_a_refused_model_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(&dir.path().join("state")).unwrap());
        let store = Arc::new(CertificateStore::new());
        let mut issuing = InternalIssuing::new(state, Arc::clone(&store), Arc::new(DefaultTimeProvider));
        let running = model("[sites.\"a.localhost\"]\nto = \"@ping\"\n");
        issuing.ensure(&running).unwrap();
        issuing.settle(&running);
        let before = store.get("a.localhost").unwrap();
        let leaves = || std::fs::read_dir(dir.path().join("state/internal-ca/leaves")).unwrap().count();
        assert_eq!(leaves(), 1);
        // The same name in another certificate, and a name more.
        let refused = model(
            "[sites.\"a.localhost\"]\nto = \"@ping\"\nsan-group = \"g\"\n[sites.\"b.localhost\"]\nto = \"@ping\"\nsan-group = \"g\"\n",
        );
        issuing.ensure(&refused).unwrap();
        assert_eq!(before.cert, store.get("a.localhost").unwrap().cert, "the running model's own stays");
        assert!(store.get("b.localhost").is_some());
        assert_eq!(leaves(), 2);
        issuing.settle(&running);
        assert_eq!(before.cert, store.get("a.localhost").unwrap().cert);
        assert!(store.get("b.localhost").is_none());
        assert_eq!(leaves(), 1, "and no file is left behind");
    }
}

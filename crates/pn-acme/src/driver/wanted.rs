//! What a configuration wants of ACME: the certificates, and the issuers with all that is needed to speak to them.

use super::dns::{self, DnsChallenges};
use super::door::RuleSet;
use super::permission::Rules;
use super::presenters::{Presenter, Presenters};
use super::run::Wire;
use super::transport::Transport;
use crate::life::{CertificateId, Demand, OpenIssuer, demands, open_issuers};
use crate::storage::{Clock, MemoryStore, Storage, system_clock};
use pn_model::acme::AcmeIssuer;
use pn_model::tls::IssuerKind;
use pn_model::{IssuerName, Model, NodePath};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Of one model. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub demands: Vec<Demand>,
    pub(super) issuers: Arc<BTreeMap<IssuerName, Arc<Issuing>>>,
    /// Those that certify on demand.
    pub(super) open: Arc<RuleSet>,
}

/// What all issuers of a process work with.
#[derive(Clone)]
pub(super) struct Around {
    /// For the challenges that the process answers itself.
    pub(super) local: Presenters,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Clock,
}

/// An issuer that can be spoken to.
#[derive(Debug)]
pub(super) struct Issuing {
    pub(super) settings: AcmeIssuer,
    pub(super) wire: Arc<dyn Wire>,
    pub(super) presenters: Presenters,
}

/// Why an issuer cannot be used, and where the configuration says so.
#[derive(Debug)]
pub struct Unusable {
    pub at: NodePath,
    pub message: String,
}

impl Wanted {
    /// Reads the roots of the issuers that are wanted. `before`: what is unchanged is taken over, connections among it.
    pub(super) fn of(model: &Model, before: &Self, around: &Around) -> Result<Self, Vec<Unusable>> {
        let (demands, open) = (demands(model), open_issuers(model));
        let sources =
            demands.iter().map(|demand| &demand.issuers).chain(open.values().map(|open| &open.sources));
        let names: BTreeSet<&IssuerName> = sources.flatten().map(|source| &source.issuer).collect();
        let (mut issuers, mut errors) = (BTreeMap::new(), Vec::new());
        for name in names {
            let Some(IssuerKind::Acme(settings)) = model.issuers.get(name).map(|issuer| &issuer.kind) else {
                continue;
            };
            let known = before.issuers.get(name).filter(|known| known.settings == **settings);
            let at = NodePath::of(["issuers", name.as_str(), "acme"]);
            match known.cloned().map_or_else(|| Issuing::new(name, settings, &at, around), Ok) {
                Ok(issuing) => {
                    issuers.insert(name.clone(), issuing);
                }
                Err(unusable) => errors.push(unusable),
            }
        }
        let mut rules = RuleSet::new();
        for (name, open) in open {
            let known = before.open.get(&name).filter(|known| known.open == open).cloned();
            let made = known.map_or_else(|| rules_of(model, open), Ok);
            match made {
                Ok(made) => drop(rules.insert(name, made)),
                Err(unusable) => errors.push(unusable),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { demands, issuers: Arc::new(issuers), open: Arc::new(rules) })
    }

    /// What would keep a model from running, with nothing begun: nobody is asked, and nothing is written.
    pub fn faults(model: &Model) -> Vec<Unusable> {
        let clock = system_clock();
        let storage: Arc<dyn Storage> = Arc::new(MemoryStore::new("check", Arc::clone(&clock)));
        let around = Around { local: Presenters::default(), storage, clock };
        Self::of(model, &Self::default(), &around).err().unwrap_or_default()
    }

    /// Certificates that are wanted as before, but with another kind of key or another profile.
    pub(super) fn otherwise(&self, before: &Self) -> Vec<CertificateId> {
        let differs = |name: &IssuerName| match (self.issuers.get(name), before.issuers.get(name)) {
            (Some(now), Some(before)) => {
                let (now, before) = (&now.settings, &before.settings);
                (now.key_type, &now.profile) != (before.key_type, &before.profile)
            }
            _ => false,
        };
        let demands = self.demands.iter();
        let differing = demands.filter(|demand| demand.issuers.iter().any(|source| differs(&source.issuer)));
        differing.map(|demand| demand.id.clone()).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.demands.is_empty() && self.open.is_empty()
    }
}

fn rules_of(model: &Model, open: OpenIssuer) -> Result<Arc<Rules>, Unusable> {
    let at = NodePath::of(["issuers", open.issuer.as_str(), "acme", "on-demand"]);
    let roots = match model.issuers.get(&open.issuer).map(|issuer| &issuer.kind) {
        Some(IssuerKind::Acme(settings)) => settings.roots.as_slice(),
        _ => &[],
    };
    let made = Rules::new(open, roots, &at);
    made.map(Arc::new).map_err(|error| Unusable { at: error.at.clone(), message: error.to_string() })
}

impl Issuing {
    pub(super) fn new(
        name: &IssuerName,
        settings: &AcmeIssuer,
        at: &NodePath,
        around: &Around,
    ) -> Result<Arc<Self>, Unusable> {
        let transport = Transport::new(&settings.roots, at)
            .map_err(|error| Unusable { at: error.at.clone(), message: error.to_string() })?;
        let transport = Arc::new(transport);
        let dns = DnsChallenges::of(name, settings, &transport, around, at)
            .map_err(|message| Unusable { at: at.child("dns"), message })?;
        let presenters = match dns {
            Some(dns) => around.local.clone().with(&dns::KINDS, &(Arc::new(dns) as Arc<dyn Presenter>)),
            None => around.local.clone(),
        };
        Ok(Arc::new(Self { settings: settings.clone(), wire: transport, presenters }))
    }
}

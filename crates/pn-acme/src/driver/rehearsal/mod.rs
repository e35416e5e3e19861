//! What `check --acme` does: tries each issuer with a throwaway account, as far as that goes without a running proxy,
//! and leaves nothing behind. Within bounds of time and orders; what was not shown is said.

mod issuer;

use super::presenters::Presenters;
use super::wanted::{Around, Issuing, Unusable};
use crate::life::{Demand, demands};
use crate::storage::{MemoryStore, Storage, system_clock};
use futures_util::future::join_all;
use pn_model::acme::{AcmeIssuer, KnownDirectory};
use pn_model::tls::IssuerKind;
use pn_model::{IssuerName, Model, NodePath};
use std::sync::Arc;
use tokio::sync::watch;

/// What came of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    pub issuer: IssuerName,
    pub directory: String,
    /// Whether that is a staging directory.
    pub staging: bool,
    pub trials: Vec<Trial>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// `directory`, `account`, `profile`, `certificate`.
    pub what: &'static str,
    /// Of the certificate.
    pub names: Vec<String>,
    pub outcome: TrialOutcome,
    /// What was shown and what was not, or what is wrong and the remedy.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialOutcome {
    Passed,
    Failed,
    /// Not tried.
    Skipped,
}

impl TrialOutcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// All issuers at once. `live`: those without a staging directory at their own, where nothing is issued. `stop` breaks
/// off; what was begun is taken back all the same.
pub async fn rehearse(model: &Model, live: bool, stop: watch::Receiver<bool>) -> Vec<Rehearsal> {
    let (clock, demands) = (system_clock(), demands(model));
    let storage: Arc<dyn Storage> = Arc::new(MemoryStore::new("check", Arc::clone(&clock)));
    let around = Around { local: Presenters::default(), storage, clock };
    let issuers = model.issuers.iter().filter_map(|(name, issuer)| match &issuer.kind {
        IssuerKind::Acme(settings) => Some((name, &**settings)),
        IssuerKind::InternalCa { .. } => None,
    });
    let tried = issuers.map(|(name, settings)| one(name, settings, &demands, &around, live, stop.clone()));
    join_all(tried).await
}

async fn one(
    name: &IssuerName,
    settings: &AcmeIssuer,
    demands: &[Demand],
    around: &Around,
    live: bool,
    stop: watch::Receiver<bool>,
) -> Rehearsal {
    let directory = settings.staging.as_ref().unwrap_or(&settings.directory);
    let staging = settings.staging.is_some() || KnownDirectory::is_staging(directory);
    let mut rehearsal =
        Rehearsal { issuer: name.clone(), directory: directory.clone(), staging, trials: Vec::new() };
    if !staging && !live {
        let message = "it has no staging directory; --acme=live tries the directory itself: a throwaway account is \
                       registered there, names are ordered, nothing is issued";
        rehearsal.trials.push(Trial::new("directory", TrialOutcome::Skipped, message));
        return rehearsal;
    }
    let at = NodePath::of(["issuers", name.as_str(), "acme"]);
    match Issuing::new(name, settings, &at, around) {
        Ok(issuing) => {
            let own = |demand: &&Demand| demand.issuers.iter().any(|source| source.issuer == *name);
            let demands: Vec<&Demand> = demands.iter().filter(own).collect();
            let target = issuer::Target { issuing: &issuing, clock: &around.clock, directory, staging };
            rehearsal.trials = target.try_all(&demands, stop).await;
        }
        Err(Unusable { at, message }) => {
            let message = format!("{at}: {message}");
            rehearsal.trials.push(Trial::new("directory", TrialOutcome::Failed, message));
        }
    }
    rehearsal
}

impl Trial {
    fn new(what: &'static str, outcome: TrialOutcome, message: impl Into<String>) -> Self {
        Self { what, names: Vec::new(), outcome, message: message.into() }
    }
}

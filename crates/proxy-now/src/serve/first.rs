//! What a process starts with: the configuration as it is now, what stands in for it when it is refused, and the state
//! directory that belongs to the two.

use crate::cli::Serve;
use crate::inputs::{self, Inputs};
use anyhow::{Context, Result, bail};
use pn_acme::{AcmeError, StateDir};
use pn_control::{Candidate, ControlError, FileProvider, LastGood, Loading, Provider, Refusal, Severity};
use pn_model::{Model, NodePath, Runtime};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// What was read; nothing is made or locked yet.
pub(super) struct First {
    provider: FileProvider,
    loading: Loading,
    read_at: SystemTime,
    /// Why there is nothing to fall back to, where somebody asked for it.
    fallback: Option<Result<Loading>>,
    last_good: LastGood,
    state_dir: PathBuf,
    /// Whether the configuration says where that is.
    says_where: bool,
}

/// The same with its state directory.
pub(super) struct Settled {
    pub(super) provider: FileProvider,
    pub(super) loading: Loading,
    pub(super) read_at: SystemTime,
    pub(super) fallback: Option<Loading>,
    pub(super) last_good: LastGood,
    pub(super) state: StateDir,
}

impl First {
    pub(super) fn read(inputs: &Inputs, options: &Serve) -> Result<Self> {
        let read_at = SystemTime::now();
        let provider = FileProvider::new(inputs.inputs.clone(), inputs::env);
        let loading = provider.load();
        let mut state_dir = state_dir(options, &loading.runtime)?;
        let fallback = options.last_good.then(|| kept(inputs, &LastGood::new(&state_dir)));
        if let (Err(_), None, Some(Ok(kept))) = (&loading.outcome, &loading.runtime.state_dir, &fallback) {
            // What says where the state is was not readable any more.
            state_dir = self::state_dir(options, &kept.runtime)?;
        }
        let last_good = LastGood::new(&state_dir);
        let says_where = options.state_dir.is_none();
        Ok(Self { provider, loading, read_at, fallback, last_good, state_dir, says_where })
    }

    /// What is to run: what could be read, else what stands in for it.
    pub(super) fn model(&self) -> Arc<Model> {
        self.candidate().map(|candidate| Arc::clone(&candidate.model)).unwrap_or_default()
    }

    fn candidate(&self) -> Option<&Candidate> {
        let kept = || self.fallback.as_ref()?.as_ref().ok()?.outcome.as_ref().ok();
        self.loading.outcome.as_ref().ok().or_else(kept)
    }

    /// That its state directory cannot be used, as a finding where the configuration names it: a part of it may have
    /// come from a secret.
    fn unusable(&self, error: AcmeError) -> anyhow::Error {
        let named = |candidate: &&Candidate| self.says_where && candidate.model.runtime.state_dir.is_some();
        match self.candidate().filter(named) {
            Some(candidate) => {
                let at = NodePath::of(["runtime", "state-dir"]);
                let found = candidate.texts.finding(Severity::Error, &at, &error.to_string(), None);
                ControlError::Refused(Refusal::logged_at_start(vec![found])).into()
            }
            None => error.into(),
        }
    }

    /// Takes the state directory. Where nothing can run none is made, and what refuses the configuration comes first.
    pub(super) fn settle(self) -> Result<Settled> {
        if let Some(Err(error)) = &self.fallback {
            tracing::warn!(file = %self.last_good.path().display(), "nothing to fall back to: {error:#}");
        }
        if let (Err(findings), None | Some(Err(_))) = (&self.loading.outcome, &self.fallback) {
            return Err(ControlError::Refused(Refusal::logged_at_start(findings.clone())).into());
        }
        let opened = StateDir::open(&self.state_dir);
        if let (Err(findings), Err(_)) = (&self.loading.outcome, &opened) {
            Refusal::logged_at_start(findings.clone());
        }
        let state = opened.map_err(|error| self.unusable(error))?;
        let Self { provider, loading, read_at, fallback, last_good, .. } = self;
        Ok(Settled { provider, loading, read_at, fallback: fallback.and_then(Result::ok), last_good, state })
    }
}

fn state_dir(options: &Serve, runtime: &Runtime) -> Result<PathBuf> {
    let asked = options.state_dir.as_deref().or(runtime.state_dir.as_deref());
    inputs::state_dir(asked, options.user.is_some())
}

fn kept(inputs: &Inputs, last_good: &LastGood) -> Result<Loading> {
    let kept = match last_good.read_for(&inputs.inputs) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "there is none; where the refused files do not tell `runtime.state-dir` any more, --state-dir does"
            )
        }
        kept => kept.context("it cannot be used")?,
    };
    match FileProvider::kept(&kept, inputs::env) {
        Some(provider) => Ok(provider.load()),
        None => bail!("it is damaged"),
    }
}

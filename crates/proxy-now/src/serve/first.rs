//! What a process starts with: the configuration as it is now, what stands in for it when it is refused, and the state
//! directory that belongs to the two.

use crate::cli::Serve;
use crate::inputs::{self, Inputs};
use anyhow::{Context, Result, bail};
use pn_acme::StateDir;
use pn_control::{ControlError, FileProvider, LastGood, Loading, Provider, Refusal};
use pn_model::{Model, Runtime};
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
        Ok(Self { provider, loading, read_at, fallback, last_good, state_dir })
    }

    /// What is to run: what could be read, else what stands in for it.
    pub(super) fn model(&self) -> Arc<Model> {
        let own = self.loading.outcome.as_ref().ok();
        let kept = || self.fallback.as_ref()?.as_ref().ok()?.outcome.as_ref().ok();
        own.or_else(kept).map(|candidate| Arc::clone(&candidate.model)).unwrap_or_default()
    }

    /// Takes the state directory. Where nothing can run none is made, and what refuses the configuration comes first.
    pub(super) fn settle(self) -> Result<Settled> {
        let Self { provider, loading, read_at, fallback, last_good, state_dir } = self;
        if let Some(Err(error)) = &fallback {
            tracing::warn!(file = %last_good.path().display(), "nothing to fall back to: {error:#}");
        }
        let fallback = fallback.and_then(Result::ok);
        if let (Err(findings), None) = (&loading.outcome, &fallback) {
            return Err(ControlError::Refused(Refusal::at_start(findings.clone())).into());
        }
        let opened = StateDir::open(&state_dir);
        if let (Err(findings), Err(_)) = (&loading.outcome, &opened) {
            Refusal::at_start(findings.clone());
        }
        Ok(Settled { provider, loading, read_at, fallback, last_good, state: opened? })
    }
}

fn state_dir(options: &Serve, runtime: &Runtime) -> Result<PathBuf> {
    let asked = options.state_dir.as_deref().or(runtime.state_dir.as_deref());
    inputs::state_dir(asked, options.user.is_some())
}

fn kept(inputs: &Inputs, last_good: &LastGood) -> Result<Loading> {
    let kept = last_good.read_for(&inputs.inputs).context("it cannot be used")?;
    match FileProvider::kept(&kept, inputs::env) {
        Some(provider) => Ok(provider.load()),
        None => bail!("it is damaged"),
    }
}

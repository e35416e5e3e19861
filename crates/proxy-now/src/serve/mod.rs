//! The composition root: makes every room, hands each what it needs, and sees the process from its start to its end.

mod accounts;
mod activation;
mod certificates;
mod first;
mod identity;
mod lifetime;
mod limits;
mod logging;
mod process;
mod systemd;

use crate::inputs::Inputs;
use crate::output;
use accounts::DriverAccounts;
use anyhow::{Context, Result};
use first::First;
use logging::Logging;
use pn_acme::StateDir;
use pn_admin::{AdminServer, Api, MetricsPage, Views};
use pn_control::{
    AcmeIssuing, Control, ControlError, ControlThread, InternalIssuing, Lifecycle, Parts, StatusSource,
    StorePlace,
};
use pn_core::{Factories, GraphPublisher, GraphSource, StateRegistry};
use pn_model::Model;
use pn_model::service::Builtin;
use pn_proxy::{Plane, PlaneOptions};
use pn_tls::{CertificateStore, DefaultTimeProvider};
use process::ThisProcess;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is to be served, and how.
pub(crate) struct Launch {
    pub(crate) inputs: Inputs,
    pub(crate) options: crate::cli::Serve,
    /// Called once it serves, with the root certificate's file and the addresses.
    pub(crate) ready: Option<Ready>,
}

pub(crate) type Ready = Box<dyn FnOnce(&Serving)>;

/// Everything that runs.
pub(crate) struct Serving {
    pub(crate) control: Control,
    thread: ControlThread,
    admin: Arc<AdminServer>,
    pub(crate) plane: Arc<Plane>,
    pub(crate) source: GraphSource,
    lifecycle: Arc<Lifecycle>,
    pub(crate) state_dir: PathBuf,
}

/// Serves until a signal ends it.
pub(crate) fn serve(launch: Launch) -> Result<ExitCode> {
    if let Some(user) = &launch.options.user {
        identity::become_user(user).with_context(|| format!("cannot become the user `{user}`"))?;
    }
    limits::raise_open_files();
    limits::keep_pages_small();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anything is served, so that no signal of that time is lost.
    let signals = runtime.block_on(async { lifetime::Signals::new() })?;
    let ready = launch.ready;
    let serving = match start(&launch.inputs, &launch.options) {
        Ok(serving) => serving,
        Err(error) => return refused(&error),
    };
    if let Some(ready) = ready {
        ready(&serving);
    }
    runtime.block_on(lifetime::run(serving, signals))
}

/// The findings have been shown already, as the log's.
fn refused(error: &anyhow::Error) -> Result<ExitCode> {
    match error.downcast_ref::<ControlError>() {
        Some(ControlError::Refused(_)) => {
            output::error("the configuration is refused: nothing is served");
            Ok(output::FAILED.into())
        }
        _ => Err(anyhow::anyhow!(output::chain(error))),
    }
}

fn start(inputs: &Inputs, options: &crate::cli::Serve) -> Result<Serving> {
    let first = First::read(inputs, options)?;
    let model = first.model();
    let logging = Arc::new(Logging::start(&model.logs));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), configuration = %inputs.named, "proxy-now starts");
    let first = first.settle()?;
    let state = first.state;
    let state_dir = state.path().to_owned();

    let (publisher, source) = GraphPublisher::new();
    let store = Arc::new(CertificateStore::new());
    let plane = Arc::new(plane(&model, &store, &source)?);
    let issuing = issuing(&model, state, store);
    let (status, lifecycle) = (StatusSource::default(), Arc::new(Lifecycle::default()));
    let views = Arc::new(Views {
        status: status.clone(),
        lifecycle: Arc::clone(&lifecycle),
        graph: source.clone(),
        accounts: Arc::new(DriverAccounts(issuing.driver())),
        process: Arc::new(ThisProcess::new(&plane, issuing.driver(), issuing.place().path.clone())),
    });
    let admin = Arc::new(AdminServer::start(Arc::clone(&views))?);
    let parts = Parts {
        publisher,
        provider: Box::new(first.provider),
        fallback: first.fallback,
        started_with: model.runtime.clone(),
        factories: factories(lifecycle.draining())
            .with_builtin(Builtin::Api, Arc::new(Api(Arc::clone(&views))))
            .with_builtin(Builtin::Metrics, Arc::new(MetricsPage(views))),
        registry: StateRegistry::default(),
        plane: Arc::<Plane>::clone(&plane),
        followers: vec![Arc::<AdminServer>::clone(&admin), logging],
        issuing: Box::new(issuing),
        last_good: Some(first.last_good),
        status,
        lifecycle: Arc::clone(&lifecycle),
    };
    let (control, thread) = Control::start(parts, first.loading, first.read_at)?;
    admin.connect(control.clone());
    Ok(Serving { control, thread, admin, plane, source, lifecycle, state_dir })
}

fn issuing(model: &Model, state: StateDir, store: Arc<CertificateStore>) -> AcmeIssuing {
    let place = match &model.runtime.certificate_store {
        Some(path) => StorePlace { path: path.clone(), shared: true },
        // The state directory is locked for this process.
        None => StorePlace { path: state.path().join("certificates"), shared: false },
    };
    let internal = InternalIssuing::new(Arc::new(state), Arc::clone(&store), Arc::new(DefaultTimeProvider));
    AcmeIssuing::new(internal, place, store)
}

/// Everything that a graph can be made of, but for what shows this process. Also what `check` compiles with.
/// `draining` is what `@ping` answers by.
pub(crate) fn factories(draining: Arc<AtomicBool>) -> Factories {
    pn_middleware::register(Factories::default())
        .with_builtin(Builtin::Ping, Arc::new(pn_proxy::Ping::new(draining)))
        .with_builtin(Builtin::Whoami, Arc::new(pn_proxy::Whoami))
}

fn plane(model: &Model, store: &Arc<CertificateStore>, source: &GraphSource) -> Result<Plane> {
    let workers = usize::try_from(model.runtime.workers).unwrap_or(usize::MAX);
    let options = PlaneOptions { workers, sockets: activation::sockets(), certificates: Arc::clone(store) };
    Plane::start(options, source.clone()).context("the data plane cannot start")
}

//! The data plane as the control plane and the binary see it: start, prepare, drain.
#![expect(clippy::disallowed_types, reason = "its locks are taken at starts, changes and ends only")]

mod bind;
mod prepare;
mod state;

pub(crate) use bind::WorkerSocket;
pub(crate) use state::PlaneState;

use crate::metrics::{Meters, Shards};
use crate::upstream::{HealthChecks, Shares};
use crate::worker::{Adopted, Blocking, Clock, Command, Start};
use bind::Alive;
use pn_core::{Generation, GraphSource};
use pn_model::ListenerName;
use pn_model::listener::BindAddress;
use pn_tls::{CertificateInfo, CertificateStore, UpstreamTls};
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What the process gives the data plane at its start.
#[derive(Debug, Default)]
pub struct PlaneOptions {
    /// 0: one a core. Fixed until a restart, whatever a graph says.
    pub workers: usize,
    /// Sockets that were handed over (systemd), by their names.
    pub sockets: Vec<(String, OwnedFd)>,
    /// Where certificates of issuers are found.
    pub certificates: Arc<CertificateStore>,
}

/// The running data plane. Dropping it ends the workers at once; `drain` lets them finish.
pub struct Plane {
    source: GraphSource,
    clock: Clock,
    meters: Meters,
    certificates: Arc<CertificateStore>,
    upstream_tls: UpstreamTls,
    handed_over: Vec<(String, OwnedFd)>,
    /// Declared before the workers, so that it ends first.
    _health: HealthChecks,
    workers: Box<[Worker]>,
    adopted: Arc<Adopted>,
    /// Addresses on which this process may still listen, those that are closing among them.
    listening: Mutex<Vec<(BindAddress, Weak<Alive>)>>,
}

struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What came of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Connections that were cut off because their time was up.
    pub cut: u64,
}

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("a thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
    #[error("a worker's event loop could not be made: {0}")]
    Runtime(#[source] std::io::Error),
}

impl Plane {
    /// Starts the workers. They serve what is published at `source`; nothing listens before the first commit.
    pub fn start(options: PlaneOptions, source: GraphSource) -> Result<Self, StartError> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = if options.workers == 0 { cores() } else { options.workers };
        let clock = Clock::new();
        let shards = Arc::<Shards>::default();
        let shares = Arc::<Shares>::default();
        let adopted = Arc::new(Adopted::new(count));
        let blocking = Blocking::start().map_err(StartError::Thread)?;
        let mut workers = Vec::new();
        for index in 0..count {
            let (blocking, source, adopted) = (blocking.clone(), source.clone(), Arc::clone(&adopted));
            let (shards, shares) = (Arc::clone(&shards), Arc::clone(&shares));
            let certificates = Arc::clone(&options.certificates);
            let start =
                Start { index, count, clock, blocking, source, shards, shares, adopted, certificates };
            let (commands, thread) = start.spawn()?;
            workers.push(Worker { commands, thread: Mutex::new(Some(thread)) });
        }
        let tls_of = |generation: &Generation| {
            generation.prepared().map(|state: &PlaneState| state.upstream_tls.clone()).unwrap_or_default()
        };
        let health = HealthChecks::start(source.clone(), tls_of).map_err(StartError::Thread)?;
        Ok(Self {
            meters: Meters::new(shards, source.clone(), Arc::clone(&options.certificates)),
            source,
            clock,
            certificates: options.certificates,
            upstream_tls: UpstreamTls::default(),
            _health: health,
            handed_over: options.sockets,
            workers: workers.into(),
            adopted,
            listening: Mutex::default(),
        })
    }

    /// How many workers run.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The addresses at which a listener of the current graph is reached, with ports that the kernel chose.
    pub fn addresses(&self, listener: &ListenerName) -> Vec<SocketAddr> {
        let current = self.source.current();
        let Some(state) = current.prepared::<PlaneState>() else { return Vec::new() };
        let Some(node) = current.graph().listener(listener) else { return Vec::new() };
        let bound = |address| state.sockets.get(address).and_then(|bound| bound.local());
        node.spec.addresses.iter().filter_map(bound).collect()
    }

    /// The certificates in use: from files, and from issuers.
    pub fn certificates(&self) -> Vec<CertificateInfo> {
        let current = self.source.current();
        let files = current.prepared::<PlaneState>().map(|state| state.tls.certificates());
        files.into_iter().flatten().chain(self.certificates.certificates()).collect()
    }

    /// The moment, as the state of servers has it (`ServerState::available`).
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// What has been counted.
    pub fn meters(&self) -> Meters {
        self.meters.clone()
    }

    /// Opens the access log's file anew, once it has been moved away.
    pub fn reopen_logs(&self) {
        let current = self.source.current();
        if let Some(sink) = current.prepared::<PlaneState>().and_then(|state| state.access_log.as_ref()) {
            sink.reopen();
        }
    }

    /// Ends the data plane: sockets are emptied and closed, connections finish what they are doing, and those that
    /// have not after their listener's `timeouts.drain`, or `at_most` where that is shorter, are cut off.
    pub async fn drain(&self, at_most: Duration) -> Drained {
        let mut answers = Vec::new();
        for worker in &self.workers {
            let (done, answer) = oneshot::channel();
            // A worker that is gone has nothing to drain.
            if worker.commands.send(Command::Drain { at_most, done }).is_ok() {
                answers.push(answer);
            }
        }
        let mut drained = Drained::default();
        for answer in answers {
            drained.cut += answer.await.unwrap_or_default();
        }
        for worker in &self.workers {
            worker.join();
        }
        drained
    }

    /// The addresses of TCP at which this process may still listen.
    fn listening_at(&self) -> Vec<SocketAddr> {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = listening.iter().filter(|(_, alive)| alive.strong_count() > 0);
        alive
            .filter_map(|(known, _)| match known {
                BindAddress::Tcp(address) => Some(*address),
                BindAddress::Unix(_) | BindAddress::Fd(_) => None,
            })
            .collect()
    }
}

impl Worker {
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a worker ended by a panic: this is a bug");
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        for worker in &self.workers {
            // The end of its commands ends a worker; one that has drained is gone already.
            worker.commands.send(Command::Stop).unwrap_or_default();
            worker.join();
        }
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

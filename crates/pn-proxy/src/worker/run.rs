//! The thread of a worker: follows the published graphs and obeys commands.

use super::adopted::Adopted;
use super::doors::Doors;
use super::env::{Blocking, Clock, WorkerEnv};
use crate::cx::WorkerCx;
use crate::metrics;
use crate::plane::StartError;
use crate::upstream::{Shares, Upstreams};
use crate::wire;
use pn_core::{Current, GraphReader, GraphSource};
use pn_tls::CertificateStore;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;

/// How often buffers that nobody has needed meanwhile go back to the system.
const TRIM: Duration = Duration::from_secs(1);

pub(crate) enum Command {
    /// Finish, then answer with the number of connections that were cut off.
    Drain {
        at_most: Duration,
        done: oneshot::Sender<u64>,
    },
    Stop,
}

/// What a worker is made of.
pub(crate) struct Start {
    pub(crate) index: usize,
    /// How many there are.
    pub(crate) count: usize,
    pub(crate) clock: Clock,
    pub(crate) blocking: Blocking,
    pub(crate) source: GraphSource,
    pub(crate) shards: Arc<metrics::Shards>,
    pub(crate) shares: Arc<Shares>,
    pub(crate) adopted: Arc<Adopted>,
    pub(crate) certificates: Arc<CertificateStore>,
}

type Running = (mpsc::UnboundedSender<Command>, JoinHandle<()>);

impl Start {
    pub(crate) fn spawn(self) -> Result<Running, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name(format!("worker-{}", self.index))
            .spawn(move || self.run_on(&runtime, inbox))
            .map_err(StartError::Thread)?;
        Ok((commands, thread))
    }

    /// In a task of its own: what the thread itself waits for is polled whenever any task was woken.
    fn run_on(self, runtime: &Runtime, inbox: mpsc::UnboundedReceiver<Command>) {
        let local = LocalSet::new();
        let running = local.spawn_local(self.run(inbox));
        let ended = local.block_on(runtime, running);
        if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
            std::panic::resume_unwind(panic);
        }
    }

    async fn run(self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let mut reader = self.source.reader();
        let seed = ahash::RandomState::new().hash_one(self.index);
        let env = WorkerEnv::new(self.clock, seed, self.blocking);
        let current = reader.current().clone();
        let upstreams = Upstreams::new(self.index, self.count, self.shares);
        let meter = metrics::Shard::new(self.shards);
        let certificates = Arc::clone(&self.certificates);
        let worker = Rc::new(WorkerCx::new(self.index, current.clone(), upstreams, meter, env, certificates));
        worker.set_current(current.clone());
        let mut doors = Doors::new(Rc::clone(&worker));
        doors.reconcile(&current);
        self.adopted.set(self.index, current.number());
        drop(current);
        let mut trim = tokio::time::interval(TRIM);
        trim.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // A drain empties the sockets of the latest generation, too.
                biased;
                current = changed(&mut reader) => {
                    worker.set_current(current.clone());
                    doors.reconcile(&current);
                    self.adopted.set(self.index, current.number());
                }
                command = inbox.recv() => match command {
                    Some(Command::Drain { at_most, done }) => {
                        self.adopted.leave(self.index);
                        let cut = doors.shut(at_most).await;
                        done.send(cut).unwrap_or_default();
                        return;
                    }
                    Some(Command::Stop) | None => return,
                },
                _ = trim.tick() => wire::pool().trim(),
            }
        }
    }
}

async fn changed(reader: &mut GraphReader) -> Current {
    poll_fn(|cx| reader.poll_changed(cx)).await
}

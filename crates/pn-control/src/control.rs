//! The control thread and the handle on it: triggers come in, one change is made at a time, its outcome goes back.

use crate::candidate::{Inputs, Loading, Provider};
use crate::error::ControlError;
use crate::follower::Follower;
use crate::history::History;
use crate::issuing::Issuing;
use crate::last_good::LastGood;
use crate::reconcile::{Outcome, Reconciler, Trigger};
use crate::status::{Lifecycle, Status, StatusSource};
use crate::watch::{FileWatch, TICK};
use pn_core::{DataPlane, Factories, GraphPublisher, StateRegistry};
use pn_model::Runtime;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// Requests that wait while one change is made; a further one waits at its sender.
const QUEUE: usize = 64;
/// Changes that keep coming are gathered no longer than this many times the debounce.
const PATIENCE: u32 = 20;
/// When to look at the files again that could not be opened because the process has too many open.
const AGAIN: Duration = Duration::from_secs(2);
/// Longest that the clock is not looked at: it may have been set, or the machine asleep, while certificates ended.
const CLOCK: Duration = Duration::from_secs(15);

/// What a control plane is made of. The composition root hands it in.
pub struct Parts {
    pub publisher: GraphPublisher,
    pub provider: Box<dyn Provider>,
    /// What to start from when the provider's configuration is refused (`--last-good`).
    pub fallback: Option<Loading>,
    /// What the data plane was made with: of it some cannot change.
    pub started_with: Runtime,
    pub factories: Factories,
    pub registry: StateRegistry,
    pub plane: Arc<dyn DataPlane>,
    pub followers: Vec<Arc<dyn Follower>>,
    pub issuing: Box<dyn Issuing>,
    /// Where the last accepted configuration is kept; `None`: nowhere.
    pub last_good: Option<LastGood>,
    pub status: StatusSource,
    pub lifecycle: Arc<Lifecycle>,
}

/// The handle: cheap to clone, for signals, the API and whoever asks for the status.
#[derive(Clone)]
pub struct Control {
    requests: SyncSender<Request>,
    board: StatusSource,
    lifecycle: Arc<Lifecycle>,
}

/// Joins the control thread when told to stop.
#[derive(Debug)]
pub struct ControlThread {
    requests: SyncSender<Request>,
    thread: JoinHandle<()>,
}

type Reply = oneshot::Sender<Outcome>;

#[derive(Debug)]
enum Request {
    Reload {
        trigger: Trigger,
        reply: Option<Reply>,
    },
    RollBack {
        generation: Option<u64>,
        reply: Reply,
    },
    /// Something happened in a watched directory.
    Touched,
    Stop,
}

impl Control {
    /// Publishes the first configuration, which was read at `read_at`, then follows it from a thread of its own. A
    /// configuration that is refused now is an error: nothing runs yet that could stay.
    pub fn start(
        mut parts: Parts,
        first: Loading,
        read_at: SystemTime,
    ) -> Result<(Self, ControlThread), ControlError> {
        let fallback = parts.fallback.take();
        let (requests, inbox) = sync_channel(QUEUE);
        let control = Self {
            requests: requests.clone(),
            board: parts.status.clone(),
            lifecycle: Arc::clone(&parts.lifecycle),
        };
        let mut keeper = Keeper::new(parts, inbox, &requests);
        if let Outcome::Refused(refusal) = keeper.take(first, read_at, Trigger::Start) {
            let stands_in = fallback.is_some_and(|kept| keeper.fall_back(kept));
            if !stands_in {
                return Err(ControlError::Refused(refusal));
            }
        }
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || keeper.run())
            .map_err(ControlError::Thread)?;
        Ok((control, ControlThread { requests, thread }))
    }

    pub fn status(&self) -> Arc<Status> {
        self.board.read()
    }

    pub fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// Reads the configuration again and waits for what comes of it.
    pub async fn reload(&self, trigger: Trigger) -> Result<Outcome, ControlError> {
        self.ask(|reply| Request::Reload { trigger, reply: Some(reply) }).await
    }

    /// Goes back to the configuration of `generation`, or to the one before the running one. It stays until the files
    /// change again, or a reload is asked for.
    pub async fn roll_back(&self, generation: Option<u64>) -> Result<Outcome, ControlError> {
        self.ask(|reply| Request::RollBack { generation, reply }).await
    }

    async fn ask(&self, request: impl FnOnce(Reply) -> Request) -> Result<Outcome, ControlError> {
        let (reply, outcome) = oneshot::channel();
        match self.requests.try_send(request(reply)) {
            Ok(()) => outcome.await.map_err(|_| ControlError::Stopped),
            Err(TrySendError::Full(_)) => Err(ControlError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(ControlError::Stopped),
        }
    }
}

impl ControlThread {
    /// Ends the thread after the change at hand.
    pub fn stop(self) {
        if self.requests.send(Request::Stop).is_ok() && self.thread.join().is_err() {
            tracing::error!("the control thread had panicked");
        }
    }
}

/// What the thread owns.
struct Keeper {
    inbox: Receiver<Request>,
    provider: Box<dyn Provider>,
    reconciler: Reconciler,
    last_good: Option<LastGood>,
    watch: FileWatch,
    /// Set while a `Touched` is on its way, so that a storm of events is one request.
    touched: Arc<AtomicBool>,
    /// Of the last reading that worked, so that a broken file does not end the watch of the rest.
    inputs: Inputs,
    /// The content of that reading.
    content: Option<[u8; 32]>,
    gathering: Option<Gathering>,
    renew_at: Option<Instant>,
}

/// Changes of files that are being gathered.
#[derive(Clone, Copy)]
struct Gathering {
    first: Instant,
    due: Instant,
    /// Read them even if they look as before: they were written while they were being read, within one tick of the
    /// file system's clock.
    surely: bool,
}

impl Keeper {
    fn new(parts: Parts, inbox: Receiver<Request>, requests: &SyncSender<Request>) -> Self {
        let touched = Arc::new(AtomicBool::new(false));
        let (flag, sender) = (Arc::clone(&touched), requests.clone());
        let watch = FileWatch::new(move || {
            // Full: whoever empties the queue looks at the files when the flag is still set.
            if !flag.swap(true, AcqRel) && sender.try_send(Request::Touched).is_err() {
                flag.store(false, std::sync::atomic::Ordering::Release);
            }
        });
        let reconciler = Reconciler {
            publisher: parts.publisher,
            factories: parts.factories,
            registry: parts.registry,
            plane: parts.plane,
            followers: parts.followers,
            issuing: parts.issuing,
            history: History::default(),
            board: parts.status,
            started_with: parts.started_with,
        };
        Self {
            inbox,
            provider: parts.provider,
            reconciler,
            last_good: parts.last_good,
            watch,
            touched,
            inputs: Inputs::default(),
            content: None,
            gathering: None,
            renew_at: None,
        }
    }

    fn run(mut self) {
        self.renew();
        loop {
            let request = match self.wait() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(timeout) => self.inbox.recv_timeout(timeout),
            };
            match request {
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(request) => self.answer(request),
                Err(RecvTimeoutError::Timeout) => self.tick(),
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Reload { trigger, reply } => {
                let outcome = self.reload(trigger);
                tell(reply, outcome);
            }
            Request::RollBack { generation, reply } => {
                let outcome = self.reconciler.roll_back(generation);
                self.accepted(&outcome);
                tell(Some(reply), outcome);
            }
            Request::Touched => {
                self.touched.store(false, std::sync::atomic::Ordering::Release);
                self.gather(false);
            }
            Request::Stop => {}
        }
    }

    /// How long there is nothing to do unasked.
    fn wait(&self) -> Option<Duration> {
        let gathered = self.gathering.map(|gathering| gathering.due);
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        [gathered.map(until), self.renew_at.map(until), self.watch.interval()].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let due = match self.gathering {
            Some(gathering) => gathering.due <= now,
            None => self.watch.interval().is_some(),
        };
        if due {
            let surely = self.gathering.take().is_some_and(|gathering| gathering.surely);
            if self.watch.changed() || surely {
                self.reload(Trigger::Files);
            }
        }
        if self.renew_at.is_some_and(|at| at <= now) {
            self.renew();
        }
    }

    /// Waits for the end of a burst of changes, within bounds.
    fn gather(&mut self, surely: bool) {
        let pause = if surely { self.debounce().max(TICK) } else { self.debounce() };
        let now = Instant::now();
        let first = self.gathering.map_or(now, |gathering| gathering.first);
        let surely = surely || self.gathering.is_some_and(|gathering| gathering.surely);
        let latest = first + pause.saturating_mul(PATIENCE);
        self.gathering = Some(Gathering { first, due: (now + pause).min(latest), surely });
    }

    fn debounce(&self) -> Duration {
        self.reconciler.running().map_or(Duration::ZERO, |running| running.model.runtime.debounce)
    }

    fn reload(&mut self, trigger: Trigger) -> Outcome {
        let read_at = SystemTime::now();
        let loading = self.provider.load();
        self.take(loading, read_at, trigger)
    }

    fn take(&mut self, loading: Loading, read_at: SystemTime, trigger: Trigger) -> Outcome {
        let followed = match &loading.outcome {
            Ok(_) => loading.inputs.clone(),
            Err(_) => self.inputs.with(&loading.inputs),
        };
        let outcome = match loading.outcome {
            Ok(candidate) => {
                self.inputs = loading.inputs;
                let same = self.content.replace(candidate.content) == Some(candidate.content);
                if same && trigger == Trigger::Files && self.reconciler.is_rolled_back() {
                    // Somebody touched a file without changing it: no reason to undo the rollback.
                    Outcome::Unchanged { generation: self.reconciler.generation() }
                } else {
                    self.reconciler.apply(candidate, trigger)
                }
            }
            Err(findings) => self.reconciler.refuse(trigger, findings),
        };
        if self.watch.follow(&followed, read_at) {
            self.gather(true);
        }
        if matches!(outcome, Outcome::Refused(_)) && followed.watch && out_of_files() {
            // That is no fault of the configuration, and nobody may touch it again.
            let now = Instant::now();
            self.gathering = Some(Gathering { first: now, due: now + AGAIN, surely: true });
        }
        self.accepted(&outcome);
        outcome
    }

    /// Starts from what was accepted last. The files stay watched, and replace it once they are mended.
    fn fall_back(&mut self, kept: Loading) -> bool {
        let outcome = match kept.outcome {
            Ok(candidate) => self.reconciler.apply(candidate, Trigger::LastGood),
            Err(findings) => self.reconciler.refuse(Trigger::LastGood, findings),
        };
        matches!(outcome, Outcome::Committed { .. })
    }

    fn accepted(&mut self, outcome: &Outcome) {
        if let Outcome::Committed { generation, .. } = outcome {
            self.renew_at = self.next_renewal();
            if let (Some(last_good), Some(running)) = (&self.last_good, self.reconciler.running()) {
                last_good.keep(*generation, running.texts.as_ref());
            }
        }
    }

    fn renew(&mut self) {
        self.reconciler.issuing.renew();
        self.renew_at = self.next_renewal();
    }

    fn next_renewal(&self) -> Option<Instant> {
        self.reconciler.issuing.due().map(|after| Instant::now() + after.min(CLOCK))
    }
}

/// Whether no file can be opened at present, whichever it is.
fn out_of_files() -> bool {
    std::fs::File::open("/")
        .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::ENFILE | libc::EMFILE)))
}

fn tell(reply: Option<Reply>, outcome: Outcome) {
    // Whoever asked may have given up; the outcome is in the status too.
    if let Some(reply) = reply {
        drop(reply.send(outcome));
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Control(generation {})", self.status().generation)
    }
}

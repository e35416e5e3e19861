//! What a worker offers middlewares beside upstream calls: time, randomness, timers, and threads for work that would
//! hold it up.
#![expect(
    clippy::disallowed_types,
    reason = "a blocking thread waits for its next job at this lock; workers do not take it"
)]

use pn_core::LocalFuture;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Threads for blocking jobs. Password hashes are the heaviest and use a whole core each.
const BLOCKING_THREADS: usize = 4;
/// Jobs that wait; one of a hundred milliseconds each, they are a few seconds of work.
const BLOCKING_QUEUE: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// The clock of the process: nanoseconds since an arbitrary moment before it began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// The moment as timers take it.
    pub(crate) fn instant(self, moment: u64) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.0 + Duration::from_nanos(moment))
    }

    /// Never 0, which stands for "never" where moments are kept in cells.
    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Threads that run what would hold up a worker. Shared by all workers.
#[derive(Clone)]
pub(crate) struct Blocking(SyncSender<Job>);

impl Blocking {
    /// The threads end when every handle is gone.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(BLOCKING_QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..BLOCKING_THREADS {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name(format!("blocking-{index}")).spawn(move || run_jobs(&queue))?;
        }
        Ok(Self(jobs))
    }

    fn run(&self, job: Job) -> LocalFuture<'static, Option<()>> {
        let (done, wait) = tokio::sync::oneshot::channel();
        let job: Job = Box::new(move || {
            job();
            // Nobody waits any more when the request was given up.
            done.send(()).unwrap_or_default();
        });
        let queued = self.0.try_send(job).is_ok();
        Box::pin(async move { if queued { wait.await.ok() } else { None } })
    }
}

fn run_jobs(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A job that panics drops its sender, and who waits for it learns that it was not done.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a blocking job panicked");
        }
    }
}

/// The parts of `pn_core::Env` that need no graph.
pub(crate) struct WorkerEnv {
    clock: Clock,
    random: Cell<u64>,
    blocking: Blocking,
}

impl WorkerEnv {
    pub(crate) fn new(clock: Clock, seed: u64, blocking: Blocking) -> Self {
        Self { clock, random: Cell::new(seed | 1), blocking }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    pub(crate) fn wall_clock(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Marsaglia's xorshift64, times a constant: not for secrets.
    pub(crate) fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    /// `None` when too many jobs wait already, or the job panicked.
    pub(crate) fn blocking(&self, job: Job) -> LocalFuture<'static, Option<()>> {
        self.blocking.run(job)
    }
}

#[cfg(test)]
impl WorkerEnv {
    pub(crate) fn for_tests() -> Self {
        Self::new(Clock::new(), 1, Blocking::start().unwrap())
    }
}

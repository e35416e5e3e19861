//! A backend that does as io_uring does, in memory and by a seed: operations and their buffers belong to a kernel until
//! it says that they are done, which it does late, in any order, in parts, or not for want of buffers. The same seed
//! and the same polls give the same run. For tests only.
//!
//! Something must play the kernel's part: [`Sim::drive`] as a task beside the others, or [`Sim::step`] by hand.

mod kernel;
mod stream;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::Poll;

use kernel::Kernel;
pub use stream::SimStream;

use crate::copy::Copying;
use crate::pool::Pool;
use crate::stream::{Capabilities, EventActions};

/// How the kernel behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimConfig {
    /// What all its choices come from.
    pub seed: u64,
    /// Bytes between the two ends of a connection, each way.
    pub wire_bytes: usize,
    /// Receives that are done before the stream asks for them, as with a multishot receive.
    pub ahead: usize,
    /// One receive in so many ends without a buffer though the pool has some; 0 for none.
    pub starve_one_in: usize,
}

impl SimConfig {
    pub fn new(seed: u64) -> Self {
        Self { seed, wire_bytes: 8 << 10, ahead: 2, starve_one_in: 8 }
    }
}

/// See the module's documentation. Cheap to clone. A test that fails while there is one prints its seed.
#[derive(Clone, Debug)]
pub struct Sim {
    kernel: Rc<RefCell<Kernel>>,
    pool: Pool,
    announce: Rc<Announce>,
}

/// One end of a connection that is not attached yet.
#[derive(Debug)]
pub struct SimSocket(stream::End);

/// Prints the seed of a run that failed.
#[derive(Debug)]
struct Announce(SimConfig);

// === impl Sim ===

impl Sim {
    pub fn new(config: SimConfig, pool: Pool) -> Self {
        let kernel = Rc::new(RefCell::new(Kernel::new(config)));
        Self { kernel, pool, announce: Rc::new(Announce(config)) }
    }

    /// Both ends of a connection.
    pub fn pair(&self) -> (SimSocket, SimSocket) {
        let (a, b) = self.kernel.borrow_mut().connect();
        let end = |id| SimSocket(stream::End::new(Rc::clone(&self.kernel), id));
        (end(a), end(b))
    }

    /// The same network seen by another program, which has a pool of its own.
    pub fn elsewhere(&self, pool: Pool) -> Self {
        Self { pool, ..self.clone() }
    }

    pub fn config(&self) -> SimConfig {
        self.announce.0
    }

    /// The kernel does one thing, if there is anything to do.
    pub fn step(&self) -> bool {
        let turn = self.kernel.borrow_mut().step();
        turn.map(kernel::Turn::finish).is_some()
    }

    /// The kernel does all there is to do.
    pub fn settle(&self) {
        while self.step() {}
    }

    /// Plays the kernel, one step a poll; never ends. A runtime in which nothing else can go on stands still, so that a
    /// paused clock shows a test that hangs.
    pub fn drive(&self) -> impl Future<Output = ()> + use<> {
        let sim = self.clone();
        poll_fn(move |cx| {
            if sim.step() {
                cx.waker().wake_by_ref();
            } else {
                sim.kernel.borrow_mut().driver = Some(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}

impl EventActions for Sim {
    type Socket = SimSocket;
    type Stream = SimStream;
    type Passage = Copying;

    fn capabilities(&self) -> Capabilities {
        Capabilities { kernel_relay: false, completions: true }
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn attach(&self, socket: SimSocket) -> io::Result<SimStream> {
        Ok(SimStream::new(socket.0, self.pool.seat()))
    }

    fn flush(&self) {
        self.step();
    }

    fn passage(&self) -> Copying {
        Copying::default()
    }
}

impl Drop for Announce {
    #[expect(clippy::print_stderr, reason = "whoever reads of a failed test needs the seed to see it again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulated backend: {:?}", self.0);
        }
    }
}

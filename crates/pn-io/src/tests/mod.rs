//! One suite over all backends (`suite.rs`, `relaying.rs`), what only the reactor promises (`reactor.rs`), and what
//! they share: backends under test, random choices, waiting.

mod party;
mod random;
mod reactor;
mod relaying;
mod suite;

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;

pub(crate) use random::Random;

use crate::pool::{Pool, PoolConfig, Size};
use crate::reactor::{Reactor, ReactorStream, Socket};
use crate::sim::{Sim, SimConfig, SimStream};
use crate::stream::{DataStream, EventActions};

/// Runs of one test over the simulation, each with a seed of its own.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 60 };
/// Runs over real sockets.
const ROUNDS: u64 = 3;

/// Few and small, so that bounds are met.
const TIGHT: PoolConfig =
    PoolConfig { small_bytes: 1 << 10, small_slabs: 64, large_bytes: 4 << 10, large_slabs: 6 };

/// Bounds that are not met.
fn roomy() -> PoolConfig {
    // An interpreter has no time to zero large slabs.
    if cfg!(miri) { PoolConfig { large_slabs: 64, ..TIGHT } } else { PoolConfig::default() }
}

/// A backend, and how it gets connections in a test. Peers are another program: they have a pool of their own, so that
/// ours may be exhausted without theirs.
trait Backend {
    type Events: EventActions;
    /// Bytes that do not fit into a connection, and are worth a pipe.
    const MUCH: usize = 700_000;
    fn start(&self, pool: Pool) -> Self::Events;
    /// Ours, and the peer's.
    fn pair(&self, events: &Self::Events) -> (Stream<Self>, Stream<Self>);
}

type Stream<B> = <<B as Backend>::Events as EventActions>::Stream;

struct Tcp;
struct Unix;
struct Simulated(SimConfig);

impl Backend for Tcp {
    type Events = Reactor;

    fn start(&self, pool: Pool) -> Reactor {
        Reactor::new(pool)
    }

    fn pair(&self, events: &Reactor) -> (ReactorStream, ReactorStream) {
        let (a, b) = tcp_pair();
        (events.attach(a).unwrap(), elsewhere(b))
    }
}

impl Backend for Unix {
    type Events = Reactor;

    fn start(&self, pool: Pool) -> Reactor {
        Reactor::new(pool)
    }

    fn pair(&self, events: &Reactor) -> (ReactorStream, ReactorStream) {
        let (a, b) = tokio::net::UnixStream::pair().unwrap();
        (events.attach(a.into()).unwrap(), elsewhere(b.into()))
    }
}

impl Backend for Simulated {
    type Events = Sim;
    const MUCH: usize = if cfg!(miri) { 3_000 } else { 60_000 };

    fn start(&self, pool: Pool) -> Sim {
        let sim = Sim::new(self.0, pool);
        tokio::task::spawn_local(sim.drive());
        sim
    }

    fn pair(&self, events: &Sim) -> (SimStream, SimStream) {
        let (a, b) = events.pair();
        let elsewhere = events.elsewhere(Pool::new(roomy()));
        (events.attach(a).unwrap(), elsewhere.attach(b).unwrap())
    }
}

fn elsewhere(socket: Socket) -> ReactorStream {
    Reactor::new(Pool::new(roomy())).attach(socket).unwrap()
}

fn tcp_pair() -> (Socket, Socket) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let [client, server] = [client, server].map(|stream| {
        stream.set_nonblocking(true).unwrap();
        Socket::try_from(stream).unwrap()
    });
    (client, server)
}

/// A test hangs when it is not over by then; on a paused clock, when nothing can go on.
async fn within_a_minute(test: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("it hangs");
}

fn on_sockets<B: Backend>(backend: B, test: impl AsyncFn(&B, Random)) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    for round in 1..=ROUNDS {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, within_a_minute(test(&backend, Random::new(round))));
    }
}

/// No socket, no real time: one seed is one run.
fn in_simulation(test: impl AsyncFn(&Simulated, Random)) {
    for seed in 1..=SEEDS {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let backend = Simulated(SimConfig::new(seed));
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, within_a_minute(test(&backend, Random::new(seed))));
    }
}

/// Each test on TCP, on unix sockets, and in simulation.
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        #[cfg(not(miri))]
        mod tcp {
            $(#[test] fn $test() { crate::tests::on_sockets(crate::tests::Tcp, super::$test); })*
        }
        #[cfg(not(miri))]
        mod unix {
            $(#[test] fn $test() { crate::tests::on_sockets(crate::tests::Unix, super::$test); })*
        }
        mod simulated {
            $(#[test] fn $test() { crate::tests::in_simulation(super::$test); })*
        }
    };
}
use on_every_backend;

/// Lets the others run until it is so.
async fn eventually(mut so: impl FnMut() -> bool) {
    for _ in 0..1_000_000 {
        if so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came to be");
}

fn in_use(pool: &Pool) -> usize {
    pool.in_use(Size::Large) + pool.in_use(Size::Small)
}

const FILLER: usize = 4_096;

/// Until the kernel takes no more: then one filler is left in the queue.
async fn fill_up(stream: &mut impl DataStream) {
    let filler = Bytes::from(vec![0; FILLER]);
    let mut stuck = 0;
    while stuck < 100 {
        tokio::task::yield_now().await;
        if stream.queued() == 0 {
            stream.queue_send(filler.clone().into()).unwrap();
            stuck = 0;
        }
        drop(stream.poll_flush(&mut Context::from_waker(Waker::noop())));
        stuck += 1;
    }
}

//! The third move: one atomic swap. The control plane alone holds the publisher; each worker holds a reader with a
//! handle of its own, so that requests share a graph without touching a counter that another core touches.
#![expect(
    clippy::disallowed_types,
    reason = "the list of wakers is locked when a worker starts and when a graph is published"
)]

use crate::graph::RouterGraph;
use crate::plane::Prepared;
use arc_swap::ArcSwap;
use atomic_waker::AtomicWaker;
use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// A graph that runs, with what the data plane prepared for it.
pub struct Generation {
    number: u64,
    graph: RouterGraph,
    prepared: Prepared,
}

impl Generation {
    /// 0 for the empty graph before the first; grows by one with each change.
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn graph(&self) -> &RouterGraph {
        &self.graph
    }

    /// What the data plane prepared, by its type.
    pub fn prepared<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.prepared.made.downcast_ref()
    }

    /// The same, shared: what a connection keeps when it lets the graph go.
    pub fn prepared_arc<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.prepared.made).downcast().ok()
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({})", self.number)
    }
}

/// The control plane's end. Not `Clone`: one writer.
#[derive(Debug)]
pub struct GraphPublisher {
    cell: Arc<Cell>,
}

/// Makes readers, one a worker.
#[derive(Debug, Clone)]
pub struct GraphSource {
    cell: Arc<Cell>,
}

struct Cell {
    current: ArcSwap<Generation>,
    wakers: Mutex<Vec<Arc<AtomicWaker>>>,
}

impl GraphPublisher {
    /// Both ends, with an empty graph.
    pub fn new() -> (Self, GraphSource) {
        let empty =
            Generation { number: 0, graph: RouterGraph::empty(), prepared: Prepared::new(Arc::new(())) };
        let cell = Arc::new(Cell { current: ArcSwap::from_pointee(empty), wakers: Mutex::default() });
        (Self { cell: Arc::clone(&cell) }, GraphSource { cell })
    }

    /// Swaps the graph in and wakes every worker. Returns the new generation's number.
    pub fn commit(&mut self, graph: RouterGraph, prepared: Prepared) -> u64 {
        let number = self.cell.current.load().number + 1;
        graph.adopt_state();
        self.cell.current.store(Arc::new(Generation { number, graph, prepared }));
        self.wake_workers();
        number
    }

    /// The generation that new requests meet.
    pub fn current(&self) -> Arc<Generation> {
        self.cell.current.load_full()
    }

    fn wake_workers(&self) {
        let mut wakers = self.cell.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // A waker that only this list holds belonged to a reader that is gone.
        wakers.retain(|waker| Arc::strong_count(waker) > 1);
        wakers.iter().for_each(|waker| waker.wake());
    }
}

impl GraphSource {
    pub fn reader(&self) -> GraphReader {
        let waker = Arc::new(AtomicWaker::new());
        self.cell.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&waker));
        let current = Current(Rc::new(self.cell.current.load_full()));
        GraphReader { cell: Arc::clone(&self.cell), waker, current }
    }

    /// The generation that new requests meet, for readers off the request path (metrics, the API).
    pub fn current(&self) -> Arc<Generation> {
        self.cell.current.load_full()
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("current", &self.current.load().number).finish_non_exhaustive()
    }
}

/// A worker's end.
#[derive(Debug)]
pub struct GraphReader {
    cell: Arc<Cell>,
    waker: Arc<AtomicWaker>,
    current: Current,
}

/// A worker's handle on a generation; cloned for each request without an atomic operation.
#[derive(Debug, Clone)]
#[expect(
    clippy::redundant_allocation,
    reason = "the Rc is the worker's own count, the Arc is the one it shares"
)]
pub struct Current(Rc<Arc<Generation>>);

impl GraphReader {
    /// The generation as of the last `poll_changed`: one worker moves all its new requests at once.
    pub fn current(&self) -> &Current {
        &self.current
    }

    /// Ready with the new generation once there is one; the old one is let go here. Called by one task a worker.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Current> {
        self.waker.register(cx.waker());
        let latest = self.cell.current.load();
        if latest.number == self.current.number() {
            return Poll::Pending;
        }
        self.current = Current(Rc::new(Arc::clone(&latest)));
        Poll::Ready(self.current.clone())
    }
}

impl Deref for Current {
    type Target = Generation;

    fn deref(&self) -> &Generation {
        &self.0
    }
}

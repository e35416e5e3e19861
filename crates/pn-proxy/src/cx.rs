//! What the parts of the data plane share: the context of a worker, and that of a connection. Both live on one
//! thread; nothing here is locked.

use crate::access_log;
use crate::exchange::Told;
use crate::metrics;
use crate::upstream::Upstreams;
use crate::worker::WorkerEnv;
use pn_core::Current;
use pn_core::context::Connection;
use pn_core::graph::ListenerNode;
use pn_model::ListenerName;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// One worker: a thread with its runtime, sockets, pools and metric shard.
pub(crate) struct WorkerCx {
    pub(crate) index: usize,
    current: RefCell<Current>,
    pub(crate) upstreams: Upstreams,
    pub(crate) meter: metrics::Shard,
    pub(crate) env: WorkerEnv,
    /// `None` when no access log is configured.
    pub(crate) access_log: Option<access_log::Sink>,
}

impl WorkerCx {
    pub(crate) fn new(
        index: usize,
        current: Current,
        meter: metrics::Shard,
        env: WorkerEnv,
        access_log: Option<access_log::Sink>,
    ) -> Self {
        Self {
            index,
            current: RefCell::new(current),
            upstreams: Upstreams::default(),
            meter,
            env,
            access_log,
        }
    }

    /// The generation that new requests meet. No atomic operation.
    pub(crate) fn current(&self) -> Current {
        self.current.borrow().clone()
    }

    pub(crate) fn set_current(&self, current: Current) {
        self.current.replace(current);
    }
}

/// One client connection, shared by its requests. Whoever serves the connection on (a tunnel) keeps it alive, and
/// with it its place in the listener's count.
pub(crate) struct ConnCx {
    pub(crate) worker: Rc<WorkerCx>,
    /// What contexts show of it.
    pub(crate) connection: Rc<Connection>,
    pub(crate) listener_name: ListenerName,
    close: Cell<bool>,
    requests: Cell<u32>,
    /// Where the listener stands in the generation of this number; no index when it is not in it.
    listener: Cell<(u64, usize)>,
    /// How upstreams are told of this connection.
    pub(crate) told: Told,
}

impl ConnCx {
    pub(crate) fn new(worker: Rc<WorkerCx>, connection: Rc<Connection>, listener_name: ListenerName) -> Self {
        Self {
            worker,
            connection,
            listener_name,
            close: Cell::new(false),
            requests: Cell::new(0),
            listener: Cell::new((0, usize::MAX)),
            told: Told::default(),
        }
    }

    /// The listener through which the connection came, as a graph has it. `None` once it was removed.
    pub(crate) fn listener<'g>(&self, current: &'g Current) -> Option<&'g ListenerNode> {
        let listeners = current.graph().listeners();
        let (generation, index) = self.listener.get();
        if generation == current.number() {
            return listeners.get(index).map(|node| &**node);
        }
        let found = listeners.iter().position(|node| *node.name() == self.listener_name);
        self.listener.set((current.number(), found.unwrap_or(usize::MAX)));
        found.and_then(|index| listeners.get(index)).map(|node| &**node)
    }

    /// The connection takes no further requests: `Connection: close`, or GOAWAY.
    pub(crate) fn close(&self) {
        self.close.set(true);
    }

    /// Whether the response being made is the connection's last, for the exchange to say so over HTTP/1.
    pub(crate) fn closes(&self) -> bool {
        self.close.get()
    }

    /// How many requests the connection has brought, the one at hand included.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.get()
    }
}

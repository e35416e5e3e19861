//! What the parts of the data plane share: the context of a worker, and that of a connection. Both live on one
//! thread; nothing here is locked.

use crate::access_log::Sink;
use crate::conn::{Pulse, Tie, Ties, ToldRefusals};
use crate::exchange::{Delivery, LastAuthority, Tally, Told};
use crate::metrics;
use crate::plane::PlaneState;
use crate::upstream::Upstreams;
use crate::worker::WorkerEnv;
use pn_core::context::Connection;
use pn_core::graph::ListenerNode;
use pn_core::{Current, RequestContext};
use pn_model::ListenerName;
use pn_model::listener::{ListenerLimits, ListenerTimeouts};
use pn_tls::CertificateStore;
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// One worker: a thread with its runtime, sockets, pools and metric shard.
pub(crate) struct WorkerCx {
    pub(crate) index: usize,
    current: RefCell<Current>,
    pub(crate) ties: Rc<Ties>,
    pub(crate) upstreams: Upstreams,
    pub(crate) meter: metrics::Shard,
    pub(crate) env: WorkerEnv,
    pub(crate) told_refusals: ToldRefusals,
    access_log: RefCell<Option<Arc<Sink>>>,
    pub(crate) contexts: Spare<RequestContext>,
    pub(crate) deliveries: Spare<Delivery>,
    /// Of requests without a body, which count nothing.
    pub(crate) no_tally: Rc<Tally>,
    pub(crate) certificates: Arc<CertificateStore>,
}

/// Memory of requests that are over, for those that come: what a request needs is laid out there and handed on by pointer.
pub(crate) struct Spare<T>(RefCell<Vec<Box<T>>>);

/// As many as are likely to be under way at once.
const SPARE_MAX: usize = 64;

impl<T> Spare<T> {
    pub(crate) fn take(&self) -> Option<Box<T>> {
        self.0.borrow_mut().pop()
    }

    pub(crate) fn fill(&self, value: T) -> Box<T> {
        match self.take() {
            Some(mut spare) => {
                *spare = value;
                spare
            }
            None => Box::new(value),
        }
    }

    pub(crate) fn give(&self, value: Box<T>) {
        let mut spare = self.0.borrow_mut();
        if spare.len() < SPARE_MAX {
            spare.push(value);
        }
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl WorkerCx {
    pub(crate) fn new(
        index: usize,
        current: Current,
        upstreams: Upstreams,
        meter: metrics::Shard,
        env: WorkerEnv,
        certificates: Arc<CertificateStore>,
    ) -> Self {
        Self {
            index,
            current: RefCell::new(current),
            ties: Rc::default(),
            upstreams,
            meter,
            env,
            told_refusals: ToldRefusals::default(),
            access_log: RefCell::new(None),
            contexts: Spare::default(),
            deliveries: Spare::default(),
            no_tally: Rc::default(),
            certificates,
        }
    }

    /// The generation that new requests meet. No atomic operation.
    pub(crate) fn current(&self) -> Current {
        self.current.borrow().clone()
    }

    /// A context for a head that is to be read.
    pub(crate) fn context(&self, connection: &Rc<Connection>) -> Box<RequestContext> {
        self.contexts.take().unwrap_or_else(|| Box::new(RequestContext::vacant(connection)))
    }

    /// `None` when no access log is configured. No atomic operation.
    pub(crate) fn access_log(&self) -> Ref<'_, Option<Arc<Sink>>> {
        self.access_log.borrow()
    }

    pub(crate) fn set_current(&self, current: Current) {
        if let Some(state) = current.prepared::<PlaneState>() {
            self.upstreams.reconcile(current.graph(), &state.upstream_tls);
            self.access_log.replace(state.access_log.as_ref().map(Arc::clone));
        }
        self.meter.reconcile(current.graph());
        self.current.replace(current);
    }
}

/// One client connection, shared by its requests. Whoever serves the connection on (a tunnel) keeps it alive, and
/// with it its place in the listener's count.
pub(crate) struct ConnCx {
    pub(crate) worker: Rc<WorkerCx>,
    /// What contexts show of it.
    pub(crate) connection: Rc<Connection>,
    /// As it was when the connection was opened.
    node: Arc<ListenerNode>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) tie: Rc<Tie>,
    requests: Cell<u32>,
    /// Where the listener stands in the generation of this number; no index when it is not in it.
    listener: Cell<(u64, usize)>,
    /// How upstreams are told of this connection.
    pub(crate) told: Told,
    pub(crate) authority: LastAuthority,
    /// The site's certificate was not there when the connection was opened, and until it is nothing is served.
    pub(crate) waits: bool,
}

/// For the exchange.
impl ConnCx {
    /// The generation that the connection's next request meets: the current one, or that which still had its listener.
    pub(crate) fn current(&self) -> Current {
        self.tie.last_generation().unwrap_or_else(|| self.worker.current())
    }

    /// The listener through which the connection came, as a graph has it. `None` once it was removed.
    pub(crate) fn listener<'g>(&self, current: &'g Current) -> Option<&'g ListenerNode> {
        let listeners = current.graph().listeners();
        let (generation, index) = self.listener.get();
        if generation == current.number() {
            return listeners.get(index).map(|node| &**node);
        }
        let found = listeners.iter().position(|node| *node.name() == *self.node.name());
        self.listener.set((current.number(), found.unwrap_or(usize::MAX)));
        found.and_then(|index| listeners.get(index)).map(|node| &**node)
    }

    /// The name of the listener.
    pub(crate) fn listener_name(&self) -> &ListenerName {
        self.node.name()
    }

    /// The connection takes no further requests. Its responses say `Connection: close`, or GOAWAY is sent; nothing
    /// else is to be done for it.
    pub(crate) fn close(&self) {
        self.tie.close();
    }

    /// Whether the connection takes no further requests.
    pub(crate) fn closes(&self) -> bool {
        self.tie.is_closing()
    }

    /// Ready once the connection must end, whatever it is doing: what a tunnel over it watches. Never over HTTP/2,
    /// where a tunnel ends with the connection that carries it.
    pub(crate) fn poll_cut(&self, waker: &Waker) -> Poll<()> {
        if self.pulse.times_heads() { self.tie.poll_cut(waker) } else { Poll::Pending }
    }
}

/// For the connection's own code.
impl ConnCx {
    pub(crate) fn new(
        worker: Rc<WorkerCx>,
        connection: Rc<Connection>,
        node: Arc<ListenerNode>,
        tie: Rc<Tie>,
        pulse: Arc<Pulse>,
        waits: bool,
    ) -> Self {
        Self {
            worker,
            connection,
            node,
            pulse,
            tie,
            requests: Cell::new(0),
            listener: Cell::new((0, usize::MAX)),
            told: Told::default(),
            authority: LastAuthority::default(),
            waits,
        }
    }

    /// As they were when the connection was opened.
    pub(crate) fn timeouts(&self) -> &ListenerTimeouts {
        &self.node.spec.timeouts
    }

    /// As they were when the connection was opened.
    pub(crate) fn limits(&self) -> &ListenerLimits {
        &self.node.spec.limits
    }

    pub(crate) fn request_began(&self) {
        self.pulse.request_began();
        self.tie.use_once();
        let count = self.requests.get().saturating_add(1);
        self.requests.set(count);
        let most = self.limits().requests_per_connection;
        if most != 0 && count >= most {
            self.close();
        }
    }

    pub(crate) fn request_ended(&self) {
        self.pulse.request_ended();
    }
}

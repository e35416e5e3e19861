//! The accept loop of one socket on one worker.

use super::gate::{Gate, Permit};
use crate::conn::{self, Accepted, Ends};
use crate::cx::WorkerCx;
use crate::plane::WorkerSocket;
use pn_core::Current;
use pn_core::graph::ListenerNode;
use pn_io::reactor::Socket;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;

/// Pause while the listener is full: the kernel's queue holds whoever comes.
const FULL_PAUSE: Duration = Duration::from_millis(10);
/// Pause when the process or the system is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// While a socket closes, its queue is looked at so often, so far apart: long enough for handshakes on their way.
const DRAIN_ROUNDS: usize = 5;
const DRAIN_PAUSE: Duration = Duration::from_millis(10);

/// What a worker knows of one listening socket. It stays while the address does, whatever else of the listener
/// changes.
pub(crate) struct Door {
    listener: RefCell<Arc<ListenerNode>>,
    gate: RefCell<Arc<Gate>>,
    stopping: Cell<bool>,
    /// The last generation that had the listener, for whoever still waits in the queue. `None`: the current one.
    last: RefCell<Option<Current>>,
    stop: Notify,
    closed: Cell<bool>,
    done: Notify,
}

impl Door {
    pub(crate) fn new(listener: Arc<ListenerNode>, gate: Arc<Gate>) -> Self {
        Self {
            listener: RefCell::new(listener),
            gate: RefCell::new(gate),
            stopping: Cell::new(false),
            last: RefCell::new(None),
            stop: Notify::new(),
            closed: Cell::new(false),
            done: Notify::new(),
        }
    }

    /// What new connections meet from now on.
    pub(crate) fn serve(&self, listener: Arc<ListenerNode>, gate: Arc<Gate>) {
        self.listener.replace(listener);
        self.gate.replace(gate);
    }

    /// Accept what waits already, then close. `last` is the generation that still had the address, when the current
    /// one has not.
    pub(crate) fn stop(&self, last: Option<&Current>) {
        self.stopping.set(true);
        self.last.replace(last.cloned());
        self.stop.notify_one();
    }

    /// Returns once the socket is closed.
    pub(crate) async fn closed(&self) {
        while !self.closed.get() {
            self.done.notified().await;
        }
    }

    fn enter(&self) -> Option<Permit> {
        let most = self.listener.borrow().spec.limits.connections;
        let gate = self.gate.borrow();
        if self.stopping.get() { Some(gate.force()) } else { gate.enter(most) }
    }
}

/// A listening socket in the worker's event loop.
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    fn new(socket: WorkerSocket) -> io::Result<Self> {
        if socket.unix {
            return UnixListener::from_std(socket.socket.into()).map(Self::Unix);
        }
        TcpListener::from_std(socket.socket.into()).map(Self::Tcp)
    }

    fn poll_accept(&self, cx: &mut Context<'_>, local: Option<SocketAddr>) -> Poll<io::Result<Arrival>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_accept(cx).map_ok(|(stream, peer)| {
                // Asked for only where clients may arrive at several addresses.
                let local = local.or_else(|| stream.local_addr().ok()).map(canonical);
                Arrival(Socket::Tcp(stream), Ends { peer: Some(canonical(peer)), local })
            }),
            Self::Unix(unix) => {
                unix.poll_accept(cx).map_ok(|(stream, _)| Arrival(Socket::Unix(stream), Ends::default()))
            }
        }
    }
}

/// Clients of IPv4 on a socket for both families are shown, matched and logged as such.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

struct Arrival(Socket, Ends);

/// Accepts until the door is told to stop, then what waits already, then closes.
pub(crate) async fn run(door: Rc<Door>, socket: WorkerSocket, worker: Rc<WorkerCx>) {
    let (local, alive, alone) = (socket.local, socket.alive(), !socket.shared);
    match Listening::new(socket) {
        Ok(listening) => {
            let queue = Queue { door: &door, listening, local, worker: &worker };
            while !door.stopping.get() {
                queue.next().await;
            }
            queue.drain(alone).await;
        }
        Err(error) => tracing::error!(%error, "a listening socket cannot be watched"),
    }
    drop(alive);
    door.closed.set(true);
    door.done.notify_waiters();
}

struct Queue<'a> {
    door: &'a Door,
    listening: Listening,
    local: Option<SocketAddr>,
    worker: &'a Rc<WorkerCx>,
}

impl Queue<'_> {
    /// Serves the next connection, or returns because the door is told to stop.
    async fn next(&self) {
        let arrived = tokio::select! {
            biased;
            () = self.door.stop.notified() => return,
            arrived = poll_fn(|cx| self.listening.poll_accept(cx, self.local)) => arrived,
        };
        match arrived {
            Ok(arrival) => {
                // One connection is in this worker's hands while the listener is full; the others wait in the kernel.
                let permit = self.permit().await;
                self.serve(arrival, permit);
            }
            Err(error) => self.refused(error).await,
        }
    }

    async fn permit(&self) -> Permit {
        loop {
            match self.door.enter() {
                Some(permit) => return permit,
                None => tokio::time::sleep(FULL_PAUSE).await,
            }
        }
    }

    fn serve(&self, Arrival(stream, ends): Arrival, permit: Permit) {
        let listener = Arc::clone(&self.door.listener.borrow());
        let name = listener.spec.name.clone();
        let open = self.worker.meter.connected(name.as_str());
        let tie = self.worker.ties.tie(name, permit, open);
        if self.door.stopping.get() {
            tie.leave(self.door.last.borrow().as_ref());
        }
        let accepted = Accepted { stream, ends, tie };
        tokio::task::spawn_local(conn::run(Rc::clone(self.worker), listener, accepted));
    }

    async fn refused(&self, error: io::Error) {
        if is_exhaustion(&error) {
            tracing::warn!(%error, "cannot accept: raise the limit of open files");
            return tokio::time::sleep(EXHAUSTED_PAUSE).await;
        }
        // The connection was gone before it was accepted (accept(2) passes on errors of the network).
        tracing::debug!(%error, "accept");
    }

    /// Nobody who was let into the queue is turned away: new handshakes are no longer answered, those under way are
    /// served, and only then the socket closes.
    async fn drain(&self, alone: bool) {
        let filtered = alone && self.stop_handshakes();
        let rounds = if filtered { DRAIN_ROUNDS } else { 1 };
        for _ in 0..rounds {
            // Also lets the event loop learn what has arrived.
            tokio::time::sleep(DRAIN_PAUSE).await;
            while let Some(arrived) = self.waiting().await {
                match arrived {
                    Ok(arrival) => self.serve(arrival, self.permit().await),
                    Err(error) => self.refused(error).await,
                }
            }
        }
    }

    /// What waits in the queue; `None` when nothing does.
    async fn waiting(&self) -> Option<io::Result<Arrival>> {
        poll_fn(|cx| match self.listening.poll_accept(cx, self.local) {
            Poll::Ready(arrived) => Poll::Ready(Some(arrived)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Lets new handshakes go unanswered while those under way are completed: clients try again, and either find
    /// whoever listens there next or learn that nobody does. Returns whether that was done.
    #[cfg(target_os = "linux")]
    fn stop_handshakes(&self) -> bool {
        // Classic BPF over the TCP header: load the flags, drop when SYN is set, else keep all of it.
        const LOAD_BYTE: u16 = 0x30;
        const JUMP_IF_SET: u16 = 0x45;
        const RETURN: u16 = 0x06;
        let filter = [
            socket2::SockFilter::new(LOAD_BYTE, 0, 0, 13),
            socket2::SockFilter::new(JUMP_IF_SET, 0, 1, 0x02),
            socket2::SockFilter::new(RETURN, 0, 0, 0),
            socket2::SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        match &self.listening {
            Listening::Tcp(tcp) => socket2::SockRef::from(tcp).attach_filter(&filter).is_ok(),
            Listening::Unix(_) => false,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn stop_handshakes(&self) -> bool {
        false
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

//! Connections: from an accepted socket to requests. PROXY header, TLS, which HTTP; then `serve`.

mod date;
mod detect;
mod h1;
mod h2;
mod interim;
mod proxy_header;
mod pulse;
mod refusal;
mod serve;
mod service;
mod socket;
mod stall;
mod tie;
mod tls;
mod watch;

pub(crate) use h1::{BodyFault, ClientBody as H1Body, Piece, Upgraded as H1Upgraded};
pub(crate) use h2::{ClientBody as H2Body, Upgraded as H2Upgraded};
pub(crate) use interim::Interim;
pub(crate) use proxy_header::Ends;
#[cfg(any(test, fuzzing))]
pub(crate) use proxy_header::law as proxy_header_law;
pub(crate) use pulse::Pulse;
pub(crate) use refusal::Told as ToldRefusals;
pub(crate) use socket::{Io, Socket};
pub(crate) use tie::{Tie, Ties};

use crate::cx::{ConnCx, WorkerCx};
use crate::plane::PlaneState;
use crate::wire;
use detect::{Spoken, detect};
use pn_core::context::Connection;
use pn_core::graph::ListenerNode;
use pn_core::tls::TlsInfo;
use pn_io::{EventActions, Over, reactor};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// How long a client may take to understand that it has to go. One that was refused may go on sending for so long:
/// closing while it sends would reset the connection, and with it the refusal (RFC 9112 section 9.6).
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// A connection fresh from the kernel.
pub(crate) struct Accepted {
    pub(crate) stream: reactor::Socket,
    pub(crate) ends: Ends,
    pub(crate) tie: Rc<Tie>,
}

/// HTTP over an open connection, to its end. In a box of its own, so that a connection holds the room of the part that it
/// is in and no other.
type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// Serves a connection to its end.
pub(crate) fn run(
    worker: Rc<WorkerCx>,
    listener: Arc<ListenerNode>,
    accepted: Accepted,
) -> impl Future<Output = ()> {
    let opening = Box::pin(open(Rc::clone(&worker), Arc::clone(&listener), accepted));
    async move {
        let probe = PanicProbe { worker: &worker, listener: listener.name().as_str() };
        match opening.await {
            Ok(Some(serving)) => serving.await,
            Ok(None) => {}
            Err(error) => tracing::debug!(listener = probe.listener, %error, "connection refused"),
        }
    }
}

/// `None` when the client went away, or was idle while the listener goes.
async fn open(
    worker: Rc<WorkerCx>,
    listener: Arc<ListenerNode>,
    accepted: Accepted,
) -> io::Result<Option<Serving>> {
    let Accepted { stream, mut ends, tie } = accepted;
    let spec = &listener.spec;
    let pulse = Arc::new(Pulse::new(worker.env.clock()));
    let mut socket = Socket::new(wire::reactor().attach(stream)?, Arc::clone(&pulse));
    let begun = Instant::now();
    if let Some(rules) = &spec.proxy_protocol {
        ends = within(spec.timeouts.handshake, proxy_header::read(&mut socket, ends, rules)).await?;
    }
    let opened = match spec.tls {
        false => Some((Io::Plain(socket), None, false)),
        true => {
            let shaken = shake(&worker, &listener, &tie, socket, ends, begun).await;
            if let Err(error) = &shaken {
                tell(&worker, spec.name.as_str(), error);
            }
            shaken?.map(|tls::Shaken { stream, info, waits }| {
                (Io::Tls(Box::new(Over::new(stream, &wire::pool()))), Some(info), waits)
            })
        }
    };
    let Some((mut io, tls, waits)) = opened else { return Ok(None) };
    let Some(spoken) = choose(&mut io, tls.as_ref(), &listener, &tie).await? else { return Ok(None) };
    let connection = Connection { listener: spec.name.shared(), peer: ends.peer, local: ends.local, tls };
    let conn = Rc::new(ConnCx::new(worker, Rc::new(connection), Arc::clone(&listener), tie, pulse, waits));
    Ok(Some(match spoken {
        Spoken::H1 => Box::pin(serve::h1(io, conn)),
        Spoken::H2 => Box::pin(h2::run(io, conn)),
    }))
}

/// The TLS handshake. Its time ends `handshake` after the connection began; what passes until a certificate is obtained
/// is not the client's.
async fn shake(
    worker: &WorkerCx,
    listener: &ListenerNode,
    tie: &Tie,
    socket: Socket,
    ends: Ends,
    mut begun: Instant,
) -> io::Result<Option<tls::Shaken>> {
    let (name, limit) = (listener.spec.name.as_str(), listener.spec.timeouts.handshake);
    let current = tie.last_generation().unwrap_or_else(|| worker.current());
    let state = current.prepared_arc::<PlaneState>().ok_or(io::ErrorKind::NotConnected)?;
    drop(current);
    let mut greeted = within(left(limit, begun), tls::greet(socket, name, ends, &state.tls)).await?;
    if greeted.is_unheld() {
        let waits = Instant::now();
        Box::pin(greeted.obtain(name, ends, &state.tls)).await;
        begun += waits.elapsed();
    }
    within(left(limit, begun), greeted.finish()).await
}

/// Zero means no limit, so of one that is used up a moment remains.
fn left(limit: Duration, begun: Instant) -> Duration {
    if limit.is_zero() { limit } else { limit.saturating_sub(begun.elapsed()).max(Duration::from_millis(1)) }
}

/// Counts a TLS handshake that failed; the first of each reason in a minute is told of.
fn tell(worker: &WorkerCx, entrypoint: &str, error: &io::Error) {
    let reason = refusal::reason(error);
    worker.meter.handshake_failed(entrypoint, reason);
    if worker.told_refusals.is_due(reason, worker.env.now()) {
        let reason = reason.as_str();
        tracing::info!(listener = entrypoint, reason, %error, "TLS handshakes fail (told once a minute)");
    }
}

/// Which HTTP is spoken: by ALPN over TLS; on plain listeners by what is allowed, and else by the first bytes.
async fn choose(
    io: &mut Io,
    tls: Option<&TlsInfo>,
    listener: &ListenerNode,
    tie: &Tie,
) -> io::Result<Option<Spoken>> {
    let protocols = listener.spec.protocols;
    match io {
        Io::Tls(stream) => Ok(match stream.get_ref().get_ref().1.alpn_protocol() {
            Some(b"h2") if protocols.h2 => Some(Spoken::H2),
            // A client that names no protocol speaks HTTP/1.1 where it is spoken at all.
            _ if protocols.h1 => Some(Spoken::H1),
            None if protocols.h2 => Some(Spoken::H2),
            _ => None,
        }),
        Io::Plain(_) if tls.is_some() => Ok(None),
        Io::Plain(_) if !protocols.h2 => Ok(Some(Spoken::H1)),
        Io::Plain(_) if !protocols.h1 => Ok(Some(Spoken::H2)),
        Io::Plain(socket) => {
            let first = within(listener.spec.timeouts.keepalive_idle, detect(socket));
            until_closing(tie, first).await.unwrap_or(Ok(None))
        }
    }
}

/// Zero switches the timeout off.
async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    if limit.is_zero() {
        return work.await;
    }
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// `None` when the connection is told to close before the work is done.
async fn until_closing<T>(tie: &Tie, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => tie.poll_closing(cx.waker()).map(|()| None),
    })
    .await
}

/// The runtime catches the panic of a task; this tells of it. The worker goes on with its other connections.
struct PanicProbe<'a> {
    worker: &'a WorkerCx,
    listener: &'a str,
}

impl Drop for PanicProbe<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.worker.meter.panicked(self.listener);
            tracing::error!(listener = self.listener, "a connection was lost to a panic: this is a bug");
        }
    }
}

//! HTTP over an open connection: our own for HTTP/1.1, hyper's settings for HTTP/2, and how connections end.
//!
//! The bounds on HTTP/2 floods other than those set below are the h2 crate's own: continuations by the size of a head,
//! empty frames by a budget, and one answer owed at a time to SETTINGS and PING, with nothing read until the client has
//! taken it.

use super::LINGER;
use super::h1::{Outcome, Talk};
use super::pulse::Overdue;
use super::service::answer;
use super::socket::Io;
use super::stall::StreamExec;
use super::watch::{self, Ended};
use crate::cx::ConnCx;
use crate::exchange::Inbound;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pn_model::limits;
use pn_model::listener::ListenerLimits;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An HTTP/2 client that answers no ping for so long is gone, though its network never said so.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

pub(crate) async fn h1(io: Io, conn: Rc<ConnCx>) {
    conn.pulse.begin_http(true);
    let talk = Talk::new(io, &conn);
    let (wire, closing) = (talk.wire(), talk.closing());
    let ended = {
        let mut talk = pin!(talk.run());
        watch::run(talk.as_mut(), |_| closing.set(true), &conn.tie, &conn.pulse, conn.timeouts).await
    };
    tracing::debug!(?ended, "connection ended");
    let farewell = match ended {
        Ended::Http(Outcome::Parting) => Some(&[][..]),
        Ended::Http(Outcome::Over) => conn.closes().then_some(&[][..]),
        Ended::Overdue(Overdue::Head) if wire.borrow().awaits_head() => Some(REQUEST_TIMEOUT),
        Ended::Overdue(_) | Ended::Cut => None,
    };
    // Nothing is left of a connection that became a tunnel.
    let io = wire.borrow_mut().part();
    if let (Some(farewell), Some(io)) = (farewell, io) {
        Box::pin(part(io, farewell, conn)).await;
    }
}

pub(crate) async fn h2(io: Io, conn: Rc<ConnCx>) {
    conn.pulse.begin_http(false);
    let own = Rc::clone(&conn);
    let service = service_fn(move |request: http::Request<_>| answer(&own, request.map(Inbound::Hyper)));
    let executor = StreamExec(Rc::clone(&conn));
    let mut http = pin!(h2_builder(executor, &conn.limits).serve_connection(TokioIo::new(io), service));
    let close = |http: Pin<&mut _>| http2::Connection::graceful_shutdown(http);
    let mut ended = watch::run(http.as_mut(), close, &conn.tie, &conn.pulse, conn.timeouts).await;
    if matches!(ended, Ended::Overdue(Overdue::Request)) && !conn.closes() {
        // GOAWAY first, so that a request which is under way already is not lost unnoticed.
        conn.close();
        ended = watch::run(http.as_mut(), close, &conn.tie, &conn.pulse, conn.timeouts).await;
    }
    tracing::debug!(?ended, "connection ended");
}

fn h2_builder(executor: StreamExec, limits: &ListenerLimits) -> http2::Builder<StreamExec> {
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(limits.header_bytes)
        .initial_stream_window_size(limits::H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW)
        .max_send_buf_size(limits::H2_SEND_BUFFER)
        .max_pending_accept_reset_streams(limits::H2_PENDING_RESETS)
        .max_local_error_reset_streams(limits::H2_LOCAL_RESETS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .enable_connect_protocol();
    builder
}

/// Says what is left to say, then reads on without a use for it, until the client has seen the end or the time is up.
/// Below TLS: what comes is not worth decrypting.
async fn part(mut io: Io, farewell: &[u8], conn: Rc<ConnCx>) {
    let last = async {
        io.write_all(farewell).await?;
        io.shutdown().await?;
        if conn.pulse.at_eof() || conn.tie.is_cut() {
            return Ok(());
        }
        let mut socket = match io {
            Io::Plain(socket) => socket,
            Io::Tls(tls) => tls.into_inner().0,
        };
        socket.shutdown().await?;
        let mut sink = [0; 4096];
        while socket.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever goes wrong now, the connection is over.
    tokio::time::timeout(LINGER, last).await.map_or(Ok(()), |parted| parted).unwrap_or_default();
}

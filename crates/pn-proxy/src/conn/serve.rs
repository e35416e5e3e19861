//! HTTP/1.1 over an open connection, and how such connections end.

use super::LINGER;
use super::h1::{Outcome, Talk};
use super::pulse::Overdue;
use super::socket::Io;
use super::watch::{self, Ended};
use crate::cx::ConnCx;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

pub(crate) fn h1(io: Io, conn: Rc<ConnCx>) -> impl Future<Output = ()> {
    conn.pulse.begin_http(true);
    let talk = Talk::new(io, &conn);
    run(talk, conn)
}

async fn run(talk: Rc<Talk>, conn: Rc<ConnCx>) {
    let ended = {
        let mut running = pin!(Rc::clone(&talk).run());
        watch::run(running.as_mut(), |_| talk.close(), &conn.tie, &conn.pulse, conn.timeouts()).await
    };
    tracing::debug!(?ended, "connection ended");
    let farewell = match ended {
        Ended::Http(Outcome::Parting) => Some(&[][..]),
        Ended::Http(Outcome::Over) => conn.closes().then_some(&[][..]),
        Ended::Overdue(Overdue::Head) if talk.awaits_head() => Some(REQUEST_TIMEOUT),
        Ended::Overdue(_) | Ended::Cut => None,
    };
    // Nothing is left of a connection that became a tunnel.
    let io = talk.part();
    if let (Some(farewell), Some(io)) = (farewell, io) {
        Box::pin(part(io, farewell, conn)).await;
    }
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
            Io::Tls(tls) => tls.into_inner().into_inner().0,
        };
        socket.shutdown().await?;
        let mut sink = [0; 4096];
        while socket.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever goes wrong now, the connection is over.
    tokio::time::timeout(LINGER, last).await.map_or(Ok(()), |parted| parted).unwrap_or_default();
}

//! Tunnels: after a change of protocol (WebSocket and others) bytes go both ways, unread. A tunnel lets its graph go
//! and keeps only its connection.

use super::finish::Finish;
use crate::conn::{H1Upgraded, H2Upgraded, Io};
use crate::cx::ConnCx;
use crate::upstream::UpstreamTunnel;
use crate::wire;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{StatusCode, Version};
use pn_core::context::FieldList;
use pn_io::reactor::ReactorStream;
use pn_io::{Chunk, DataStream, EventActions, Over, Relayed, copy};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use tokio::sync::oneshot;

/// Both ends of a tunnel, before the client has been told.
pub(crate) struct Tunnel {
    pub(crate) client: ClientEnd,
    pub(crate) upstream: UpstreamTunnel,
}

/// The client's end, once its connection lets go of it.
pub(crate) enum ClientEnd {
    H1(oneshot::Receiver<H1Upgraded>),
    H2(oneshot::Receiver<H2Upgraded>),
}

enum Client {
    H1(Io),
    H2(Box<Over<H2Upgraded>>),
}

wire::either_data_stream!(Client { H1, H2 });

impl ClientEnd {
    /// The connection, and what has been read of the new protocol.
    async fn wait(self) -> Option<(Client, Chunk)> {
        match self {
            Self::H1(upgrade) => {
                let H1Upgraded { io, read } = upgrade.await.ok()?;
                Some((Client::H1(io), read))
            }
            Self::H2(upgrade) => {
                let stream = Over::new(upgrade.await.ok()?, &wire::pool());
                Some((Client::H2(Box::new(stream)), Chunk::default()))
            }
        }
    }
}

impl Client {
    fn plain(&mut self) -> Option<&mut ReactorStream> {
        match self {
            Self::H1(Io::Plain(socket)) => Some(socket.stream()),
            Self::H1(Io::Tls(_)) | Self::H2(_) => None,
        }
    }
}

impl Tunnel {
    /// Joins the ends once the client's connection has let go of its own. The exchange ends with the tunnel: well, with
    /// what went through, when both sides have closed it.
    pub(crate) fn open(self, conn: Rc<ConnCx>, mut finish: Finish) {
        tokio::task::spawn_local(async move {
            let Some((client, read)) = self.client.wait().await else { return };
            tokio::select! {
                joined = join(client, read, self.upstream) => match joined {
                    Ok((received, sent)) => finish.tunnelled(received, sent),
                    Err(error) => {
                        tracing::debug!(listener = %conn.listener_name(), %error, "a tunnel broke");
                    }
                },
                () = poll_fn(|cx| conn.poll_cut(cx.waker())) => {}
            }
        });
    }
}

/// Everything from each side to the other, what has been read already first. Returns the bytes that the client has sent
/// and those that it was sent.
async fn join(mut client: Client, read: Chunk, mut upstream: UpstreamTunnel) -> io::Result<(u64, u64)> {
    let (received, sent) = (read.len() as u64, upstream.read.len() as u64);
    // Empty queues take any length.
    drop(upstream.ends.queue_send(read));
    drop(client.queue_send(std::mem::take(&mut upstream.read)));
    let moved = Relayed::default();
    match (client.plain(), upstream.ends.plain()) {
        (Some(client), Some(upstream)) => wire::reactor().relay(client, upstream, &moved).await?,
        _ => copy::relay(&mut client, &mut upstream.ends, &moved).await?,
    }
    Ok((received + moved.forth.get(), sent + moved.back.get()))
}

/// What tells the client that the protocol changes: 101 in HTTP/1.1, 200 to an extended CONNECT (RFC 8441).
pub(crate) fn accept(version: Version, protocol: &HeaderValue, headers: &mut FieldList) -> StatusCode {
    if version == Version::HTTP_2 {
        return StatusCode::OK;
    }
    headers.insert(&CONNECTION, &HeaderValue::from_static("upgrade"));
    headers.insert(&UPGRADE, protocol);
    StatusCode::SWITCHING_PROTOCOLS
}

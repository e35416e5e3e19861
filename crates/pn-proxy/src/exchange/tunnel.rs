//! Tunnels: after a change of protocol (WebSocket and others) bytes go both ways, unread. A tunnel lets its graph go
//! and keeps only its connection.

use super::finish::Finish;
use crate::conn::{H1Upgraded, H2Upgraded};
use crate::cx::ConnCx;
use crate::upstream::UpstreamTunnel;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{StatusCode, Version};
use std::future::poll_fn;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::sync::oneshot;

/// One direction's buffer. Messages are small; bulk over WebSocket still moves 16 KiB a call.
const BUFFER: usize = 16 << 10;

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

impl ClientEnd {
    async fn wait(self) -> Option<Box<dyn Duplex>> {
        match self {
            Self::H1(upgrade) => Some(Box::new(upgrade.await.ok()?)),
            Self::H2(upgrade) => Some(Box::new(upgrade.await.ok()?)),
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Tunnel {
    /// Joins the ends once the client's connection has let go of its own. The exchange ends with the tunnel: well, with what went
    /// through, when both sides have closed it.
    pub(crate) fn open(self, conn: Rc<ConnCx>, mut finish: Finish) {
        tokio::task::spawn_local(async move {
            let Some(mut client) = self.client.wait().await else { return };
            let mut upstream = self.upstream;
            let copied = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER);
            tokio::select! {
                copied = copied => match copied {
                    Ok((received, sent)) => finish.tunnelled(received, sent),
                    Err(error) => {
                        tracing::debug!(listener = %conn.listener_name, %error, "a tunnel broke");
                    }
                },
                () = poll_fn(|cx| conn.poll_cut(cx.waker())) => {}
            }
        });
    }
}

/// What tells the client that the protocol changes: 101 in HTTP/1.1, 200 to an extended CONNECT (RFC 8441).
pub(crate) fn accept(version: Version, protocol: &HeaderValue, headers: &mut HeaderMap) -> StatusCode {
    if version == Version::HTTP_2 {
        return StatusCode::OK;
    }
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol.clone());
    StatusCode::SWITCHING_PROTOCOLS
}

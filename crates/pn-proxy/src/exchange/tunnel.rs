//! Tunnels: after a change of protocol (WebSocket and others) bytes go both ways, unread. A tunnel lets its graph go
//! and keeps only its connection.

use super::finish::Finish;
use crate::cx::ConnCx;
use crate::upstream::UpstreamTunnel;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::rc::Rc;
use tokio::io::copy_bidirectional_with_sizes;

/// One direction's buffer. Messages are small; bulk over WebSocket still moves 16 KiB a call.
const BUFFER: usize = 16 << 10;

/// Both ends of a tunnel, before the client has been told.
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) upstream: UpstreamTunnel,
}

impl Tunnel {
    /// Joins the ends once hyper has let go of the client's. The exchange ends with the tunnel: well, with what went
    /// through, when both sides have closed it.
    pub(crate) fn open(self, conn: Rc<ConnCx>, mut finish: Finish) {
        tokio::task::spawn_local(async move {
            let Ok(client) = self.client.await else { return };
            let (mut client, mut upstream) = (TokioIo::new(client), self.upstream);
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

//! stub
use crate::exchange::RequestBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, response};
use pn_core::{graph::*, *};
use std::{net::*, pin::Pin, sync::Arc, task::*};
#[derive(Default)]
pub(crate) struct Upstreams {}
pub(crate) struct Guard;
impl Drop for Guard {
    fn drop(&mut self) {}
}
pub(crate) struct Outgoing {
    pub(crate) idempotent: bool,
    pub(crate) method: Method,
    pub(crate) target: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) host: HeaderValue,
    pub(crate) body: RequestBody,
    pub(crate) client_ip: IpAddr,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) upgrade: Option<HeaderValue>,
    pub(crate) trailers: bool,
}
pub(crate) struct Answer {
    pub(crate) head: response::Parts,
    pub(crate) body: UpstreamBody,
    pub(crate) upgrade: Option<hyper::upgrade::OnUpgrade>,
    pub(crate) server: Arc<str>,
    pub(crate) retries: u32,
    pub(crate) set_cookie: Option<HeaderValue>,
    pub(crate) guard: Guard,
}
pub(crate) struct UpstreamBody;
impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = ProxyError;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, ProxyError>>> {
        Poll::Ready(None)
    }
}
impl Upstreams {
    pub(crate) async fn send(
        &self,
        _s: &ServersNode,
        _l: &Arc<str>,
        _o: Outgoing,
        _e: &crate::worker::WorkerEnv,
    ) -> Result<Answer, ProxyError> {
        Err(ProxyError::new(ErrorKind::NoServer))
    }
    pub(crate) fn choose_split<'a>(
        &self,
        s: &SplitNode,
        _c: impl Iterator<Item = &'a HeaderValue>,
    ) -> (ServiceId, Option<HeaderValue>) {
        (s.targets[0].service, None)
    }
}

//! What a worker offers the middlewares of one exchange: time, timers, blocking work, and the services of the graph
//! that the exchange runs under.

use super::request_body::RequestBody;
use super::response_body::ResponseSource;
use super::service::{self, Delivery};
use crate::cx::WorkerCx;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Version};
use pn_core::context::{Connection, RequestHead, Scheme};
use pn_core::middleware::Call;
use pn_core::{Current, Env, ErrorKind, LocalFuture, ProxyError, Reply, RequestContext};
use pn_model::ServiceName;
use pn_model::limits::SYNTHETIC_BODY_BYTES;
use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// Cheap to make: counters that no other thread touches.
#[derive(Clone)]
pub(crate) struct ExchangeEnv {
    pub(crate) worker: Rc<WorkerCx>,
    pub(crate) current: Current,
    pub(crate) connection: Rc<Connection>,
    pub(crate) client_ip: IpAddr,
    /// The moment at which the exchange began.
    pub(crate) began: u64,
    /// It has not waited for anything yet, so that the clock need not be read: that costs more than most middlewares.
    pub(crate) at_once: Cell<bool>,
}

impl ExchangeEnv {
    /// The exchange waits, or has waited: the clock is read again from now on.
    pub(crate) fn wait(&self) {
        self.at_once.set(false);
    }
}

impl Env for ExchangeEnv {
    fn now(&self) -> u64 {
        if self.at_once.get() { self.began } else { self.worker.env.now() }
    }

    fn wall_clock(&self) -> Duration {
        self.worker.env.wall_clock()
    }

    fn random(&self) -> u64 {
        self.worker.env.random()
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        self.worker.env.sleep(duration)
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> LocalFuture<'static, Option<()>> {
        self.worker.env.blocking(job)
    }

    fn call(&self, service: &ServiceName, call: Call) -> LocalFuture<'static, Result<Reply, ProxyError>> {
        let (env, id) = (self.clone(), self.current.graph().service_id(service));
        Box::pin(async move {
            let id = id.ok_or_else(|| ProxyError::new(ErrorKind::Unconfigured))?;
            let host = HeaderValue::from_str(&call.host);
            let host = host.map_err(|cause| ProxyError::new(ErrorKind::Internal).caused_by(cause))?;
            let body = RequestBody::from_memory(call.body.clone());
            let mut cx = env.context(call);
            let served = service::ask(&env, id, &mut cx, &mut Delivery::new(host, body)).await?;
            if let Some(kind) = served.error {
                return Err(ProxyError::new(kind));
            }
            let body = collect(served.source).await?;
            Ok(Reply { status: served.status, headers: served.headers.to_map(), body, close: false })
        })
    }
}

impl ExchangeEnv {
    fn context(&self, call: Call) -> RequestContext {
        let (path, query) = match call.path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (&*call.path_and_query, None),
        };
        let head = RequestHead {
            method: call.method,
            host: call.host.as_str().into(),
            port: None,
            path: path.into(),
            query,
            version: Version::HTTP_11,
            headers: call.headers.into(),
        };
        let scheme = if self.connection.tls.is_some() { Scheme::Https } else { Scheme::Http };
        RequestContext::new(head, Rc::clone(&self.connection), self.client_ip, scheme)
    }
}

/// A whole body in memory, within the bound.
async fn collect(mut source: ResponseSource) -> Result<Bytes, ProxyError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| source.poll(cx)).await {
        let Ok(piece) = frame?.into_data() else { continue };
        if whole.len() + piece.len() > SYNTHETIC_BODY_BYTES {
            return Err(ProxyError::new(ErrorKind::ResponseMalformed).caused_by("an answer that is too long"));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

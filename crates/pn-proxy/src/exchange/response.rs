//! From what is answered to the response as connections send it: a change of protocol, the end of the connection, and what is
//! counted when all is over.

use super::finish::Finish;
use super::outward::Filters;
use super::request_body::Tally;
use super::response_body::{ResponseBody, ResponseSource};
use super::service::Served;
use super::tunnel::{self, Tunnel};
use super::{Change, websocket};
use crate::cx::ConnCx;
use crate::metrics::Protocol;
use http::header::HeaderValue;
use http::{StatusCode, Version};
use pn_core::context::{FieldList, Known};
use pn_core::{ErrorKind, ProxyError, RequestContext};
use std::rc::Rc;

/// What a client is answered.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: FieldList,
    pub(crate) body: ResponseBody,
}

/// What every end of an exchange needs.
pub(crate) struct Finishing<'a> {
    pub(crate) conn: &'a Rc<ConnCx>,
    pub(crate) began: u64,
    pub(crate) tally: &'a Rc<Tally>,
    pub(crate) version: Version,
}

impl Finishing<'_> {
    /// A request that got no further than the door.
    pub(crate) fn refuse(&self, error: &ProxyError) -> Response {
        let served = Served { error: Some(error.kind), ..error.to_reply().into() };
        let finish = self.finish(None, &served, Protocol::Http);
        self.build(served.status, served.headers, served.source, Vec::new(), served.close, finish)
    }

    /// The response, and with it the end of the exchange.
    pub(crate) fn respond(
        &self,
        cx: Box<RequestContext>,
        mut served: Served,
        filters: Filters,
        change: Change,
    ) -> Response {
        let close = served.close || self.conn.closes() || self.tally.failed.get().is_some();
        let upstream = served.upgrade.take();
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(upstream)) = (served.status, upstream) {
            return match change {
                Some((client, protocol)) => {
                    self.switch(cx, served, Tunnel { client, upstream: *upstream }, &protocol)
                }
                None => self.refuse(&ProxyError::new(ErrorKind::UpgradeFailed)),
            };
        }
        let protocol = protocol_of(&served.headers);
        let mut finish = self.finish(Some(cx), &served, protocol);
        finish.answered = served.answered;
        self.build(served.status, served.headers, served.source, filters, close, finish)
    }

    /// The protocol changes: the exchange lasts as long as the tunnel.
    fn switch(
        &self,
        cx: Box<RequestContext>,
        mut served: Served,
        tunnel: Tunnel,
        protocol: &HeaderValue,
    ) -> Response {
        let status = tunnel::accept(self.version, protocol, &mut served.headers);
        websocket::forget_key(self.version, &mut served.headers);
        let mut finish = self.finish(Some(cx), &served, Protocol::Websocket);
        finish.answered = served.answered;
        tunnel.open(Rc::clone(self.conn), finish);
        Response { status, headers: served.headers, body: ResponseBody::silent() }
    }

    fn finish(&self, cx: Option<Box<RequestContext>>, served: &Served, protocol: Protocol) -> Finish {
        Finish {
            conn: Rc::clone(self.conn),
            cx,
            began: self.began,
            status: served.status,
            protocol,
            tally: Rc::clone(self.tally),
            answered: None,
            error: served.error,
            sent: 0,
            done: false,
        }
    }

    fn build(
        &self,
        status: StatusCode,
        headers: FieldList,
        source: ResponseSource,
        filters: Filters,
        close: bool,
        finish: Finish,
    ) -> Response {
        if close && self.concerns_connection(finish.error) {
            // HTTP/1.1 says so itself, as it finds its connection closing.
            self.conn.close();
        }
        Response { status, headers, body: ResponseBody::new(source, filters, finish) }
    }

    /// Whether what made an exchange fail is more than its own affair. A body that breaks off leaves a connection of
    /// HTTP/1.1 out of step; of HTTP/2 it costs its stream alone, for others share the connection.
    fn concerns_connection(&self, error: Option<ErrorKind>) -> bool {
        let own = || self.tally.failed.get().or(error).is_some_and(|kind| kind != ErrorKind::Misdirected);
        self.version < Version::HTTP_2 || !own()
    }
}

fn protocol_of(headers: &FieldList) -> Protocol {
    match headers.known(Known::ContentType) {
        Some(kind) if kind.starts_with(b"text/event-stream") => Protocol::Sse,
        _ => Protocol::Http,
    }
}

//! The end of an exchange: counted, logged, and everything that it held let go. Happens once, whichever way it ends,
//! also when the client goes away in the middle.

use super::request_body::Tally;
use super::service::Answered;
use crate::access_log::Entry;
use crate::cx::ConnCx;
use crate::metrics::{Finished, Protocol};
use http::StatusCode;
use pn_core::{ErrorKind, RequestContext};
use std::rc::Rc;
use std::time::Duration;

/// What is known of an exchange once its response head is made.
pub(crate) struct Finish {
    pub(crate) conn: Rc<ConnCx>,
    /// Holds what middlewares left in its extensions. `None` for a request that was refused at the door.
    pub(crate) cx: Option<Box<RequestContext>>,
    pub(crate) began: u64,
    pub(crate) status: StatusCode,
    pub(crate) protocol: Protocol,
    pub(crate) tally: Rc<Tally>,
    /// The server that answered, and the place it holds there.
    pub(crate) answered: Option<Answered>,
    pub(crate) error: Option<ErrorKind>,
    pub(crate) sent: u64,
    pub(crate) done: bool,
}

impl Finish {
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// Ends the exchange of a tunnel that both sides have closed.
    pub(crate) fn tunnelled(&mut self, received: u64, sent: u64) {
        self.tally.received.set(self.tally.received.get() + received);
        self.sent(sent);
        self.complete(None);
    }

    /// Ends the exchange. Only the first call counts.
    pub(crate) fn complete(&mut self, error: Option<ErrorKind>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.error = self.error.or(error);
        let duration = self.conn.worker.env.now().saturating_sub(self.began);
        self.count(duration);
        self.log(Duration::from_nanos(duration));
        self.answered = None;
        if let Some(mut cx) = self.cx.take() {
            // What middlewares left there is let go now.
            cx.clear();
            self.conn.worker.contexts.give(cx);
        }
    }

    fn count(&self, duration: u64) {
        let fallback = http::Method::GET;
        let cx = self.cx.as_deref();
        let meter = &self.conn.worker.meter;
        if let (Some(service), Some(answered)) = (cx.and_then(RequestContext::service), &self.answered)
            && answered.retries > 0
        {
            meter.retried(service, answered.retries);
        }
        meter.finished(&Finished {
            entrypoint: self.conn.listener_name().as_str(),
            service: cx.and_then(RequestContext::service),
            route: cx.and_then(RequestContext::route),
            method: cx.map_or(&fallback, RequestContext::method),
            status: self.status,
            protocol: self.protocol,
            tls: self.conn.connection.tls.as_ref(),
            duration,
            received: self.tally.received.get(),
            sent: self.sent,
        });
    }

    fn log(&self, duration: Duration) {
        let sink = self.conn.worker.access_log();
        let Some(sink) = sink.as_ref() else { return };
        if !sink.wants(self.status.as_u16(), duration) {
            return;
        }
        sink.write(&Entry {
            connection: &self.conn.connection,
            request: self.cx.as_deref(),
            status: self.status.as_u16(),
            duration,
            received: self.tally.received.get(),
            sent: self.sent,
            server: self.answered.as_ref().map(|answered| &*answered.server),
            retries: self.answered.as_ref().map_or(0, |answered| answered.retries),
            error: self.error.map(ErrorKind::token),
            wall_clock: self.conn.worker.env.wall_clock(),
        });
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.complete(Some(ErrorKind::RequestAborted));
    }
}

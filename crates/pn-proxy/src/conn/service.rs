//! Between connections and the exchange: sees a request begin, and the last piece of its response go.

use super::Socket;
use crate::cx::ConnCx;
use crate::exchange::{self, Inbound, Line, ResponseBody};
use crate::wire::{Passing, Stopped};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pn_core::ProxyError;
use pn_core::context::FieldList;
use pn_http1::Target;
use pn_io::Chunk;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What goes to the client.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: FieldList,
    pub(crate) body: Tracked,
}

impl Reply {
    fn new(response: exchange::Response, serving: Serving) -> Self {
        let exchange::Response { status, headers, body } = response;
        Self { status, headers, body: Tracked { body, _serving: serving } }
    }
}

/// Answers one request of an HTTP/2 connection.
pub(crate) fn answer(
    conn: &Rc<ConnCx>,
    request: http::Request<Inbound>,
) -> impl Future<Output = Reply> + use<> {
    let serving = Serving::new(conn);
    let (parts, body) = request.into_parts();
    let mut cx = conn.worker.context(&conn.connection);
    let head = cx.head_mut();
    head.headers.append_map(&parts.headers);
    (head.method, head.version) = (parts.method, parts.version);
    let protocol = parts.extensions.get::<h2::ext::Protocol>().map(h2::ext::Protocol::as_str);
    let begun = exchange::begin(exchange::Request { cx, body }, &Line::Uri(&parts.uri), protocol, conn);
    let conn = Rc::clone(conn);
    async move { Reply::new(begun.answer(&conn).await, serving) }
}

/// Answers one request of an HTTP/1.1 connection.
pub(crate) fn answer_h1(
    conn: &Rc<ConnCx>,
    request: exchange::Request,
    target: &Target,
) -> impl Future<Output = Reply> + use<> {
    let serving = Serving::new(conn);
    let begun = exchange::begin(request, &Line::H1(target), None, conn);
    let conn = Rc::clone(conn);
    async move { Reply::new(begun.answer(&conn).await, serving) }
}

/// Answers what is no request.
pub(crate) fn refuse(conn: &Rc<ConnCx>, error: &ProxyError) -> Reply {
    let serving = Serving::new(conn);
    Reply::new(exchange::refuse(conn, error), serving)
}

/// A request that is being served, until its response has gone or was given up.
struct Serving(Rc<ConnCx>);

impl Serving {
    fn new(conn: &Rc<ConnCx>) -> Self {
        conn.request_began();
        Self(Rc::clone(conn))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// A response body on its way out.
pub(crate) struct Tracked {
    body: ResponseBody,
    _serving: Serving,
}

impl Tracked {
    /// Bytes that may go to the client's socket unread: all that is left, or none.
    pub(super) fn passable(&self) -> u64 {
        self.body.passable()
    }

    /// Lets what is left pass to the client's socket. Ready when it has all of it.
    pub(super) fn poll_pass(
        &mut self,
        passing: &mut Passing,
        to: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        self.body.poll_pass(passing, to, cx)
    }
}

impl Body for Tracked {
    type Data = Chunk;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// An HTTP/1 connection keeps room for the exchange in progress, and it is moved there with each request: what
    /// seldom happens belongs in a box of its own.
    #[test]
    fn an_exchange_in_progress_stays_small() {
        let size =
            size_of_future(|conn: Rc<ConnCx>, request, target: Target| answer_h1(&conn, request, &target));
        assert!(size <= 3_100, "{size} bytes");
    }
}

//! Between connections and the exchange: sees a request begin, and the last piece of its response go.

use crate::cx::ConnCx;
use crate::exchange::{self, Inbound, ResponseBody};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pn_core::ProxyError;
use pn_io::Chunk;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Answers one request of a connection.
pub(crate) fn answer(
    conn: &Rc<ConnCx>,
    request: Request<Inbound>,
) -> impl Future<Output = Response<Tracked>> + use<> {
    let serving = Serving::new(conn);
    let conn = Rc::clone(conn);
    async move {
        let response = exchange::serve(request, conn).await;
        response.map(|body| Tracked { body, _serving: serving })
    }
}

/// Answers what is no request.
pub(crate) fn refuse(conn: &Rc<ConnCx>, error: &ProxyError) -> Response<Tracked> {
    let serving = Serving::new(conn);
    exchange::refuse(conn, error).map(|body| Tracked { body, _serving: serving })
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

    fn size_of_future<A, B, F: Future>(_: impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// An HTTP/1 connection keeps room for the exchange in progress, and it is moved there with each request: what
    /// seldom happens belongs in a box of its own.
    #[test]
    fn an_exchange_in_progress_stays_small() {
        let size = size_of_future(exchange::serve);
        assert!(size <= 3_100, "{size} bytes");
    }
}

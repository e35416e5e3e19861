//! Between connections and the exchange: sees a request begin, and the last piece of its response go.

use super::stall::Stall;
use crate::cx::ConnCx;
use crate::exchange::{self, Inbound, ResponseBody};
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use pn_core::ProxyError;
use pn_io::Chunk;
use pn_model::limits;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Most of a body that is handed to HTTP/2 at once: once it has the last piece, nobody but the connection watches
/// whether the client takes it.
const PIECE: usize = limits::H2_SEND_BUFFER;

/// Answers one request of a connection. For HTTP/2 the stream that hyper spawns next is watched for stalls.
pub(crate) fn answer(
    conn: &Rc<ConnCx>,
    request: Request<Inbound>,
) -> impl Future<Output = Result<Response<Tracked>, Infallible>> + use<> {
    let serving = Serving::new(conn);
    let stall = (request.version() == Version::HTTP_2).then(|| conn.watch_stream());
    let conn = Rc::clone(conn);
    async move {
        let response = exchange::serve(request, conn).await;
        Ok(response.map(|body| Tracked { body, rest: Chunk::default(), stall, _serving: serving }))
    }
}

/// Answers what is no request.
pub(crate) fn refuse(conn: &Rc<ConnCx>, error: &ProxyError) -> Response<Tracked> {
    let serving = Serving::new(conn);
    exchange::refuse(conn, error).map(|body| Tracked {
        body,
        rest: Chunk::default(),
        stall: None,
        _serving: serving,
    })
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
    /// What remains of a piece that is handed over in parts.
    rest: Chunk,
    stall: Option<Rc<Stall>>,
    _serving: Serving,
}

impl Body for Tracked {
    type Data = Chunk;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Self::Error>>> {
        let this = &mut *self;
        let Some(stall) = &this.stall else { return Pin::new(&mut this.body).poll_frame(cx) };
        let mut polled = match this.rest.is_empty() {
            true => Pin::new(&mut this.body).poll_frame(cx),
            false => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.rest))))),
        };
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(piece) = frame.data_mut()
            && piece.len() > PIECE
        {
            let first = piece.split_to(PIECE);
            this.rest = std::mem::replace(piece, first);
        }
        // hyper asks for the next piece only once the client has room for it.
        stall.handed_over(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
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

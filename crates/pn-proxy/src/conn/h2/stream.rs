//! One stream: its request to the exchange, the response back.

use super::Upgraded;
use super::body::ClientBody;
use super::reply::Reply;
use crate::conn::date::with_date;
use crate::conn::service::{Reply as Answer, Tracked, answer};
use crate::conn::stall::Stall;
use crate::cx::ConnCx;
use crate::exchange::Inbound;
use crate::flow::Sending;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::Body;
use pn_core::context::{FieldList, Known, KnownSet};
use pn_io::Chunk;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A request that has come on a stream.
pub(super) struct Request {
    pub(super) conn: Rc<ConnCx>,
    pub(super) request: http::Request<RecvStream>,
    pub(super) respond: SendResponse<Chunk>,
}

/// Serves one request. Dropped before its end, it resets the stream.
pub(super) async fn serve(Request { conn, request, respond }: Request) {
    let reply = Rc::new(Reply::new(respond));
    let is_head = *request.method() == Method::HEAD;
    let answer = {
        let (parts, recv) = request.into_parts();
        let body = ClientBody::new(recv, &reply, &parts.headers);
        let mut answered = pin!(answer(&conn, http::Request::from_parts(parts, Inbound::H2(body))));
        poll_fn(|cx| match answered.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => reply.poll_reset(cx).map(|()| None),
        })
        .await
    };
    if let Some(answer) = answer {
        give(&conn, &reply, answer, is_head).await;
    }
}

/// Sends a response.
async fn give(conn: &ConnCx, reply: &Reply, answer: Answer, is_head: bool) {
    let Answer { status, headers, body } = answer;
    let bare = is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let heir = reply.take_heir().filter(|_| status.is_success());
    let over = heir.is_none() && (bare || body.is_end_stream());
    let length = body.size_hint().exact().filter(|_| !over && heir.is_none());
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = fields(headers, length);
    let send = match reply.respond(head, over) {
        Ok(send) => send,
        Err(error) => return tracing::debug!(%error, "a response of HTTP/2 cannot be sent"),
    };
    if let Some(heir) = heir {
        // Nobody is there to take it when the upstream's end is gone already.
        return drop(heir.waiting.send(Upgraded::new(heir.recv, send, body)));
    }
    if over {
        return drain(body).await;
    }
    let (mut sending, mut stall) = (Sending::new(body, send, Reason::INTERNAL_ERROR), Stall::default());
    poll_fn(|cx| {
        if sending.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !sending.waits() {
            stall.end();
            return Poll::Pending;
        }
        ready!(stall.poll(sending.given(), conn, cx));
        tracing::debug!("an HTTP/2 stream was reset: its client takes nothing");
        sending.reset(Reason::CANCEL);
        Poll::Ready(())
    })
    .await;
}

/// What is not sent, of a response to HEAD, ends the exchange all the same.
async fn drain(mut body: Tracked) {
    poll_fn(|cx: &mut Context<'_>| {
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut body).poll_frame(cx) {}
        Poll::Ready(())
    })
    .await;
}

/// The fields, with what a response of HTTP/2 says of itself.
fn fields(mut list: FieldList, length: Option<u64>) -> HeaderMap {
    // Some came on the way through the proxy; HTTP/2 has no place for them.
    list.remove_any(KnownSet::HOP_BY_HOP);
    let mut headers = list.to_map();
    if !list.contains(Known::Date) {
        with_date(|date| drop(headers.insert(DATE, date.clone())));
    }
    if let Some(length) = length.filter(|_| !list.contains(Known::ContentLength)) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers
}

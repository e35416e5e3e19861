//! What the proxy answers ahead of everything else, every middleware among it: challenges of CAs, and sites that wait for
//! their certificate.

use crate::cx::ConnCx;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use pn_core::{Reply, RequestContext};

/// RFC 8555 section 8.3
const CHALLENGES: &str = "/.well-known/acme-challenge/";

const WAITING: &str = "503 Service Unavailable\n\nThe certificate of this site has not been issued yet. The proxy has \
                       asked for it and goes on asking; its log and its API say how far it is.\n";
/// Most CAs take less.
const AGAIN_SECONDS: &str = "30";

/// The answer to a challenge by `http-01`, on plain connections. Whatever is not such a challenge, or of which nothing is
/// known, goes the way of any request.
pub(super) fn challenge(conn: &ConnCx, cx: &RequestContext) -> Option<Reply> {
    let board = conn.worker.certificates.challenges();
    if !board.has_tokens() || cx.tls().is_some() {
        return None;
    }
    let token = cx.path().strip_prefix(CHALLENGES)?;
    if !matches!(*cx.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let authorization = board.key_authorization(token)?;
    let kind = HeaderValue::from_static("application/octet-stream");
    let reply = Reply::new(StatusCode::OK).with_header(CONTENT_TYPE, kind);
    Some(reply.with_body(authorization.as_bytes().to_vec()))
}

/// Of a connection that was opened while the site's certificate was not there. It closes, so that the next one finds the
/// certificate.
pub(super) fn waiting() -> Reply {
    Reply::text(StatusCode::SERVICE_UNAVAILABLE, WAITING)
        .with_header(RETRY_AFTER, HeaderValue::from_static(AGAIN_SECONDS))
        .closing()
}

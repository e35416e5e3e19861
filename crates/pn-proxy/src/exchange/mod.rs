//! One exchange: from the head of a request to the last byte of its response.

use crate::cx::ConnCx;
use std::rc::Rc;

pub(crate) type ResponseBody = http_body_util::Full<bytes::Bytes>;

/// Answers one request. Never fails: what goes wrong becomes a response.
pub(crate) async fn serve(
    request: http::Request<hyper::body::Incoming>,
    conn: Rc<ConnCx>,
) -> http::Response<ResponseBody> {
    drop((request, conn));
    let mut response = http::Response::new(ResponseBody::default());
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    response
}

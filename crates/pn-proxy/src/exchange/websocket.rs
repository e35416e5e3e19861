//! WebSocket over HTTP/2 (RFC 8441) to an upstream that speaks HTTP/1.1: the key that HTTP/2 does without.

use crate::worker::WorkerEnv;
use http::Version;
use http::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use pn_core::RequestContext;
use pn_core::context::FieldList;

/// Adds the key of RFC 6455 section 4.1 where the client's protocol has none. It guards nothing here: it only proves
/// that the upstream knows WebSocket.
pub(crate) fn complete(cx: &mut RequestContext, env: &WorkerEnv, protocol: Option<&HeaderValue>) {
    let websocket = protocol.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !websocket || cx.version() != Version::HTTP_2 || cx.header(&SEC_WEBSOCKET_KEY).is_some() {
        return;
    }
    let mut key = [0; 16];
    key[..8].copy_from_slice(&env.random().to_be_bytes());
    key[8..].copy_from_slice(&env.random().to_be_bytes());
    if let Ok(key) = HeaderValue::from_str(&base64::Engine::encode(&base64::prelude::BASE64_STANDARD, key)) {
        cx.set_header(SEC_WEBSOCKET_KEY, key);
    }
}

/// The answer to a key that the client never sent.
pub(crate) fn forget_key(version: Version, headers: &mut FieldList) {
    if version == Version::HTTP_2 {
        headers.remove(&SEC_WEBSOCKET_ACCEPT);
    }
}

//! `grpc.health.v1.Health/Check`, its two messages written and read by hand: one field each.

use super::check::Check;
use super::probe::describe;
use crate::conn::Interim;
use crate::flow::Receiving;
use crate::upstream::dial::Target;
use crate::upstream::fields;
use crate::upstream::h2::H2;
use crate::upstream::payload::{BodySlot, Payload};
use crate::upstream::service::host_of;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use http::uri::PathAndQuery;
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use pn_io::Chunk;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

const PATH: PathAndQuery = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
/// Bytes of an answer: the message has seven.
const ANSWER_BYTES: usize = 4 << 10;
/// `ServingStatus.SERVING`
const SERVING: u64 = 1;

pub(super) async fn ask(
    connection: &Rc<H2>,
    check: &Check,
    target: &Target,
    service: &str,
) -> Result<(), String> {
    let uri = fields::absolute(target.is_tls(), &host_of(&check.server), PATH.clone());
    let body = Full::new(Chunk::from(Bytes::from(question(service)))).map_err(|never| match never {});
    let slot = BodySlot::new(body);
    let payload = slot.as_ref().map_or(Payload::EMPTY, |slot| Payload::new(slot, None));
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.map_err(|error| describe(&error))?;
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    let limit = Duration::ZERO;
    let answer = connection.exchange(request, payload, slot.as_ref(), &Interim::Nobody, limit).await;
    let answered = answer.map_err(|broken| describe(&broken.error))?;
    let (head, recv) = answered.response.into_parts();
    if head.status != http::StatusCode::OK {
        return Err(format!("status {}", head.status.as_u16()));
    }
    judge(&head.headers, Receiving::new(recv, &head.headers)).await
}

async fn judge(headers: &HeaderMap, mut body: Receiving) -> Result<(), String> {
    let mut message = Vec::new();
    let mut status = grpc_status(headers);
    while let Some(frame) = poll_fn(|cx| body.poll(cx)).await {
        match frame.map_err(|error| error.to_string())?.into_data() {
            Ok(data) if message.len() + data.len() > ANSWER_BYTES => {
                return Err("a message without end".into());
            }
            Ok(data) => message.extend_from_slice(&data),
            Err(frame) => status = frame.trailers_ref().and_then(grpc_status).or(status),
        }
    }
    match status.as_deref() {
        Some("0") if serving(&message) => Ok(()),
        Some("0") => Err("the service says that it does not serve".into()),
        Some(other) => Err(format!("grpc-status {other}")),
        None => Err("no grpc-status".into()),
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<String> {
    headers.get("grpc-status").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// `HealthCheckRequest { string service = 1; }` with the frame of gRPC before it.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 16);
    if !service.is_empty() {
        message.push(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], &message].concat()
}

/// `HealthCheckResponse { ServingStatus status = 1; }`. Other fields are skipped.
fn serving(framed: &[u8]) -> bool {
    let [0, _, _, _, _, message @ ..] = framed else { return false };
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let Some((tag, after)) = take_varint(rest) else { return false };
        // The wire type is the last three bits.
        let skipped = match tag & 7 {
            0 => take_varint(after).map(|(value, after)| {
                if tag >> 3 == 1 {
                    status = value;
                }
                after
            }),
            1 => after.get(8..),
            2 => take_varint(after).and_then(|(length, after)| after.get(usize::try_from(length).ok()?..)),
            5 => after.get(4..),
            _ => None,
        };
        let Some(after) = skipped else { return false };
        rest = after;
    }
    status == SERVING
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_what_protobuf_and_grpc_make_of_it() {
        for (service, expected) in [("", &b"\0\0\0\0\0"[..]), ("a.B", b"\0\0\0\0\x05\x0a\x03a.B")] {
            assert_eq!(question(service), expected);
        }
        let long = question(&"x".repeat(300));
        assert_eq!(long.get(..8), Some(&b"\0\0\0\x01\x2f\x0a\xac\x02"[..]));
    }

    #[test]
    fn only_serving_counts() {
        for (answer, expected) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], true),
            (b"\0\0\0\0\x02\x08\x02", false),
            (b"\0\0\0\0\0", false),
            (b"", false),
            (b"\x01\0\0\0\x02\x08\x01", false),
            (b"\0\0\0\0\x05\x12\x01x\x08\x01", true),
            (b"\0\0\0\0\x02\x08\x81", false),
            (b"\0\0\0\0\x02\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false),
            (b"\0\0\0\0\x02\x0b\x01", false),
        ] {
            assert_eq!(serving(answer), expected, "{answer:?}");
        }
    }
}

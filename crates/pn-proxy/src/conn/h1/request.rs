//! From the bytes of a head to the request that the exchange takes in.

use super::wire::{ClientBody, Shared};
use crate::cx::ConnCx;
use crate::exchange::{Inbound, Request};
use pn_core::{ErrorKind, ProxyError};
use pn_http1::{BodyDecoder, Framing, HeadProgress, Limits, Refusal, Target};

/// The request at the beginning of what has been read, and its target. `None` when its head is not all there.
pub(super) fn next(
    wire: &Shared,
    limits: &Limits,
    conn: &ConnCx,
) -> Result<Option<(Request, Target)>, ProxyError> {
    let mut guard = wire.borrow_mut();
    let own = &mut *guard;
    if !own.progress.is_due(&own.input, limits) {
        return Ok(None);
    }
    let mut cx = conn.worker.context(&conn.connection);
    let to = cx.head_mut();
    let Some(head) = to.headers.read_request(&own.input, limits).map_err(refused)? else {
        conn.worker.contexts.give(cx);
        return Ok(None);
    };
    own.progress = HeadProgress::default();
    own.state.begin(&head);
    own.takes_trailers = head.te_trailers;
    own.forget_request();
    (to.method, to.version) = (head.method, head.version);
    own.input.advance(head.len);
    own.decoder = BodyDecoder::new(head.framing);
    own.settle_body();
    drop(guard);
    let length = match head.framing {
        Framing::Length(length) => Some(length),
        Framing::None => Some(0),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let body = Inbound::H1(ClientBody::new(wire, length));
    Ok(Some((Request { cx, body }, head.target)))
}

fn refused(refusal: Refusal) -> ProxyError {
    let kind = match refusal.status().as_u16() {
        414 => ErrorKind::TargetTooLong,
        431 => ErrorKind::HeadTooLarge,
        501 => ErrorKind::MethodUnsupported,
        505 => ErrorKind::VersionUnsupported,
        _ => ErrorKind::RequestMalformed,
    };
    ProxyError::new(kind).caused_by(refusal)
}

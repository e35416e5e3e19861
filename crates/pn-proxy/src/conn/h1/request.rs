//! From the bytes of a head to the request that the exchange takes in.

use super::wire::{ClientBody, Shared};
use crate::exchange::Inbound;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Uri};
use pn_core::{ErrorKind, ProxyError};
use pn_http1::{BodyDecoder, Framing, HeadProgress, Limits, Refusal, parse_request};

/// The request at the beginning of what has been read. `None` when its head is not all there.
pub(super) fn next(wire: &Shared, limits: &Limits) -> Result<Option<Request<Inbound>>, ProxyError> {
    let mut guard = wire.borrow_mut();
    let own = &mut *guard;
    if !own.progress.is_due(&own.input, limits) {
        return Ok(None);
    }
    let Some(head) = parse_request(&own.input, limits, &mut own.fields).map_err(refused)? else {
        return Ok(None);
    };
    own.progress = HeadProgress::default();
    own.state.begin(&head);
    own.takes_trailers = head.te_trailers;
    own.forget_request();
    // A copy of its own: who holds a field must not hold all that was read along with it.
    let bytes = Bytes::copy_from_slice(own.input.get(..head.len).unwrap_or_default());
    let mut request = Request::new(());
    let uri = head.target.whole.slice(&bytes);
    *request.uri_mut() = Uri::from_maybe_shared(uri).map_err(malformed)?;
    *request.version_mut() = head.version;
    let headers = request.headers_mut();
    // Room for the fields that tell the upstream where the request came from.
    headers.reserve(own.fields.len() + 8);
    for field in own.fields.iter() {
        let name = HeaderName::from_bytes(field.name.of(&bytes)).map_err(malformed)?;
        let value = HeaderValue::from_maybe_shared(field.value.slice(&bytes)).map_err(malformed)?;
        headers.append(name, value);
    }
    *request.method_mut() = head.method;
    own.input.advance(head.len);
    own.decoder = BodyDecoder::new(head.framing);
    own.settle_body();
    drop(guard);
    let length = match head.framing {
        Framing::Length(length) => Some(length),
        Framing::None => Some(0),
        Framing::Chunked | Framing::UntilClose => None,
    };
    Ok(Some(request.map(|()| Inbound::H1(ClientBody::new(wire, length)))))
}

fn malformed(cause: impl std::error::Error + Send + Sync + 'static) -> ProxyError {
    ProxyError::new(ErrorKind::RequestMalformed).caused_by(cause)
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

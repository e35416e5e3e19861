//! Bytes on their way to and from a socket, for both sides of HTTP/1.1: shared memory to read into, what is to be
//! written. What they mean is pn-http1's.

mod out;
pub(crate) mod scratch;

pub(crate) use out::Out;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

/// The trailers that have a place there.
pub(crate) fn trailers(section: &[u8]) -> Option<HeaderMap> {
    scratch::with_fields(|fields| {
        pn_http1::parse_trailers(section, fields).ok()?;
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields.iter() {
            let name = HeaderName::from_bytes(field.name.of(section)).ok()?;
            trailers.append(name, HeaderValue::from_bytes(field.value.of(section)).ok()?);
        }
        (!trailers.is_empty()).then_some(trailers)
    })
}

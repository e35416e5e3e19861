//! Bytes on their way to and from a socket, for both sides of HTTP/1.1: the worker's backend and its buffers, what has
//! been read, what is to be sent. What the bytes mean is pn-http1's.

mod either;
mod input;
mod out;
mod passing;
pub(crate) mod scratch;
#[cfg(test)]
mod tests;

pub(crate) use either::{either_data_stream, either_stream};
pub(crate) use input::Input;
pub(crate) use out::Out;
#[cfg(test)]
pub(crate) use passing::PASSED;
pub(crate) use passing::{Passing, Stopped, WORTH_PASSING};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use pn_io::{EventActions, Pool, PoolConfig, Reactor};

thread_local! {
    static REACTOR: Reactor = Reactor::new(Pool::new(PoolConfig::default()));
}

/// The worker's backend.
pub(crate) fn reactor() -> Reactor {
    REACTOR.with(Reactor::clone)
}

/// The worker's buffers.
pub(crate) fn pool() -> Pool {
    REACTOR.with(|reactor| reactor.pool().clone())
}

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

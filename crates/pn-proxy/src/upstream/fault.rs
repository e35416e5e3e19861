//! What went wrong with a server, in the terms of RFC 9209.

use pn_core::{ErrorKind, ProxyError};
use pn_http1::Misbehaviour;
use std::error::Error;
use std::io;

/// A connection that could not be opened. Nothing was sent.
pub(super) fn connecting(error: io::Error) -> ProxyError {
    ProxyError::new(connect_kind(&error)).caused_by(error).unsent()
}

fn connect_kind(error: &io::Error) -> ErrorKind {
    if let Some(tls) = source::<rustls::Error>(error) {
        return tls_kind(tls);
    }
    match error.kind() {
        io::ErrorKind::TimedOut => ErrorKind::ConnectionTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            ErrorKind::ConnectionTerminated
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory => ErrorKind::Overloaded,
        _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN)) => {
            ErrorKind::Overloaded
        }
        _ => ErrorKind::ConnectionRefused,
    }
}

fn tls_kind(error: &rustls::Error) -> ErrorKind {
    match error {
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::InvalidCertRevocationList(_) => ErrorKind::TlsCertificate,
        _ => ErrorKind::TlsProtocol,
    }
}

/// A connection that broke before the head of a response was there.
pub(super) fn io(error: io::Error) -> ProxyError {
    let kind = source::<rustls::Error>(&error).map_or(ErrorKind::ConnectionTerminated, tls_kind);
    ProxyError::new(kind).caused_by(error)
}

/// A server that answers out of turn, or without end.
pub(super) fn misbehaved(misbehaviour: Misbehaviour) -> ProxyError {
    let kind = match misbehaviour {
        Misbehaviour::InterimFlood => ErrorKind::ResponseHeadTooLarge,
        Misbehaviour::Unasked | Misbehaviour::SwitchUnasked => ErrorKind::ResponseMalformed,
    };
    ProxyError::new(kind).caused_by(misbehaviour)
}

/// An exchange that broke before the head of a response was there.
pub(super) fn awaiting_head(error: hyper::Error) -> ProxyError {
    ProxyError::new(head_kind(&error)).caused_by(error)
}

fn head_kind(error: &hyper::Error) -> ErrorKind {
    if let Some(tls) = source::<rustls::Error>(error) {
        return tls_kind(tls);
    }
    if let Some(error) = source::<h2::Error>(error) {
        return h2_kind(error);
    }
    if error.is_parse_too_large() {
        return ErrorKind::ResponseHeadTooLarge;
    }
    if error.is_parse() {
        return ErrorKind::ResponseMalformed;
    }
    ErrorKind::ConnectionTerminated
}

fn h2_kind(error: &h2::Error) -> ErrorKind {
    match error.reason() {
        // What this side found wrong with what the server sent.
        Some(_) if error.is_library() => ErrorKind::ResponseMalformed,
        Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR | h2::Reason::COMPRESSION_ERROR) => {
            ErrorKind::ResponseMalformed
        }
        _ => ErrorKind::ConnectionTerminated,
    }
}

/// Whether an HTTP/2 server has said that it did not touch the request: the stream was refused, or the connection was
/// being closed before it (RFC 9113 sections 6.8 and 8.7).
pub(super) fn refused_by_h2(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let leaving = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (refused || leaving)
    })
}

/// Whether an HTTP/2 connection takes no more requests after this.
pub(super) fn ends_h2(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_none_or(|error| error.is_go_away() || error.is_io())
}

/// A response body that broke.
pub(super) fn reading_body(error: hyper::Error) -> ProxyError {
    let malformed = source::<io::Error>(&error).is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    });
    let kind = if malformed { ErrorKind::ResponseMalformed } else { ErrorKind::ResponseIncomplete };
    ProxyError::new(kind).caused_by(error)
}

/// Looks for a cause of this type. An `io::Error` hides what it wraps from `source`, so it is asked for separately.
fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            return source::<E>(inner);
        }
        next = error.source();
    }
    None
}

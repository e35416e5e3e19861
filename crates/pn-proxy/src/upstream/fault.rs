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

/// A head of HTTP/2 that is malformed (RFC 9113 section 8.2.1).
pub(super) fn padded() -> ProxyError {
    ProxyError::new(ErrorKind::ResponseMalformed)
        .caused_by("a field value that begins or ends with white space")
}

/// An exchange over HTTP/2 that broke before the head of a response was there.
pub(super) fn of_h2(error: h2::Error) -> ProxyError {
    ProxyError::new(h2_kind(&error)).caused_by(error)
}

fn h2_kind(error: &h2::Error) -> ErrorKind {
    if let Some(tls) = error.get_io().and_then(|error| source::<rustls::Error>(error)) {
        return tls_kind(tls);
    }
    match error.reason() {
        // What this side found wrong with what the server sent.
        Some(_) if error.is_library() => ErrorKind::ResponseMalformed,
        Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR | h2::Reason::COMPRESSION_ERROR) => {
            ErrorKind::ResponseMalformed
        }
        _ => ErrorKind::ConnectionTerminated,
    }
}

/// An HTTP/2 server says that it did not touch a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It goes, or had no room: it may be asked again, over another connection.
    AskAgain,
    /// It found fault with this side, which would not be better the next time.
    AskOthers,
}

/// A stream that was refused (RFC 9113 section 8.7), or that is above the last one of a GOAWAY (section 6.8): h2 ends no
/// other stream with the server's GOAWAY.
pub(super) fn refusal_of_h2(error: &h2::Error) -> Option<Refusal> {
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
    if !error.is_remote() || !(refused || error.is_go_away()) {
        return None;
    }
    match error.reason() {
        Some(h2::Reason::NO_ERROR | h2::Reason::INTERNAL_ERROR | h2::Reason::REFUSED_STREAM) => {
            Some(Refusal::AskAgain)
        }
        _ => Some(Refusal::AskOthers),
    }
}

/// Whether an HTTP/2 connection takes no more requests after this.
pub(super) fn ends_h2(error: &h2::Error) -> bool {
    error.is_go_away() || error.is_io()
}

/// A response body over HTTP/2 that broke.
pub(super) fn reading_h2_body(error: h2::Error) -> ProxyError {
    ProxyError::new(ErrorKind::ResponseIncomplete).caused_by(error)
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

//! The one error of the request path, and the one function that turns it into a response (RFC 9209).

use crate::reply::Reply;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use std::error::Error;
use std::fmt;

/// Why an exchange failed, whose fault it was, and whether another server may be tried.
#[derive(Debug)]
pub struct ProxyError {
    pub kind: ErrorKind,
    pub side: Side,
    /// Nothing of the request had reached a server, so that even a non-idempotent one may be sent again.
    pub unsent: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// At whose door the fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Upstream,
    Internal,
}

/// The kinds of failure. The comment after each is its type in the `Proxy-Status` field (RFC 9209 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    DnsTimeout,            // dns_timeout
    DnsError,              // dns_error
    NoServer,              // destination_unavailable
    ConnectionRefused,     // connection_refused
    ConnectionTerminated,  // connection_terminated
    ConnectionTimeout,     // connection_timeout
    ConnectionReadTimeout, // connection_read_timeout
    ConnectionLimit,       // connection_limit_reached
    TlsProtocol,           // tls_protocol_error
    TlsCertificate,        // tls_certificate_error
    RequestMalformed,      // http_request_error
    RequestTimeout,        // http_request_error
    RequestAborted,        // http_request_error
    RequestTooSlow,        // http_request_error
    HeadTooLarge,          // http_request_error
    TargetTooLong,         // http_request_error
    ContentTooLarge,       // http_request_error
    ExpectationFailed,     // http_request_error
    VersionUnsupported,    // http_request_error
    MethodUnsupported,     // http_request_error
    Denied,                // http_request_denied
    Misdirected,           // http_request_denied
    HostUnknown,           // destination_not_found
    RouteUnknown,          // destination_not_found
    ResponseIncomplete,    // http_response_incomplete
    ResponseMalformed,     // http_protocol_error
    ResponseHeadTooLarge,  // http_response_header_section_size
    ResponseTimeout,       // http_response_timeout
    UpgradeFailed,         // http_upgrade_failed
    LoopDetected,          // proxy_loop_detected
    Internal,              // proxy_internal_error
    Unconfigured,          // proxy_configuration_error
    Overloaded,            // proxy_internal_response
}

impl ProxyError {
    /// The side is the one that the kind implies.
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind, side: kind.side(), unsent: false, source: None }
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks that no byte of the request had been sent.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// The one mapping from errors to responses. The text names the class of the fault and nothing of the inside.
    pub fn to_reply(&self) -> Reply {
        let status = self.kind.status();
        let text = status.canonical_reason().unwrap_or("Error");
        let mut reply = Reply::text(status, format!("{} {text}\n", status.as_u16()));
        reply.headers.insert(PROXY_STATUS, self.kind.proxy_status());
        reply.close = self.kind.closes();
        reply
    }
}

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

impl ErrorKind {
    /// The status that a client sees.
    pub fn status(self) -> StatusCode {
        match self {
            Self::RequestMalformed | Self::RequestAborted => StatusCode::BAD_REQUEST,
            Self::RequestTimeout | Self::RequestTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
            Self::VersionUnsupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::MethodUnsupported => StatusCode::NOT_IMPLEMENTED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::HostUnknown | Self::RouteUnknown => StatusCode::NOT_FOUND,
            Self::LoopDetected => StatusCode::LOOP_DETECTED,
            Self::Internal | Self::Unconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoServer | Self::ConnectionLimit | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::DnsTimeout
            | Self::ConnectionTimeout
            | Self::ConnectionReadTimeout
            | Self::ResponseTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::DnsError
            | Self::ConnectionRefused
            | Self::ConnectionTerminated
            | Self::TlsProtocol
            | Self::TlsCertificate
            | Self::ResponseIncomplete
            | Self::ResponseMalformed
            | Self::ResponseHeadTooLarge
            | Self::UpgradeFailed => StatusCode::BAD_GATEWAY,
        }
    }

    /// Its name in the `Proxy-Status` field, also used in logs and metrics.
    pub fn token(self) -> &'static str {
        match self {
            Self::DnsTimeout => "dns_timeout",
            Self::DnsError => "dns_error",
            Self::NoServer => "destination_unavailable",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionTerminated => "connection_terminated",
            Self::ConnectionTimeout => "connection_timeout",
            Self::ConnectionReadTimeout => "connection_read_timeout",
            Self::ConnectionLimit => "connection_limit_reached",
            Self::TlsProtocol => "tls_protocol_error",
            Self::TlsCertificate => "tls_certificate_error",
            Self::RequestMalformed
            | Self::RequestTimeout
            | Self::RequestAborted
            | Self::RequestTooSlow
            | Self::HeadTooLarge
            | Self::TargetTooLong
            | Self::ContentTooLarge
            | Self::ExpectationFailed
            | Self::VersionUnsupported
            | Self::MethodUnsupported => "http_request_error",
            Self::Denied | Self::Misdirected => "http_request_denied",
            Self::HostUnknown | Self::RouteUnknown => "destination_not_found",
            Self::ResponseIncomplete => "http_response_incomplete",
            Self::ResponseMalformed => "http_protocol_error",
            Self::ResponseHeadTooLarge => "http_response_header_section_size",
            Self::ResponseTimeout => "http_response_timeout",
            Self::UpgradeFailed => "http_upgrade_failed",
            Self::LoopDetected => "proxy_loop_detected",
            Self::Internal => "proxy_internal_error",
            Self::Unconfigured => "proxy_configuration_error",
            Self::Overloaded => "proxy_internal_response",
        }
    }

    fn side(self) -> Side {
        match self.status().as_u16() {
            400..=499 | 501 | 505 => Side::Client,
            502..=504 if self != Self::Overloaded => Side::Upstream,
            _ => Side::Internal,
        }
    }

    /// Whether the client's connection cannot be trusted to be in step any more (RFC 9112 section 9.6), or holds a
    /// policy that is no longer its host's. The former is of HTTP/1.1 alone.
    fn closes(self) -> bool {
        matches!(
            self,
            Self::RequestMalformed
                | Self::RequestTimeout
                | Self::RequestAborted
                | Self::RequestTooSlow
                | Self::HeadTooLarge
                | Self::TargetTooLong
                | Self::ContentTooLarge
                | Self::ExpectationFailed
                | Self::VersionUnsupported
                | Self::Misdirected
        )
    }

    fn proxy_status(self) -> HeaderValue {
        // A Structured Field (RFC 8941): an item with parameters; tokens need no escaping.
        HeaderValue::from_str(&format!("proxy-now; error={}", self.token()))
            .unwrap_or_else(|_| HeaderValue::from_static("proxy-now"))
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.token())
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

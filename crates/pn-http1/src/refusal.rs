//! Why a head is refused.

use http::StatusCode;

/// Why a head is refused. Nothing behind it can be trusted: the connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the first line is not one of HTTP/1 (RFC 9112 sections 3 and 4)")]
    FirstLine,
    #[error("the method is no token (RFC 9110 section 9.1)")]
    Method,
    #[error("the request target fits neither its form nor its method (RFC 9112 section 3.2)")]
    Target,
    #[error("the request target holds a fragment (RFC 9112 section 3.2.1)")]
    Fragment,
    #[error("the request target is longer than the limit")]
    TargetTooLong,
    #[error("a version other than HTTP/1.0 and HTTP/1.1 (RFC 9112 section 2.3)")]
    Version,
    #[error("a line does not end with CRLF (RFC 9112 section 2.2)")]
    LineEnd,
    #[error("too many empty lines before the head (RFC 9112 section 2.2)")]
    EmptyLines,
    #[error("a bad field name, space before a colon, or a folded line (RFC 9112 sections 5.1 and 5.2)")]
    FieldName,
    #[error("a bad byte in a field value (RFC 9110 section 5.5)")]
    FieldValue,
    #[error("a field line is longer than the limit")]
    LineTooLong,
    #[error("the head is larger than the limit")]
    HeadTooLarge,
    #[error("the head has more fields than the limit")]
    TooManyFields,
    #[error("no Host field (RFC 9112 section 3.2)")]
    NoHost,
    #[error("more than one Host field (RFC 9112 section 3.2)")]
    ManyHosts,
    #[error("a bad Content-Length (RFC 9110 section 8.6)")]
    Length,
    #[error("Content-Length is repeated (RFC 9112 section 6.3)")]
    LengthRepeated,
    #[error("a bad Transfer-Encoding (RFC 9112 section 6.1)")]
    Coding,
    #[error("a transfer coding other than chunked (RFC 9112 section 6.1)")]
    CodingUnknown,
    #[error("Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1)")]
    CodingInOldVersion,
    #[error("both Transfer-Encoding and Content-Length (RFC 9112 section 6.1)")]
    LengthAndCoding,
    #[error("Connection lists too many options (RFC 9110 section 7.6.1)")]
    ConnectionOptions,
    #[error("a status that is no number from 100 to 999 (RFC 9110 section 15)")]
    Status,
}

impl Refusal {
    /// The answer to a request that is refused so. A response that is refused is a bad gateway whatever the reason.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::LineTooLong | Self::HeadTooLarge | Self::TooManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::CodingUnknown => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether a bound was passed, rather than a rule broken.
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Self::TargetTooLong
                | Self::LineTooLong
                | Self::HeadTooLarge
                | Self::TooManyFields
                | Self::EmptyLines
        )
    }

    pub(crate) fn of_syntax(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::FieldName,
            httparse::Error::HeaderValue => Self::FieldValue,
            httparse::Error::NewLine => Self::LineEnd,
            httparse::Error::Token => Self::Method,
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Status | httparse::Error::Version => Self::FirstLine,
        }
    }
}

//! A response that the proxy itself makes: refusals, redirects, error pages, built-in services.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// A whole response in memory, at most `limits::SYNTHETIC_BODY_BYTES` of body.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Close the client's connection (HTTP/1.1) or refuse further streams (HTTP/2) after this response.
    pub close: bool,
}

impl Reply {
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), close: false }
    }

    /// A short plain text, the default for refusals.
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self::new(status)
            .with_header(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
            .with_body(text)
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}

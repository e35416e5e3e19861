//! Labels with few values, so that no client can make series without end.

use http::Method;

/// The `protocol` label, as Traefik has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Http,
    Websocket,
    Sse,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Websocket => "websocket",
            Self::Sse => "sse",
        }
    }
}

/// Code, method and protocol in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Labels {
    pub(crate) code: u16,
    method: u8,
    protocol: Protocol,
}

const METHODS: [&str; 10] =
    ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "EXTENSION_METHOD"];
const EXTENSION: u8 = 9;

impl Labels {
    pub(crate) fn new(code: u16, method: &Method, protocol: Protocol) -> Self {
        let method = match *method {
            Method::GET => 0,
            Method::POST => 1,
            Method::HEAD => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::OPTIONS => 5,
            Method::PATCH => 6,
            Method::CONNECT => 7,
            Method::TRACE => 8,
            _ => EXTENSION,
        };
        Self { code, method, protocol }
    }

    pub(crate) fn method(self) -> &'static str {
        METHODS.get(usize::from(self.method)).copied().unwrap_or("EXTENSION_METHOD")
    }

    pub(crate) fn protocol(self) -> &'static str {
        self.protocol.name()
    }
}

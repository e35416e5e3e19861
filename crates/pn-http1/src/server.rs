//! A client's connection: what may be read and written next (RFC 9112 section 9). Bytes stay with the caller; pipelined
//! requests wait in its buffer until [`Turn::Head`].

use crate::framing::Framing;
use crate::request::{Expect, RequestHead};
use crate::text::Value;
use http::{Method, StatusCode, Version};

/// What is to be done with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A request head is parsed next.
    Head,
    /// A request is under way, or its response.
    Exchange,
    /// The response is over, the request's body is not: it is read and thrown away.
    Drain,
    /// The protocol was changed: what the buffer holds, and all that follows, is the tunnel's.
    Tunnel,
    /// Nothing more is read as HTTP. What has to be written is written, and the connection closed.
    Close,
}

/// What the end of a client's input means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing was under way: close without a word.
    Quiet,
    /// The request will never be whole.
    Cut,
    /// Nothing is missing (half-close): the response can still be written, or the tunnel's other half go on.
    Half,
}

/// How the head of a response has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// For the encoder, and for [`crate::HeadWriter::framing`].
    pub framing: Framing,
    /// The `Connection` field, if there has to be one.
    pub connection: Option<Value<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Response {
    Awaited,
    Begun,
    Over,
}

/// The life of a client's connection.
#[derive(Debug, Clone)]
pub struct ServerState {
    turn: Turn,
    response: Response,
    request_over: bool,
    keep: bool,
    /// The client waits for `100 Continue` before it sends its body.
    awaits_continue: bool,
    version: Version,
    is_head: bool,
    asks_upgrade: bool,
    /// Bytes that are still thrown away in this exchange, and the bound for each.
    drain_left: u64,
    drain_bytes: u64,
}

impl ServerState {
    /// `drain_bytes` bounds what is read of a request body after its response, to save the connection.
    pub fn new(drain_bytes: u64) -> Self {
        Self {
            turn: Turn::Head,
            response: Response::Over,
            request_over: true,
            keep: true,
            awaits_continue: false,
            version: Version::HTTP_11,
            is_head: false,
            asks_upgrade: false,
            drain_left: drain_bytes,
            drain_bytes,
        }
    }

    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// A request begins.
    pub fn begin(&mut self, head: &RequestHead) {
        debug_assert_eq!(self.turn, Turn::Head, "one request at a time");
        let has_body = head.framing.has_body();
        self.turn = Turn::Exchange;
        self.response = Response::Awaited;
        self.request_over = !has_body;
        self.keep &= head.persistent;
        self.version = head.version;
        self.is_head = head.method == Method::HEAD;
        self.asks_upgrade = head.upgrade.is_some();
        self.awaits_continue =
            has_body && head.expect == Expect::Continue && head.version == Version::HTTP_11;
        self.drain_left = self.drain_bytes;
    }

    /// A head was refused, or a body is malformed: nothing behind it can be trusted. A response may still be written if
    /// [`ServerState::can_respond`].
    pub fn refuse(&mut self) {
        if self.turn == Turn::Head {
            self.turn = Turn::Exchange;
            self.response = Response::Awaited;
            self.version = Version::HTTP_11;
            self.is_head = false;
        }
        self.keep = false;
        self.asks_upgrade = false;
        self.awaits_continue = false;
        self.request_over = true;
        self.settle();
    }

    /// The connection closes after the exchange that is under way, or now if none is. To be called before
    /// [`ServerState::respond`] if the client is to be told.
    pub fn close_after(&mut self) {
        self.keep = false;
        if self.turn == Turn::Head {
            self.turn = Turn::Close;
        }
    }

    /// A byte of the body has come: the client does not wait.
    pub fn body_came(&mut self) {
        self.awaits_continue = false;
    }

    /// The body is over.
    pub fn request_over(&mut self) {
        self.request_over = true;
        self.awaits_continue = false;
        self.settle();
    }

    /// Whether the client waits for `100 Continue` (RFC 9110 section 10.1.1).
    pub fn awaits_continue(&self) -> bool {
        self.awaits_continue && self.response == Response::Awaited
    }

    /// Whether an interim response may be written now; it counts as written then. 100 goes to a client that waits for it
    /// alone, none to HTTP/1.0, and 101 is no interim response.
    pub fn interim(&mut self, status: StatusCode) -> bool {
        let fits = self.can_respond() && self.version == Version::HTTP_11;
        match status {
            StatusCode::CONTINUE => fits && std::mem::take(&mut self.awaits_continue),
            StatusCode::SWITCHING_PROTOCOLS => false,
            _ => fits && status.is_informational(),
        }
    }

    /// Whether no final response was begun.
    pub fn can_respond(&self) -> bool {
        self.turn == Turn::Exchange && self.response == Response::Awaited
    }

    /// The final response begins, with a body of `length` bytes, or of unknown length. A client of HTTP/1.0 is told the
    /// end of such a body by that of the connection. To a client that still waits for `100 Continue` the connection
    /// closes: whether the body comes is open then (RFC 9110 section 10.1.1).
    pub fn respond(&mut self, status: StatusCode, length: Option<u64>) -> Reply {
        self.response = Response::Begun;
        if self.asks_upgrade && status == StatusCode::SWITCHING_PROTOCOLS {
            return Reply { framing: Framing::None, connection: Some(Value::from_static("upgrade")) };
        }
        self.asks_upgrade = false;
        let framing = self.framing(status, length);
        self.keep &= framing != Framing::UntilClose && !self.awaits_continue;
        let connection = match (self.keep, self.version) {
            (false, _) => Some(Value::from_static("close")),
            (true, Version::HTTP_10) => Some(Value::from_static("keep-alive")),
            (true, _) => None,
        };
        Reply { framing, connection }
    }

    /// The response is written, or the head of a 101. What comes next stands in [`ServerState::turn`].
    pub fn response_over(&mut self) {
        self.response = Response::Over;
        if self.asks_upgrade && self.turn == Turn::Exchange {
            self.turn = Turn::Tunnel;
        }
        self.settle();
    }

    /// So many bytes of a body were thrown away after the response.
    pub fn drained(&mut self, bytes: u64) {
        match self.drain_left.checked_sub(bytes) {
            Some(left) => self.drain_left = left,
            None if self.turn == Turn::Drain => self.turn = Turn::Close,
            None => self.keep = false,
        }
    }

    /// The client has closed its side.
    pub fn end_of_input(&mut self) -> End {
        self.keep = false;
        match self.turn {
            Turn::Tunnel => End::Half,
            Turn::Exchange if self.request_over => End::Half,
            Turn::Exchange => End::Cut,
            Turn::Head | Turn::Drain | Turn::Close => {
                self.turn = Turn::Close;
                End::Quiet
            }
        }
    }

    fn framing(&self, status: StatusCode, length: Option<u64>) -> Framing {
        let bare = self.is_head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match length {
            _ if bare => Framing::None,
            Some(length) => Framing::Length(length),
            None if self.version == Version::HTTP_10 => Framing::UntilClose,
            None => Framing::Chunked,
        }
    }

    fn settle(&mut self) {
        if self.response != Response::Over || !matches!(self.turn, Turn::Exchange | Turn::Drain) {
            return;
        }
        self.turn = match (self.keep, self.request_over) {
            (false, _) => Turn::Close,
            (true, true) => Turn::Head,
            (true, false) => Turn::Drain,
        };
    }
}

#[cfg(test)]
mod tests;

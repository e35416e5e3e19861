//! A connection to an upstream: what its heads mean, and whether it can carry another request (RFC 9112 section 9).

use crate::limits::INTERIM_BYTES;
use crate::response::ResponseHead;
use http::{Method, StatusCode};

/// What a response head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// 1xx: another head follows. [`crate::ServerState::interim`] says whether the client gets it.
    Interim,
    /// The protocol was changed: what follows the head is the tunnel's.
    Switched,
    /// The response.
    Final,
}

/// What no honest upstream does. The connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    #[error("a response that nobody asked for (RFC 9112 section 9.2)")]
    Unasked,
    #[error("101 that nobody asked for (RFC 9110 section 15.2.2)")]
    SwitchUnasked,
    #[error("interim responses without end (RFC 9110 section 15.2)")]
    InterimFlood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Response {
    /// Nothing was asked, or it is over.
    None,
    Awaited,
    Body,
    Switched,
}

/// The life of a connection to an upstream.
#[derive(Debug, Clone)]
pub struct ClientState {
    response: Response,
    request_over: bool,
    /// All was well so far, and the upstream lets it go on.
    keep: bool,
    asks_upgrade: bool,
    is_connect: bool,
    interim_left: usize,
}

impl Default for ClientState {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientState {
    pub fn new() -> Self {
        Self {
            response: Response::None,
            request_over: true,
            keep: true,
            asks_upgrade: false,
            is_connect: false,
            interim_left: 0,
        }
    }

    /// A request begins to be sent.
    pub fn begin(&mut self, method: &Method, asks_upgrade: bool) {
        debug_assert!(self.is_reusable(), "one request at a time, and none after a fault");
        self.response = Response::Awaited;
        self.request_over = false;
        self.asks_upgrade = asks_upgrade;
        self.is_connect = *method == Method::CONNECT;
        self.interim_left = INTERIM_BYTES;
    }

    /// All of the request has been sent, its body too.
    pub fn request_over(&mut self) {
        self.request_over = true;
    }

    /// A response head has come. After an error nothing that follows may be read.
    pub fn received(&mut self, head: &ResponseHead) -> Result<Received, Misbehaviour> {
        if self.response != Response::Awaited {
            return Err(self.fault(Misbehaviour::Unasked));
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS && !self.asks_upgrade {
            return Err(self.fault(Misbehaviour::SwitchUnasked));
        }
        if head.is_interim() {
            let left = self.interim_left.checked_sub(head.len);
            self.interim_left = left.ok_or_else(|| self.fault(Misbehaviour::InterimFlood))?;
            return Ok(Received::Interim);
        }
        let tunnel = self.is_connect && head.status.is_success();
        if tunnel || head.status == StatusCode::SWITCHING_PROTOCOLS {
            self.response = Response::Switched;
            self.keep = false;
            return Ok(Received::Switched);
        }
        self.keep &= head.persistent;
        self.response = if head.framing.has_body() { Response::Body } else { Response::None };
        Ok(Received::Final)
    }

    /// The body of the response is over.
    pub fn response_over(&mut self) {
        if self.response == Response::Body {
            self.response = Response::None;
        }
    }

    /// Bytes have come that belong to no response: behind the body, or while nothing was asked. They are given to
    /// nobody.
    pub fn surplus(&mut self) {
        self.keep = false;
    }

    /// The connection failed, or the rest of an exchange is given up.
    pub fn fail(&mut self) {
        self.keep = false;
    }

    /// Whether the response has come, its head at least, while the request is still being sent (RFC 9112 section 9.3).
    /// Sending on may be in vain; the connection can be kept only when all of the request is sent.
    pub fn is_early(&self) -> bool {
        !self.request_over && matches!(self.response, Response::Body | Response::None)
    }

    /// Whether a response, or its rest, is to be read.
    pub fn awaits(&self) -> bool {
        matches!(self.response, Response::Awaited | Response::Body)
    }

    /// Whether the connection can carry another request: nothing is under way or left over, and both sides let it go
    /// on. Bytes that arrive while it is idle must be told by [`ClientState::surplus`].
    pub fn is_reusable(&self) -> bool {
        self.keep && self.request_over && self.response == Response::None
    }

    fn fault(&mut self, fault: Misbehaviour) -> Misbehaviour {
        self.keep = false;
        fault
    }
}

#[cfg(test)]
mod tests;

//! What a stream and the exchange that it asks for share: the way of interim responses, and of the stream itself should
//! the protocol change.

use super::Upgraded;
use crate::conn::interim::Allowance;
use crate::upstream::Head;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Response, StatusCode};
use pn_io::Chunk;
use std::cell::{Cell, RefCell};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// One stream's answer.
pub(crate) struct Reply {
    respond: RefCell<SendResponse<Chunk>>,
    allowance: Cell<Allowance>,
    /// Who waits for the stream itself, and its other half.
    heir: Cell<Option<Heir>>,
}

pub(super) struct Heir {
    pub(super) waiting: oneshot::Sender<Upgraded>,
    pub(super) recv: RecvStream,
}

impl Reply {
    pub(super) fn new(respond: SendResponse<Chunk>) -> Self {
        Self { respond: RefCell::new(respond), allowance: Cell::default(), heir: Cell::default() }
    }

    /// Hands on what a server says in front of its response. A stream that is gone is seen elsewhere.
    pub(crate) fn interim(&self, head: &Head) {
        let mut allowance = self.allowance.get();
        if allowance.take(&head.headers) {
            self.allowance.set(allowance);
            self.inform(head.status, head.headers.to_map());
        }
    }

    /// The client may wait to be told that its body is wanted (RFC 9110 section 10.1.1).
    pub(super) fn ask_for_body(&self) {
        self.inform(StatusCode::CONTINUE, HeaderMap::new());
    }

    fn inform(&self, status: StatusCode, headers: HeaderMap) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Err(error) = self.respond.borrow_mut().send_informational(response) {
            tracing::trace!(%error, "an interim response found no stream");
        }
    }

    pub(super) fn respond(&self, head: Response<()>, end: bool) -> Result<SendStream<Chunk>, h2::Error> {
        self.respond.borrow_mut().send_response(head, end)
    }

    /// Ready once the client, or the end of its connection, has ended the stream before it was answered.
    pub(super) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.respond.borrow_mut().poll_reset(cx).map(drop)
    }

    pub(super) fn set_heir(&self, heir: Heir) {
        self.heir.set(Some(heir));
    }

    /// Whoever takes the stream over, if the protocol was changed.
    pub(super) fn take_heir(&self) -> Option<Heir> {
        self.heir.take().filter(|heir| !heir.waiting.is_closed())
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

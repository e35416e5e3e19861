//! Request bodies of HTTP/2, and the stream itself should the protocol change.

use super::Upgraded;
use super::reply::{Heir, Reply};
use crate::conn::Interim;
use crate::flow::Receiving;
use h2::RecvStream;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Frame;
use pn_io::Chunk;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// The body of a request, for whoever serves it.
#[derive(Debug)]
pub(crate) struct ClientBody {
    receiving: Receiving,
    reply: Rc<Reply>,
    awaits_continue: bool,
}

impl ClientBody {
    pub(super) fn new(recv: RecvStream, reply: &Rc<Reply>, headers: &HeaderMap) -> Self {
        let receiving = Receiving::new(recv, headers);
        let awaits_continue = !receiving.is_ended() && headers.contains_key(EXPECT);
        Self { receiving, reply: Rc::clone(reply), awaits_continue }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, h2::Error>>> {
        if std::mem::take(&mut self.awaits_continue) {
            self.reply.ask_for_body();
        }
        self.receiving.poll(cx)
    }

    /// The client, for what a server says in front of its response.
    pub(crate) fn interim(&self) -> Interim {
        Interim::H2(Rc::clone(&self.reply))
    }

    /// The stream itself, should the protocol be changed.
    pub(crate) fn upgrade(&mut self) -> oneshot::Receiver<Upgraded> {
        let (waiting, upgrade) = oneshot::channel();
        if let Some(recv) = self.receiving.take_stream() {
            self.reply.set_heir(Heir { waiting, recv });
        }
        upgrade
    }

    /// Bytes to come, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.receiving.length()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.receiving.is_ended()
    }
}

//! How a middleware touches a body: a push transform that sees each piece as it passes. Bodies themselves, their
//! buffers and their backpressure belong to the data plane.

use crate::error::ProxyError;
use bytes::Bytes;

/// Sees and may change a body, piece by piece. One instance serves one body.
pub trait BodyFilter: Send {
    /// Takes one piece and pushes what goes on in its place: nothing, itself, or something else. Must not gather
    /// more than a bounded amount. An error ends the exchange.
    fn data(&mut self, piece: Bytes, out: &mut BodySink) -> Result<(), ProxyError>;

    /// The body has ended: what was held back is pushed now.
    fn end(&mut self, out: &mut BodySink) -> Result<(), ProxyError> {
        let _ = out;
        Ok(())
    }

    /// Whether the number of bytes may change, so that `Content-Length` cannot stay. Trailers pass unchanged.
    fn changes_length(&self) -> bool;
}

/// Where a filter puts what goes on. Empty pieces are dropped.
#[derive(Debug, Default)]
pub struct BodySink {
    pieces: Vec<Bytes>,
}

impl BodySink {
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
    }

    /// Takes what was pushed, in order, and leaves the sink empty for the next piece.
    pub fn drain(&mut self) -> impl Iterator<Item = Bytes> + '_ {
        self.pieces.drain(..)
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

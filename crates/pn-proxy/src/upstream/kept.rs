//! What was taken of a request body, as long as it is little, so that it can be sent once more.

use crate::wire;
use http_body::Frame;
use pn_io::Chunk;
use pn_model::limits::{REPLAY_BYTES, REPLAY_PIECES};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};

#[derive(Default)]
pub(super) struct Kept {
    pieces: RefCell<SmallVec<[Chunk; 1]>>,
    bytes: Cell<usize>,
    /// Something was taken that is not here.
    lost: Cell<bool>,
}

impl Kept {
    /// Whether something was taken that is not here.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    pub(super) fn piece(&self, at: usize) -> Option<Chunk> {
        self.pieces.borrow().get(at).cloned()
    }

    pub(super) fn count(&self) -> usize {
        self.pieces.borrow().len()
    }

    /// Whether who has had so many pieces has had all of them.
    pub(super) fn has_given(&self, pieces: usize) -> bool {
        pieces >= self.count()
    }

    /// Bytes from this piece on.
    pub(super) fn left(&self, at: usize) -> u64 {
        self.pieces.borrow().iter().skip(at).map(|piece| piece.len() as u64).sum()
    }

    /// Keeps a piece, unless it is one too many: then nothing is kept any more, nor of trailers.
    pub(super) fn keep(&self, frame: Frame<Chunk>) -> Frame<Chunk> {
        let piece = match frame.into_data() {
            // It may stay for as long as the server thinks.
            Ok(piece) => piece.settled(&wire::pool()),
            Err(trailers) => {
                self.forget();
                return trailers;
            }
        };
        let bytes = self.bytes.get() + piece.len();
        if self.lost.get() || bytes > REPLAY_BYTES || self.count() >= REPLAY_PIECES {
            self.forget();
        } else {
            self.bytes.set(bytes);
            self.pieces.borrow_mut().push(piece.clone());
        }
        Frame::data(piece)
    }

    pub(super) fn forget(&self) {
        self.lost.set(true);
        self.pieces.take();
    }
}

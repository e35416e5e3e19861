//! A body's filters in a row. Empty, and free, for most bodies.

use crate::wire;
use bytes::Bytes;
use pn_core::{BodyFilter, BodySink, ProxyError};
use pn_io::Chunk;
use std::collections::VecDeque;
use std::fmt;

/// Pieces go in at one end and come out at the other. `None` without filters: bodies are moved about.
#[derive(Default)]
pub(crate) struct Pipeline(Option<Box<Filters>>);

#[derive(Default)]
struct Filters {
    filters: Vec<Box<dyn BodyFilter>>,
    ready: VecDeque<Bytes>,
}

impl Pipeline {
    pub(crate) fn new(filters: Vec<Box<dyn BodyFilter>>) -> Self {
        let filters = (!filters.is_empty()).then(|| Box::new(Filters { filters, ready: VecDeque::new() }));
        Self(filters)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|own| own.filters.is_empty())
    }

    /// Whether nothing more will come out: nothing is ready, and no filter may still hold something.
    pub(crate) fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|own| own.filters.is_empty() && own.ready.is_empty())
    }

    /// Whether the body may come out longer or shorter than it went in.
    pub(crate) fn changes_length(&self) -> bool {
        self.0.as_ref().is_some_and(|own| own.filters.iter().any(|filter| filter.changes_length()))
    }

    /// What has come through.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.0.as_mut().and_then(|own| own.ready.pop_front())
    }

    pub(crate) fn push(&mut self, piece: Chunk) -> Result<(), ProxyError> {
        // Behind a filter nobody can tell any more what memory a piece is in.
        let piece = Bytes::from(piece.settled(&wire::pool()));
        let own = self.0.get_or_insert_default();
        feed(&mut own.filters, piece, &mut own.ready)
    }

    /// The body has ended: each filter gives up what it held, to those behind it, and goes.
    pub(crate) fn finish(&mut self) -> Result<(), ProxyError> {
        let Some(own) = &mut self.0 else { return Ok(()) };
        let mut rest = own.filters.as_mut_slice();
        while let Some((filter, behind)) = rest.split_first_mut() {
            let mut sink = BodySink::default();
            filter.end(&mut sink)?;
            for piece in sink.drain() {
                feed(behind, piece, &mut own.ready)?;
            }
            rest = behind;
        }
        own.filters.clear();
        Ok(())
    }
}

fn feed(
    filters: &mut [Box<dyn BodyFilter>],
    piece: Bytes,
    out: &mut VecDeque<Bytes>,
) -> Result<(), ProxyError> {
    let Some((filter, behind)) = filters.split_first_mut() else {
        out.push_back(piece);
        return Ok(());
    };
    let mut sink = BodySink::default();
    filter.data(piece, &mut sink)?;
    for piece in sink.drain() {
        feed(behind, piece, out)?;
    }
    Ok(())
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipeline({} filters)", self.0.as_ref().map_or(0, |own| own.filters.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds everything back until the end, then gives it twice.
    #[derive(Default)]
    struct Twice(Vec<u8>);

    impl BodyFilter for Twice {
        fn data(&mut self, piece: Bytes, _out: &mut BodySink) -> Result<(), ProxyError> {
            self.0.extend_from_slice(&piece);
            Ok(())
        }
        fn end(&mut self, out: &mut BodySink) -> Result<(), ProxyError> {
            out.push(self.0.repeat(2).into());
            Ok(())
        }
        fn changes_length(&self) -> bool {
            true
        }
    }

    #[test]
    fn what_a_filter_holds_back_passes_those_behind_it() {
        let mut pipeline = Pipeline::new(vec![Box::new(Twice::default()), Box::new(Twice::default())]);
        for piece in ["a", "b"] {
            pipeline.push(piece.as_bytes().into()).unwrap();
            assert_eq!(pipeline.pop(), None);
        }
        pipeline.finish().unwrap();
        assert_eq!(pipeline.pop(), Some(Bytes::from_static(b"abababab")));
        assert_eq!(pipeline.pop(), None);
    }
}

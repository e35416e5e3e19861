//! Bodies as they arrive: which bytes are data, and where they end. Nothing is copied or kept.

use crate::chunk::{After, Chunks};
use crate::framing::Framing;
use crate::trailers;
use std::ops::Range;

/// Why a body cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("a bad chunk size (RFC 9112 section 7.1)")]
    ChunkSize,
    #[error("a chunk size of more than 63 bits or 16 digits")]
    ChunkSizeTooLarge,
    #[error("a bad chunk extension, or more of them than data (RFC 9112 section 7.1.1)")]
    Extension,
    #[error("chunk data does not end where its size says (RFC 9112 section 7.1)")]
    ChunkEnd,
    #[error("a bad trailer field (RFC 9112 section 7.1.2)")]
    Trailer,
    #[error("trailers are larger, or more, than the limit")]
    TrailersTooLarge,
    #[error("the connection ended before the body (RFC 9112 section 8)")]
    Truncated,
    #[error("more bytes were passed over than the body has")]
    Overrun,
}

/// What a piece of input holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that are dealt with. The rest has to come again, with more behind it unless this was not 0.
    pub consumed: usize,
    /// Data, as a range of the input. At most one run a call.
    pub data: Range<usize>,
    /// The trailer section with its last empty line, as a range of the input; empty where there is none. Its syntax is
    /// sound; [`crate::parse_trailers`] gives its fields.
    pub trailers: Range<usize>,
    /// The body is over. What is left of the input is the next message's.
    pub done: bool,
}

/// Takes the framing off a body.
#[derive(Debug, Clone)]
pub struct BodyDecoder {
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Length(u64),
    Framing(Chunks),
    Data(Chunks, u64),
    Trailers,
    UntilClose,
    Done,
}

impl BodyDecoder {
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Framing(Chunks::new()),
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Reads on. Call it again with the rest of the input while it consumes something and is not done. A body that is
    /// all there and has one chunk, or a length, is done in one call. Nothing may be consumed at the trailers until all
    /// of them are there (at most 16 KiB).
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, BodyError> {
        let mut step = Step::default();
        match self.state {
            State::Length(_) | State::UntilClose => self.plain(input.len(), &mut step)?,
            State::Done => {}
            State::Framing(_) | State::Data(..) | State::Trailers => self.chunked(input, &mut step)?,
        }
        step.done = self.is_done();
        Ok(step)
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The peer has closed its side. An error unless the body is over, or ends so.
    pub fn end_of_input(&mut self) -> Result<(), BodyError> {
        if !matches!(self.state, State::Done | State::UntilClose) {
            return Err(BodyError::Truncated);
        }
        self.state = State::Done;
        Ok(())
    }

    /// Whether it ends with the connection alone.
    pub fn is_until_close(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    /// Bytes of data that follow without framing between them: what may be moved without looking at it (`splice`).
    pub fn run(&self) -> u64 {
        match self.state {
            State::Length(rest) | State::Data(_, rest) => rest,
            State::UntilClose => u64::MAX,
            State::Framing(_) | State::Trailers | State::Done => 0,
        }
    }

    /// So many bytes of the run were moved without [`BodyDecoder::decode`].
    pub fn pass_over(&mut self, bytes: u64) -> Result<(), BodyError> {
        let rest = self.run().checked_sub(bytes).ok_or(BodyError::Overrun)?;
        self.state = match self.state {
            State::Length(_) if rest == 0 => State::Done,
            State::Length(_) => State::Length(rest),
            State::Data(mut chunks, _) if rest == 0 => {
                chunks.end_of_data();
                State::Framing(chunks)
            }
            State::Data(chunks, _) => State::Data(chunks, rest),
            other => other,
        };
        Ok(())
    }

    /// As much of the run as there is.
    fn plain(&mut self, available: usize, step: &mut Step) -> Result<(), BodyError> {
        let taken = usize::try_from(self.run()).map_or(available, |run| run.min(available));
        step.data = step.consumed..step.consumed + taken;
        step.consumed += taken;
        self.pass_over(taken as u64)
    }

    /// Framing, one run of data, and the framing behind it.
    fn chunked(&mut self, input: &[u8], step: &mut Step) -> Result<(), BodyError> {
        loop {
            let rest = input.get(step.consumed..).unwrap_or_default();
            match self.state {
                State::Framing(chunks) => match self.framing(chunks, rest)? {
                    0 => return Ok(()),
                    read => step.consumed += read,
                },
                State::Data(..) if step.data.is_empty() && !rest.is_empty() => {
                    self.plain(rest.len(), step)?
                }
                State::Trailers => return self.trailers(rest, step),
                _ => return Ok(()),
            }
        }
    }

    fn framing(&mut self, mut chunks: Chunks, rest: &[u8]) -> Result<usize, BodyError> {
        for (at, &byte) in rest.iter().enumerate() {
            match chunks.read(byte)? {
                After::Framing => continue,
                After::Data(size) => self.state = State::Data(chunks, size),
                After::Trailers => self.state = State::Trailers,
            }
            return Ok(at + 1);
        }
        self.state = State::Framing(chunks);
        Ok(rest.len())
    }

    fn trailers(&mut self, rest: &[u8], step: &mut Step) -> Result<(), BodyError> {
        let Some(length) = trailers::section(rest)? else { return Ok(()) };
        if length > trailers::EMPTY.len() {
            step.trailers = step.consumed..step.consumed + length;
        }
        step.consumed += length;
        self.state = State::Done;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

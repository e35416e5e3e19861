//! Bodies as they are sent: what stands before and behind each piece of data, and whether it is as long as was said.

use crate::framing::Framing;
use crate::text::{Name, Value};

const LAST: &[u8] = b"0\r\n\r\n";

/// Why a body cannot be sent as its head said. The connection has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the body is longer than its Content-Length")]
    TooLong,
    #[error("the body is shorter than its Content-Length")]
    TooShort,
    #[error("data behind the end of the body")]
    AfterEnd,
}

/// What goes before and behind a piece of data, for one vectored write of three parts.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The size in hexadecimal and CRLF, at the array's end.
    head: [u8; Self::HEAD],
    from: usize,
    tail: &'static [u8],
}

impl Frame {
    /// 16 digits and CRLF.
    const HEAD: usize = 18;
    const PLAIN: Self = Self { head: [0; Self::HEAD], from: Self::HEAD, tail: b"" };

    pub fn head(&self) -> &[u8] {
        self.head.get(self.from..).unwrap_or_default()
    }

    pub fn tail(&self) -> &'static [u8] {
        self.tail
    }

    fn chunk(size: usize, tail: &'static [u8]) -> Self {
        let mut frame = Self { tail, ..Self::PLAIN };
        let mut rest = size;
        let mut room = frame.head.iter_mut().rev();
        let mut put = |byte: u8| {
            if let Some(place) = room.next() {
                *place = byte;
                frame.from -= 1;
            }
        };
        put(b'\n');
        put(b'\r');
        loop {
            put(*b"0123456789abcdef".get(rest & 15).unwrap_or(&b'0'));
            rest >>= 4;
            if rest == 0 {
                return frame;
            }
        }
    }
}

/// Puts framing on a body. Never touches the data.
#[derive(Debug, Clone)]
pub struct BodyEncoder {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    Chunked,
    UntilClose,
    Done,
}

impl BodyEncoder {
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Frames `size` bytes of data; with `last` the body is over behind them. No data and not the last is nothing at
    /// all: an empty chunk would end the body.
    pub fn frame(&mut self, size: usize, last: bool) -> Result<Frame, EncodeError> {
        match self.state {
            State::Done if size > 0 => return Err(EncodeError::AfterEnd),
            State::Length(rest) => {
                let rest = rest.checked_sub(size as u64).ok_or(EncodeError::TooLong)?;
                self.state = State::Length(rest);
            }
            State::Chunked if size > 0 && !last => return Ok(Frame::chunk(size, b"\r\n")),
            State::Chunked if size > 0 => {
                self.state = State::Done;
                return Ok(Frame::chunk(size, b"\r\n0\r\n\r\n"));
            }
            State::Done | State::Chunked | State::UntilClose => {}
        }
        let tail = if last { self.end()? } else { b"" };
        Ok(Frame { tail, ..Frame::PLAIN })
    }

    /// The body is over. Gives what has to be written still.
    pub fn end(&mut self) -> Result<&'static [u8], EncodeError> {
        let tail = match self.state {
            State::Length(1..) => return Err(EncodeError::TooShort),
            State::Chunked => LAST,
            State::Length(0) | State::UntilClose | State::Done => b"",
        };
        self.state = State::Done;
        Ok(tail)
    }

    /// As [`BodyEncoder::end`], with trailers, into a buffer. They are left out where the framing has no place for them.
    pub fn end_with_trailers<'a>(
        &mut self,
        trailers: impl IntoIterator<Item = (Name<'a>, Value<'a>)>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if self.state != State::Chunked {
            out.extend_from_slice(self.end()?);
            return Ok(());
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(b"\r\n");
        self.state = State::Done;
        Ok(())
    }

    /// So many bytes of data went out without [`BodyEncoder::frame`] (`splice`). An error for chunks, which need
    /// framing.
    pub fn pass_over(&mut self, bytes: u64) -> Result<(), EncodeError> {
        match &mut self.state {
            State::Length(rest) => *rest = rest.checked_sub(bytes).ok_or(EncodeError::TooLong)?,
            State::UntilClose => {}
            State::Chunked | State::Done => return Err(EncodeError::AfterEnd),
        }
        Ok(())
    }

    /// Whether all of the body has been framed.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done | State::Length(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of so many bytes, the last one marked or not, and all that is written; `D` stands for a byte of data.
    #[track_caller]
    fn check(framing: Framing, pieces: &[usize], last: bool, expected: Result<&str, EncodeError>) {
        let mut encoder = BodyEncoder::new(framing);
        let mut written = Vec::new();
        let mut write = || {
            for (at, &size) in pieces.iter().enumerate() {
                let frame = encoder.frame(size, last && at + 1 == pieces.len())?;
                written.extend([frame.head(), &vec![b'D'; size], frame.tail()].concat());
            }
            if !last {
                written.extend(encoder.end()?);
            }
            assert!(encoder.is_done());
            Ok(())
        };
        let result = write();
        assert_eq!(
            result.map(|()| String::from_utf8(written).unwrap().as_str().into()),
            expected.map(Box::<str>::from)
        );
    }

    #[test]
    fn pieces_become_framed() {
        use Framing::{Chunked, Length, None, UntilClose};
        check(None, &[], false, Ok(""));
        check(None, &[1], true, Err(EncodeError::AfterEnd));
        check(Length(0), &[], false, Ok(""));
        check(Length(3), &[2, 1], false, Ok("DDD"));
        check(Length(3), &[2, 1], true, Ok("DDD"));
        check(Length(3), &[2], false, Err(EncodeError::TooShort));
        check(Length(3), &[2], true, Err(EncodeError::TooShort));
        check(Length(3), &[2, 2], true, Err(EncodeError::TooLong));
        check(UntilClose, &[2, 1], true, Ok("DDD"));
        check(Chunked, &[], false, Ok("0\r\n\r\n"));
        check(Chunked, &[0], true, Ok("0\r\n\r\n"));
        check(Chunked, &[1, 0, 2], false, Ok("1\r\nD\r\n2\r\nDD\r\n0\r\n\r\n"));
        check(Chunked, &[1, 2], true, Ok("1\r\nD\r\n2\r\nDD\r\n0\r\n\r\n"));
        let ten = "D".repeat(26);
        check(Chunked, &[26], true, Ok(&format!("1a\r\n{ten}\r\n0\r\n\r\n")));
    }

    #[test]
    fn the_largest_chunk_fits() {
        let frame = BodyEncoder::new(Framing::Chunked).frame(usize::MAX, false).unwrap();
        assert_eq!(frame.head(), format!("{:x}\r\n", usize::MAX).as_bytes());
    }

    #[test]
    fn trailers_stand_behind_chunks_alone() {
        let trailers = [(Name::from_static("x-sum"), Value::from_static("7"))];
        for (framing, expected) in [(Framing::Chunked, "0\r\nx-sum: 7\r\n\r\n"), (Framing::UntilClose, "")] {
            let mut out = Vec::new();
            BodyEncoder::new(framing).end_with_trailers(trailers, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut short = BodyEncoder::new(Framing::Length(1));
        assert_eq!(short.end_with_trailers(trailers, &mut Vec::new()), Err(EncodeError::TooShort));
    }

    #[test]
    fn what_is_passed_over_counts() {
        let mut encoder = BodyEncoder::new(Framing::Length(5));
        assert_eq!((encoder.pass_over(5), encoder.is_done()), (Ok(()), true));
        assert_eq!(encoder.pass_over(1), Err(EncodeError::TooLong));
        assert_eq!(BodyEncoder::new(Framing::Chunked).pass_over(1), Err(EncodeError::AfterEnd));
    }
}

//! What stands between the data of chunks (RFC 9112 section 7.1), byte by byte, so that nothing of it is ever buffered.

use crate::decode::BodyError;
use crate::limits::{EXTENSION_BYTES, LENGTH_MAX, SIZE_DIGITS};

/// Where the framing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    /// Whitespace behind the size, before an extension or the line's end.
    Blank,
    Extension,
    SizeLf,
    DataCr,
    DataLf,
}

/// What comes after a byte of framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Framing,
    /// So many bytes of data.
    Data(u64),
    /// The last chunk is over: the trailer section.
    Trailers,
}

/// Reads chunk sizes and line ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunks {
    place: Place,
    size: u64,
    digits: u8,
    /// Bytes of extensions that are still taken; data earns more of them.
    allowance: u64,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { place: Place::Size, size: 0, digits: 0, allowance: EXTENSION_BYTES }
    }

    /// The data of a chunk is over; its line end follows.
    pub(crate) fn end_of_data(&mut self) {
        self.place = Place::DataCr;
    }

    pub(crate) fn read(&mut self, byte: u8) -> Result<After, BodyError> {
        match self.place {
            Place::Size => return self.size(byte),
            Place::Blank | Place::Extension => return self.extension(byte),
            Place::SizeLf if byte == b'\n' => return Ok(self.begin()),
            Place::DataCr if byte == b'\r' => self.place = Place::DataLf,
            Place::DataLf if byte == b'\n' => self.place = Place::Size,
            Place::SizeLf => return Err(BodyError::ChunkSize),
            Place::DataCr | Place::DataLf => return Err(BodyError::ChunkEnd),
        }
        Ok(After::Framing)
    }

    fn size(&mut self, byte: u8) -> Result<After, BodyError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ if self.digits == 0 => return Err(BodyError::ChunkSize),
            _ => return self.extension(byte),
        };
        self.digits += 1;
        self.size = self.size << 4 | u64::from(digit);
        // Shorter than 16 digits no bit is lost, and the sixteenth would be seen as the highest one.
        if self.digits > SIZE_DIGITS || self.size > LENGTH_MAX {
            return Err(BodyError::ChunkSizeTooLarge);
        }
        Ok(After::Framing)
    }

    fn extension(&mut self, byte: u8) -> Result<After, BodyError> {
        self.place = match (self.place, byte) {
            (_, b'\r') => Place::SizeLf,
            (Place::Extension, b'\t' | b' '..=b'~' | 0x80..) | (_, b';') => Place::Extension,
            (Place::Size | Place::Blank, b' ' | b'\t') => Place::Blank,
            (Place::Extension, _) => return Err(BodyError::Extension),
            _ => return Err(BodyError::ChunkSize),
        };
        self.allowance = self.allowance.checked_sub(1).ok_or(BodyError::Extension)?;
        Ok(After::Framing)
    }

    fn begin(&mut self) -> After {
        let size = std::mem::take(&mut self.size);
        self.digits = 0;
        self.allowance = self.allowance.saturating_add(size).min(EXTENSION_BYTES);
        if size == 0 { After::Trailers } else { After::Data(size) }
    }
}

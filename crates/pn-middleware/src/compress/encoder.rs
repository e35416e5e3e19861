//! Encoders as body filters: pieces in, encoded pieces out.

use bytes::Bytes;
use flate2::write::GzEncoder;
use pn_core::{BodyFilter, BodySink, ErrorKind, ProxyError};
use pn_model::middleware::Encoding;
use std::io::{self, Write};

/// What the field measures as a good trade of CPU for size on the fly.
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
const ZSTD_LEVEL: i32 = 3;
/// Bytes of history; more gains little on web pages and costs memory a response.
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4096;

pub(super) struct Encoder {
    stream: Option<Stream>,
    flush: bool,
}

enum Stream {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// With `flush` each piece can be decoded as soon as it has come.
    pub(super) fn new(encoding: Encoding, flush: bool) -> io::Result<Self> {
        let stream = match encoding {
            Encoding::Gzip => Stream::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
            Encoding::Brotli => Stream::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            Encoding::Zstd => Stream::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        };
        Ok(Self { stream: Some(stream), flush })
    }
}

impl BodyFilter for Encoder {
    fn data(&mut self, piece: Bytes, out: &mut BodySink) -> Result<(), ProxyError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        out.push(stream.encode(&piece, self.flush).map_err(failed)?.into());
        Ok(())
    }

    fn end(&mut self, out: &mut BodySink) -> Result<(), ProxyError> {
        if let Some(stream) = self.stream.take() {
            out.push(stream.finish().map_err(failed)?.into());
        }
        Ok(())
    }

    fn changes_length(&self) -> bool {
        true
    }
}

impl Stream {
    fn encode(&mut self, piece: &[u8], flush: bool) -> io::Result<Vec<u8>> {
        let writer: &mut dyn Write = match self {
            Self::Gzip(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        };
        writer.write_all(piece)?;
        if flush {
            writer.flush()?;
        }
        Ok(std::mem::take(match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }))
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

fn failed(cause: io::Error) -> ProxyError {
    ProxyError::new(ErrorKind::Internal).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn decode(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match encoding {
            Encoding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
            Encoding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
            Encoding::Zstd => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut out),
        }
        .unwrap();
        out
    }

    #[test]
    fn what_goes_in_comes_out_whatever_the_pieces() {
        for encoding in [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd] {
            for flush in [false, true] {
                let mut encoder = Encoder::new(encoding, flush).unwrap();
                let (mut sink, mut plain, mut coded) = (BodySink::default(), Vec::new(), Vec::new());
                for n in 0..50usize {
                    let piece = vec![u8::try_from(n).unwrap(); n * 37];
                    plain.extend_from_slice(&piece);
                    encoder.data(piece.into(), &mut sink).unwrap();
                    assert!(!flush || n == 0 || !sink.is_empty(), "{encoding:?} held a piece back");
                    sink.drain().for_each(|piece| coded.extend_from_slice(&piece));
                }
                encoder.end(&mut sink).unwrap();
                sink.drain().for_each(|piece| coded.extend_from_slice(&piece));
                assert_eq!(decode(encoding, &coded), plain, "{encoding:?} {flush}");
                assert!(coded.len() < plain.len() / 4);
            }
        }
    }
}

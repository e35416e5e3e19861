//! Which HTTP a client of a plain listener speaks: HTTP/2 with prior knowledge begins with a preface that no HTTP/1
//! request begins with (RFC 9113 section 3.4).

use super::socket::Socket;
use bytes::BytesMut;
use std::io;
use tokio::io::AsyncReadExt;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for a common request head, so that HTTP/1 rarely reads twice.
const FIRST_READ: usize = 2 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    H1,
    H2,
}

/// `None` when the client went away without a word.
pub(crate) async fn detect(socket: &mut Socket) -> io::Result<Option<Spoken>> {
    let mut bytes = BytesMut::with_capacity(FIRST_READ);
    loop {
        if let Some(spoken) = classify(&bytes) {
            socket.put_back(bytes.freeze());
            return Ok(Some(spoken));
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// `None` while the bytes could still become a preface.
fn classify(bytes: &[u8]) -> Option<Spoken> {
    let known = bytes.len().min(PREFACE.len());
    if bytes.get(..known) != PREFACE.get(..known) {
        return Some(Spoken::H1);
    }
    (known == PREFACE.len()).then_some(Spoken::H2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_told_from_a_request() {
        for (bytes, expected) in [
            (&b""[..], None),
            (b"P", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (PREFACE, Some(Spoken::H2)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", Some(Spoken::H2)),
            (b"PUT / HTTP/1.1\r\n", Some(Spoken::H1)),
            (b"PRI * HTTP/2.0\r\n\r\nXX", Some(Spoken::H1)),
            (b"G", Some(Spoken::H1)),
        ] {
            assert_eq!(classify(bytes), expected, "{bytes:?}");
        }
    }
}

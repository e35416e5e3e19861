//! HTTP/2 frames by hand (RFC 9113, RFC 7541), for clients that break the rules. Headers are written as literals
//! without indexing, so no table is needed; of what comes back only the frames are read, not the compressed fields.

use crate::raw::RawClient;

/// What a client sends first, RFC 9113 section 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM or GOAWAY.
    pub fn error_code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        self.payload.get(at..at + 4).map(|code| u32::from_be_bytes(code.try_into().unwrap_or_default()))
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("a payload of less than 16 MiB").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block of literals without indexing.
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        push_string(&mut block, name);
        push_string(&mut block, value);
    }
    block
}

/// The header block of a plain request.
pub fn request_block(method: &str, authority: &str, path: &str) -> Vec<u8> {
    header_block(&[(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)])
}

/// Preface and empty SETTINGS: what an honest client begins with.
pub fn greeting() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, [])].concat()
}

/// The next frame; panics when none comes.
#[track_caller]
pub fn read_frame(client: &mut RawClient) -> Frame {
    try_read_frame(client).unwrap_or_else(|| panic!("no frame came; {client:?}"))
}

/// The next frame; `None` when the connection ends without one.
pub fn try_read_frame(client: &mut RawClient) -> Option<Frame> {
    let head = client.try_read(9)?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], flags: head[4], stream, payload: client.try_read(length)? })
}

/// The next frame of this kind; others are passed over. Panics when none comes.
#[track_caller]
pub fn read_frame_of(client: &mut RawClient, kind: u8) -> Frame {
    loop {
        let frame = read_frame(client);
        if frame.kind == kind {
            return frame;
        }
    }
}

/// Every whole frame in what came until the connection ended.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut found = Vec::new();
    while let [a, b, c, kind, flags, s1, s2, s3, s4, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(payload) = rest.get(..length) else { break };
        let stream = u32::from_be_bytes([s1 & 0x7f, *s2, *s3, *s4]);
        found.push(Frame { kind: *kind, flags: *flags, stream, payload: payload.to_vec() });
        bytes = &rest[length..];
    }
    found
}

/// A string literal without Huffman coding: a length in a prefix of seven bits (RFC 7541, sections 5.1 and 5.2).
fn push_string(block: &mut Vec<u8>, text: &str) {
    let length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).expect("less than 127"));
    } else {
        block.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).expect("less than 128") | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).expect("less than 128"));
    }
    block.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    #[test]
    fn a_request_by_hand_is_answered() {
        let origin = Origin::h2c();
        let mut client = RawClient::connect(origin.addr());
        let long = "v".repeat(300);
        let block = [request_block("GET", "a.test", "/echo"), header_block(&[("x-long", &long)])].concat();
        client.send(greeting()).send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
        assert_eq!(read_frame_of(&mut client, HEADERS).stream, 1);
        let requests = origin.requests();
        assert_eq!(requests[0].header("x-long"), long);
    }
}

//! The HTTP/2 half of playing a case: frames by hand, and the few bits of HPACK that tell a status.

use pn_testkit::h2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, header_block, read_frame, try_read_frame,
};
use pn_testkit::{End, RawClient, Session};

use crate::case::Case;
use crate::play::Play;

// Error codes, RFC 9113 section 7.
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// HEADERS that begin and end a request.
pub(crate) const WHOLE: u8 = END_HEADERS | END_STREAM;

/// A request as a list of fields.
pub(crate) type Fields = &'static [(&'static str, &'static str)];

pub(crate) const GET: Fields =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "{host}"), (":path", "/")];
pub(crate) const POST: Fields =
    &[(":method", "POST"), (":scheme", "http"), (":authority", "{host}"), (":path", "/")];

/// SETTINGS that keep the server from indexing, so that each status stands for itself.
const NO_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];

/// What a client of HTTP/2 does and meets.
impl Case {
    /// Preface and SETTINGS.
    pub(crate) fn h2(self) -> Self {
        self.step(|play| play.send(&[PREFACE, &frame(SETTINGS, 0, 0, NO_TABLE)].concat()))
    }

    pub(crate) fn frame(self, kind: u8, flags: u8, stream: u32, payload: &'static [u8]) -> Self {
        self.step(move |play| play.send_frame(kind, flags, stream, payload))
    }

    pub(crate) fn headers(self, flags: u8, stream: u32, fields: Fields) -> Self {
        self.step(move |play| {
            let block = play.block(fields);
            play.send_frame(HEADERS, flags, stream, &block);
        })
    }

    /// A whole GET.
    pub(crate) fn asks(self, stream: u32) -> Self {
        self.headers(WHOLE, stream, GET)
    }

    /// The stream is answered with this status.
    pub(crate) fn told(self, stream: u32, status: u16) -> Self {
        self.step(move |play| assert_eq!(play.status_of(stream), status))
    }

    /// The stream is reset with this code, and not answered before.
    pub(crate) fn resets(self, stream: u32, code: u32) -> Self {
        self.step(move |play| {
            let frame = play.frame_of(stream, &[RST_STREAM, HEADERS]);
            assert_eq!((frame.kind, frame.error_code()), (RST_STREAM, Some(code)), "{frame:?}");
        })
    }

    /// The request is refused as malformed and goes nowhere: by 400, by a reset (RFC 9113 section 8.1.1), or by the end of
    /// the whole connection, which section 5.4.1 allows and the h2 library does where fields cannot be read.
    pub(crate) fn malformed(self, stream: u32) -> Self {
        let refused = self.step(move |play| {
            let frame = play.frame_of_any(&[RST_STREAM, HEADERS, GOAWAY]);
            if frame.kind == HEADERS {
                assert_eq!((frame.stream, status(&frame.payload)), (stream, Some(400)), "{frame:?}");
            } else {
                assert_eq!(frame.error_code(), Some(PROTOCOL_ERROR), "{frame:?}");
            }
            if frame.kind == GOAWAY {
                assert_ne!(play.client().end().0, End::Open);
            } else {
                play.ping();
            }
        });
        refused.upstream(0)
    }

    /// GOAWAY with one of these codes, and the end of the connection.
    pub(crate) fn goaway(self, codes: &'static [u32]) -> Self {
        self.step(move |play| {
            let frame = play.frame_of(0, &[GOAWAY]);
            let code = frame.error_code().unwrap_or_default();
            assert!(codes.contains(&code), "GOAWAY {code}, expected one of {codes:?}");
            assert_ne!(play.client().end().0, End::Open);
        })
    }

    /// The connection still answers.
    pub(crate) fn alive(self) -> Self {
        self.step(|play| play.ping())
    }
}

impl Play<'_> {
    pub(crate) fn send_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.client().send(frame(kind, flags, stream, payload));
    }

    /// A header block of these fields, with what stands in braces filled in.
    pub(crate) fn block(&self, fields: &[(&str, &str)]) -> Vec<u8> {
        let filled: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), self.fill_text(value))).collect();
        header_block(&filled.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>())
    }

    /// The next frame of a stream of one of these kinds. GOAWAY with an error ends the wait for anything else.
    pub(crate) fn frame_of(&mut self, stream: u32, kinds: &[u8]) -> Frame {
        loop {
            let frame = read_frame(self.client());
            if frame.stream == stream && kinds.contains(&frame.kind) {
                return frame;
            }
            let fatal = frame.kind == GOAWAY && frame.error_code() != Some(NO_ERROR);
            assert!(!fatal, "waited for {kinds:?} of stream {stream}, got {frame:?}");
        }
    }

    /// All frames that come until the server has answered two pings, or has ended the connection: whatever it has to
    /// say of what was sent before is among them.
    pub(crate) fn reactions(&mut self) -> Vec<Frame> {
        let mut came = Vec::new();
        for payload in [b"reaction", b"it is it"] {
            self.send_frame(PING, 0, 0, payload);
            loop {
                let Some(frame) = try_read_frame(self.client()) else { return came };
                if frame.kind == PING && frame.flags == ACK && frame.payload == payload {
                    break;
                }
                came.push(frame);
            }
        }
        came
    }

    /// The error of the first RST_STREAM or GOAWAY among the reactions; `None` when there is none.
    pub(crate) fn objection(&mut self) -> Option<u32> {
        let reactions = self.reactions();
        let bad = |frame: &&Frame| matches!(frame.kind, RST_STREAM | GOAWAY);
        reactions.iter().find(bad).and_then(Frame::error_code)
    }

    /// The next frame of one of these kinds, of whichever stream.
    pub(crate) fn frame_of_any(&mut self, kinds: &[u8]) -> Frame {
        loop {
            let frame = read_frame(self.client());
            if kinds.contains(&frame.kind) {
                return frame;
            }
        }
    }

    /// The stream ends in refusal: reset with any error, or answered with 400 or 502.
    pub(crate) fn refused_or_reset(&mut self, stream: u32) {
        let frame = self.frame_of(stream, &[HEADERS, RST_STREAM]);
        match frame.kind {
            HEADERS => assert!(matches!(status(&frame.payload), Some(400)), "{frame:?}"),
            _ => assert_ne!(frame.error_code(), Some(NO_ERROR), "{frame:?}"),
        }
    }

    /// A stream of which nothing more came is given up: 408 or a reset; the connection answers on.
    pub(crate) fn stalled(&mut self, stream: u32) {
        let frame = self.frame_of(stream, &[HEADERS, RST_STREAM]);
        match frame.kind {
            HEADERS => assert_eq!(status(&frame.payload), Some(408), "{frame:?}"),
            _ => assert_ne!(frame.error_code(), Some(NO_ERROR), "{frame:?}"),
        }
        self.ping();
    }

    /// Another connection is answered meanwhile.
    pub(crate) fn others_are_served(&self) {
        let reply = Session::h2c(self.stage.address(self.case.listener)).get("probe.test", "/");
        assert_eq!(reply.status, 200);
    }

    pub(crate) fn status_of(&mut self, stream: u32) -> u16 {
        let frame = self.frame_of(stream, &[HEADERS, RST_STREAM]);
        assert_eq!(frame.kind, HEADERS, "{frame:?}");
        status(&frame.payload).unwrap_or_else(|| panic!("no status: {frame:?}"))
    }

    /// The data of a stream until its end.
    pub(crate) fn data_of(&mut self, stream: u32) -> Vec<u8> {
        let mut data = Vec::new();
        loop {
            let frame = self.frame_of(stream, &[DATA, RST_STREAM]);
            assert_eq!(frame.kind, DATA, "{frame:?}");
            data.extend(&frame.payload);
            if frame.flags & END_STREAM != 0 {
                return data;
            }
        }
    }

    fn ping(&mut self) {
        let payload = *b"are you?";
        self.send_frame(PING, 0, 0, &payload);
        while {
            let frame = self.frame_of(0, &[PING]);
            frame.flags != ACK || frame.payload != payload
        } {}
    }
}

/// SETTINGS with these values.
pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload = values.iter().flat_map(|(name, value)| {
        let [a, b] = name.to_be_bytes();
        let [c, d, e, f] = value.to_be_bytes();
        [a, b, c, d, e, f]
    });
    frame(SETTINGS, 0, 0, payload.collect::<Vec<u8>>())
}

/// Sends frames until the server closes; then says so.
pub(crate) fn flood(client: &mut RawClient, count: usize, frames: impl Fn(usize) -> Vec<u8>) {
    for number in 0..count {
        client.send(frames(number));
    }
}

pub(crate) fn continuation(stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(CONTINUATION, 0, stream, payload)
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

/// `:status`, which is the first field of a response (RFC 7541, appendix A: the static table from 8 on).
pub(crate) fn status(block: &[u8]) -> Option<u16> {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        // A change of the table's size stands before.
        [0x20..=0x3f, rest @ ..] => status(rest),
        [index @ 0x88..=0x8e, ..] => STATIC.get(usize::from(index - 0x88)).copied(),
        [0x48 | 0x08 | 0x18, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        [0x48 | 0x08 | 0x18, coded @ 0x80..=0xff, digits @ ..] => {
            huffman_digits(digits.get(..usize::from(coded & 0x7f))?).parse().ok()
        }
        _ => None,
    }
}

/// RFC 7541, appendix B: `0` to `2` are five bits, the other digits six.
fn huffman_digits(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |sum, bit| sum << 1 | u32::from(*bit));
    let (mut rest, mut text) = (&bits[..], String::new());
    while let Some(short) = rest.get(..5).map(number) {
        let long = rest.get(..6).map(number);
        let (digit, length) = match (short, long) {
            (0..=2, _) => (short, 5),
            (_, Some(long @ 0x19..=0x1f)) => (long - 0x19 + 3, 6),
            _ => break,
        };
        text.extend(char::from_digit(digit, 10));
        rest = &rest[length..];
    }
    text
}

#[test]
fn a_status_is_read() {
    let rows: [(&[u8], Option<u16>); 6] = [
        (&[0x88], Some(200)),
        (&[0x20, 0x8d, 0x5f], Some(404)),
        (&[0x48, 3, b'4', b'2', b'1'], Some(421)),
        (&[0x48, 0x82, 0x64, 0x02], Some(302)),
        (&[0x48, 0x82, 0x68, 0x41], Some(421)),
        (&[0x82], None),
    ];
    for (block, expected) in rows {
        assert_eq!(status(block), expected, "{block:x?}");
    }
}

//! Frames of HTTP/2 clients that break the rules: RFC 9113 sections 3 to 6, RFC 7541.

use pn_testkit::h2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};

use super::rows;
use crate::case::{Case, case};
use crate::h2::{COMPRESSION_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR, WHOLE};

const PUSH_PROMISE: u8 = 5;
const PADDED: u8 = 8;

/// The RFC's own code, and the broader one that the h2 library sends where it cannot read a frame.
const SIZE: &[u32] = &[FRAME_SIZE_ERROR, PROTOCOL_ERROR];
const COMPRESSION: &[u32] = &[COMPRESSION_ERROR, PROTOCOL_ERROR];

/// kind, flags, stream, payload
type Raw = (u8, u8, u32, &'static [u8]);

/// id, section, behaviour, frames, codes: GOAWAY with one of them, and the end.
struct Fatal(&'static str, &'static str, &'static str, &'static [Raw], &'static [u32]);

impl From<&Fatal> for Case {
    fn from(&Fatal(id, section, behaviour, frames, codes): &Fatal) -> Self {
        let begun = case(id, section, behaviour).h2();
        let sent = frames
            .iter()
            .fold(begun, |case, &(kind, flags, stream, payload)| case.frame(kind, flags, stream, payload));
        sent.goaway(codes).upstream(0)
    }
}

const FATAL: &[Fatal] = &[
    Fatal(
        "settings-on-stream",
        "RFC 9113 §6.5",
        "SETTINGS on a stream is fatal",
        &[(SETTINGS, 0, 1, b"")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "settings-length",
        "RFC 9113 §6.5",
        "SETTINGS of a length that is no multiple of six is fatal",
        &[(SETTINGS, 0, 0, b"\0\x03\0\0\0")],
        SIZE,
    ),
    Fatal(
        "settings-ack-length",
        "RFC 9113 §6.5",
        "An acknowledgement of SETTINGS with a payload is fatal",
        &[(SETTINGS, ACK, 0, b"\0\x03\0\0\0\x01")],
        SIZE,
    ),
    Fatal(
        "settings-push",
        "RFC 9113 §6.5.2",
        "ENABLE_PUSH other than 0 and 1 is fatal",
        &[(SETTINGS, 0, 0, b"\0\x02\0\0\0\x02")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "settings-window",
        "RFC 9113 §6.5.2",
        "INITIAL_WINDOW_SIZE above 2^31-1 is fatal",
        &[(SETTINGS, 0, 0, b"\0\x04\x80\0\0\0")],
        &[FLOW_CONTROL_ERROR, PROTOCOL_ERROR],
    ),
    Fatal(
        "settings-frame-size-small",
        "RFC 9113 §6.5.2",
        "MAX_FRAME_SIZE below 16,384 is fatal",
        &[(SETTINGS, 0, 0, b"\0\x05\0\0\x3f\xff")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "settings-frame-size-large",
        "RFC 9113 §6.5.2",
        "MAX_FRAME_SIZE above 2^24-1 is fatal",
        &[(SETTINGS, 0, 0, b"\0\x05\x01\0\0\0")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "ping-on-stream",
        "RFC 9113 §6.7",
        "PING on a stream is fatal",
        &[(PING, 0, 1, b"12345678")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "ping-length",
        "RFC 9113 §6.7",
        "PING of another length than eight is fatal",
        &[(PING, 0, 0, b"1234567")],
        SIZE,
    ),
    Fatal(
        "goaway-on-stream",
        "RFC 9113 §6.8",
        "GOAWAY on a stream is fatal",
        &[(7, 0, 1, b"\0\0\0\0\0\0\0\0")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "headers-on-stream-0",
        "RFC 9113 §6.2",
        "HEADERS on stream 0 is fatal",
        &[(HEADERS, WHOLE, 0, b"\x82\x84\x86\x41\x01a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "headers-on-even-stream",
        "RFC 9113 §5.1.1",
        "A stream that a client may not open is fatal",
        &[(HEADERS, WHOLE, 2, b"\x82\x84\x86\x41\x01a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "data-on-stream-0",
        "RFC 9113 §6.1",
        "DATA on stream 0 is fatal",
        &[(DATA, 0, 0, b"a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "data-on-idle-stream",
        "RFC 9113 §5.1",
        "DATA on a stream that was never opened is fatal",
        &[(DATA, 0, 1, b"a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "reset-on-stream-0",
        "RFC 9113 §6.4",
        "RST_STREAM on stream 0 is fatal",
        &[(RST_STREAM, 0, 0, b"\0\0\0\0")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "reset-on-idle-stream",
        "RFC 9113 §6.4",
        "RST_STREAM on a stream that was never opened is fatal",
        &[(RST_STREAM, 0, 1, b"\0\0\0\0")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "reset-length",
        "RFC 9113 §6.4",
        "RST_STREAM of another length than four is fatal",
        &[(RST_STREAM, 0, 1, b"\0\0\0")],
        SIZE,
    ),
    Fatal(
        "window-update-of-0",
        "RFC 9113 §6.9",
        "WINDOW_UPDATE of 0 for the connection is fatal",
        &[(WINDOW_UPDATE, 0, 0, b"\0\0\0\0")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "window-update-length",
        "RFC 9113 §6.9",
        "WINDOW_UPDATE of another length than four is fatal",
        &[(WINDOW_UPDATE, 0, 0, b"\0\0\x01")],
        SIZE,
    ),
    Fatal(
        "window-update-overflow",
        "RFC 9113 §6.9.1",
        "A connection window beyond 2^31-1 is fatal",
        &[(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")],
        &[FLOW_CONTROL_ERROR],
    ),
    Fatal(
        "window-update-on-idle-stream",
        "RFC 9113 §5.1",
        "WINDOW_UPDATE on a stream that was never opened is fatal",
        &[(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "push-promise",
        "RFC 9113 §8.4",
        "PUSH_PROMISE of a client is fatal",
        &[(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82\x84\x86\x41\x01a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "continuation-alone",
        "RFC 9113 §6.10",
        "CONTINUATION without HEADERS is fatal",
        &[(CONTINUATION, END_HEADERS, 1, b"\x82\x84\x86\x41\x01a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "continuation-of-another",
        "RFC 9113 §6.10",
        "CONTINUATION of another stream is fatal",
        &[(HEADERS, END_STREAM, 1, b"\x82\x84\x86"), (CONTINUATION, END_HEADERS, 3, b"\x41\x01a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "frame-between-headers",
        "RFC 9113 §6.10",
        "A frame between HEADERS and its CONTINUATION is fatal",
        &[(HEADERS, END_STREAM, 1, b"\x82\x84\x86"), (PING, 0, 0, b"12345678")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "padding-too-long",
        "RFC 9113 §6.2",
        "Padding as long as its frame is fatal",
        &[(HEADERS, WHOLE | PADDED, 1, b"\x20\x82\x84\x86\x41\x01a")],
        &[PROTOCOL_ERROR],
    ),
    Fatal(
        "hpack-index",
        "RFC 7541 §2.3.3",
        "An index beyond both tables is fatal",
        &[(HEADERS, WHOLE, 1, b"\x82\x84\x86\xff\x50")],
        COMPRESSION,
    ),
    Fatal(
        "hpack-index-0",
        "RFC 7541 §6.1",
        "Index 0 is fatal",
        &[(HEADERS, WHOLE, 1, b"\x82\x84\x86\x80")],
        COMPRESSION,
    ),
    Fatal(
        "hpack-table-size",
        "RFC 7541 §6.3",
        "A table larger than was allowed is fatal",
        &[(HEADERS, WHOLE, 1, b"\x3f\xe1\xff\x03\x82\x84\x86\x41\x01a")],
        COMPRESSION,
    ),
    Fatal(
        "hpack-huffman",
        "RFC 7541 §5.2",
        "Huffman padding that is not all ones is fatal",
        &[(HEADERS, WHOLE, 1, b"\x82\x84\x86\x41\x81\x00")],
        COMPRESSION,
    ),
    Fatal(
        "hpack-cut",
        "RFC 7541 §5.2",
        "A string longer than its block is fatal",
        &[(HEADERS, WHOLE, 1, b"\x82\x84\x86\x41\x7fabc")],
        COMPRESSION,
    ),
    Fatal(
        "hpack-integer",
        "RFC 7541 §5.1",
        "An integer without end is fatal",
        &[(HEADERS, WHOLE, 1, b"\x82\x84\x86\x41\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")],
        COMPRESSION,
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    rows(FATAL)
}

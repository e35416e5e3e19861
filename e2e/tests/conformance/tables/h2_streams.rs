//! Prefaces, streams and what is tolerated of HTTP/2 clients: RFC 9113 sections 3.4 and 5.

use pn_testkit::h2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    frame,
};

use crate::case::{Case, case};
use crate::h2::{FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GET, PROTOCOL_ERROR, STREAM_CLOSED, WHOLE};

const PRIORITY: u8 = 2;
const PADDED: u8 = 8;

pub(crate) fn cases() -> Vec<Case> {
    [prefaces(), tolerated(), streams()].into_iter().flatten().collect()
}

fn prefaces() -> Vec<Case> {
    vec![
        case(
            "preface",
            "RFC 9113 §3.4",
            "A client with prior knowledge gets SETTINGS first, and its own acknowledged",
        )
        .h2()
        .step(|play| {
            let first = pn_testkit::h2::read_frame(play.client());
            assert_eq!((first.kind, first.flags), (SETTINGS, 0), "{first:?}");
            while play.frame_of(0, &[SETTINGS]).flags != ACK {}
        }),
        case(
            "preface-cut",
            "RFC 9113 §3.4",
            "A preface that goes wrong is refused and not answered as HTTP/2",
        )
        .send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        .gets(505)
        .closed(),
        case("preface-without-settings", "RFC 9113 §3.4", "A preface without SETTINGS does no harm")
            .step(|play| {
                play.send(PREFACE);
                let block = play.block(GET);
                play.send_frame(HEADERS, WHOLE, 1, &block);
                // The RFC lets a server treat it as an error; h2 takes it.
                let frame = pn_testkit::h2::read_frame(play.client());
                assert_eq!(frame.kind, SETTINGS, "{frame:?}");
            })
            .step(|play| assert!(play.seen().expect("well-formed").len() <= 1)),
        case("preface-in-pieces", "RFC 9113 §3.4", "A preface may come byte by byte")
            .step(|play| {
                for byte in PREFACE {
                    play.send(&[*byte]);
                }
                play.send(&frame(SETTINGS, 0, 0, []));
            })
            .alive(),
    ]
}

fn tolerated() -> Vec<Case> {
    vec![
        case("settings-unknown", "RFC 9113 §6.5.2", "Unknown settings are passed over")
            .h2()
            .frame(SETTINGS, 0, 0, b"\xff\xff\0\0\0\x01")
            .asks(1)
            .told(1, 200),
        case("frame-unknown", "RFC 9113 §5.5", "Unknown frames are passed over")
            .h2()
            .frame(0xfa, 0xff, 0, b"whatever")
            .frame(0xfa, 0xff, 1, b"whatever")
            .asks(1)
            .told(1, 200),
        case("ping", "RFC 9113 §6.7", "PING is answered with its own payload").h2().alive(),
        case("priority", "RFC 9113 §5.3.2", "PRIORITY means nothing and does no harm")
            .h2()
            .frame(PRIORITY, 0, 5, b"\0\0\0\x03\x10")
            .asks(7)
            .told(7, 200),
        case("padding", "RFC 9113 §6.1", "Padding is taken off")
            .h2()
            .headers(
                END_HEADERS,
                1,
                &[(":method", "POST"), (":scheme", "http"), (":authority", "{host}"), (":path", "/")],
            )
            .frame(DATA, END_STREAM | PADDED, 1, b"\x03abc\0\0\0")
            .told(1, 200)
            .upstream(1)
            .step(|play| assert_eq!(play.seen().expect("well-formed")[0].body, b"abc")),
        case("continuation", "RFC 9113 §6.10", "A head in CONTINUATION frames is put together")
            .h2()
            .step(|play| {
                let block = play.block(GET);
                let (first, rest) = block.split_at(5);
                let (second, third) = rest.split_at(5);
                play.send_frame(HEADERS, END_STREAM, 1, first);
                play.send_frame(CONTINUATION, 0, 1, second);
                play.send_frame(CONTINUATION, END_HEADERS, 1, third);
            })
            .told(1, 200)
            .upstream(1),
    ]
}

fn streams() -> Vec<Case> {
    vec![
        case("frame-too-large", "RFC 9113 §4.2", "A frame beyond MAX_FRAME_SIZE is fatal")
            .h2()
            .step(|play| {
                let block = play.block(GET);
                play.send_frame(HEADERS, END_HEADERS, 1, &block);
                play.send_frame(DATA, 0, 1, &[0; 20_000]);
            })
            .goaway(&[FRAME_SIZE_ERROR]),
        case(
            "stream-number-falls",
            "RFC 9113 §5.1.1",
            "A stream below the highest one opened is fatal or refused",
        )
        .h2()
        .asks(5)
        .told(5, 200)
        .asks(3)
        .goaway(&[PROTOCOL_ERROR, STREAM_CLOSED])
        .upstream(1),
        case("data-after-end", "RFC 9113 §5.1", "DATA behind END_STREAM is refused")
            .h2()
            .asks(1)
            .frame(DATA, END_STREAM, 1, b"evil")
            .step(|play| {
                let code = play.objection();
                assert!(code.is_none_or(|code| code == STREAM_CLOSED || code == PROTOCOL_ERROR), "{code:?}");
            })
            .never("evil"),
        case(
            "window-update-of-0-on-stream",
            "RFC 9113 §6.9",
            "WINDOW_UPDATE of 0 on a stream is an error of the stream",
        )
        .h2()
        .headers(END_HEADERS, 1, crate::h2::POST)
        .frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0")
        .step(|play| assert_eq!(play.objection(), Some(PROTOCOL_ERROR))),
        case(
            "window-update-overflow-on-stream",
            "RFC 9113 §6.9.1",
            "A stream's window beyond 2^31-1 is an error of the stream",
        )
        .h2()
        .headers(END_HEADERS, 1, crate::h2::POST)
        .frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff")
        .resets(1, FLOW_CONTROL_ERROR)
        .alive(),
        case(
            "connection-goes-on-after-reset",
            "RFC 9113 §5.4.2",
            "A stream that is reset leaves the others alone",
        )
        .h2()
        .headers(END_HEADERS, 1, crate::h2::POST)
        .frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
        .asks(3)
        .told(3, 200)
        .alive(),
    ]
}

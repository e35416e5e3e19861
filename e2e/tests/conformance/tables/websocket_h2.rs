//! WebSocket over HTTP/2 to upstreams of HTTP/1.1: RFC 8441.

use std::time::Duration;

use pn_testkit::h2::{DATA, END_HEADERS, END_STREAM, RST_STREAM};
use proxy_now_e2e::read_request;

use crate::case::{Case, case};
use crate::h2::Fields;

const ASK: Fields = &[
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "{host}"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
    ("origin", "http://example.com"),
];
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    [opened(), ended(), refused()].into_iter().flatten().collect()
}

fn opened() -> Vec<Case> {
    vec![
        case(
            "h2-websocket",
            "RFC 8441 §5",
            "Extended CONNECT becomes a handshake with a key of this proxy's own, and 200",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(SWITCH)?;
            wire.stall()
        })
        .h2()
        .headers(END_HEADERS, 1, ASK)
        .told(1, 200)
        .upstream(1)
        .sees("GET /chat HTTP/1.1\r\n")
        .sees("upgrade: websocket\r\n")
        .sees("connection: upgrade\r\n")
        .sees("sec-websocket-key: ")
        .sees("sec-websocket-version: 13\r\n")
        .sees("origin: http://example.com\r\n")
        .never("content-length")
        .never("transfer-encoding"),
        case(
            "h2-websocket-data",
            "RFC 8441 §5",
            "DATA are the tunnel's bytes, both ways, also those right behind the 101",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send([SWITCH.as_bytes(), b"early"].concat())?;
            wire.read_until(b"ping")?;
            wire.send("pong")?;
            wire.stall()
        })
        .h2()
        .headers(END_HEADERS, 1, ASK)
        .told(1, 200)
        .step(|play| assert_eq!(play.frame_of(1, &[DATA]).payload, b"early"))
        .frame(DATA, 0, 1, b"ping")
        .step(|play| assert_eq!(play.frame_of(1, &[DATA]).payload, b"pong")),
    ]
}

fn ended() -> Vec<Case> {
    vec![
        case(
            "h2-websocket-quiet",
            "RFC 8441 §5",
            "A tunnel that is quiet keeps its connection, though no request is under way beside it",
        )
        .listener("hasty")
        .origin(|wire| {
            read_request(wire)?;
            wire.send(SWITCH)?;
            wire.pause(Duration::from_secs(4));
            wire.send("still here")?;
            wire.stall()
        })
        .h2()
        .headers(END_HEADERS, 1, ASK)
        .told(1, 200)
        .step(|play| assert_eq!(play.frame_of(1, &[DATA]).payload, b"still here")),
        case("h2-websocket-end", "RFC 8441 §5", "END_STREAM of the client is the upstream's FIN")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.stall()
            })
            .h2()
            .headers(END_HEADERS, 1, ASK)
            .told(1, 200)
            .frame(DATA, END_STREAM, 1, b"bye")
            .step(|play| play.origin_is_left())
            .sees("bye"),
        case("h2-websocket-upstream-end", "RFC 8441 §5", "The upstream's FIN ends the stream, and no other")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.send("bye")
            })
            .h2()
            .headers(END_HEADERS, 1, ASK)
            .told(1, 200)
            .step(|play| assert_eq!(play.data_of(1), b"bye"))
            .alive(),
        case("h2-websocket-reset", "RFC 8441 §5", "RST_STREAM of the client ends the upstream's connection")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.stall()
            })
            .h2()
            .headers(END_HEADERS, 1, ASK)
            .told(1, 200)
            .frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
            .step(|play| play.origin_is_left())
            .alive(),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case(
            "h2-websocket-refused",
            "RFC 8441 §5",
            "An upstream that refuses the handshake answers the CONNECT",
        )
        .answers(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        .h2()
        .headers(END_HEADERS, 1, ASK)
        .told(1, 403)
        .alive(),
        case("h2-websocket-without-path", "RFC 8441 §4", "Extended CONNECT without a path is malformed")
            .h2()
            .headers(
                END_HEADERS,
                1,
                &[
                    (":method", "CONNECT"),
                    (":protocol", "websocket"),
                    (":scheme", "http"),
                    (":authority", "{host}"),
                ],
            )
            .malformed(1),
        case("h2-websocket-without-scheme", "RFC 8441 §4", "Extended CONNECT without a scheme is malformed")
            .h2()
            .headers(
                END_HEADERS,
                1,
                &[
                    (":method", "CONNECT"),
                    (":protocol", "websocket"),
                    (":path", "/"),
                    (":authority", "{host}"),
                ],
            )
            .malformed(1),
        case("h2-protocol-h2c", "RFC 8441 §4", "Extended CONNECT opens no tunnel to HTTP/2 itself")
            .origin(|wire| {
                read_request(wire)?;
                wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")?;
                wire.stall()
            })
            .h2()
            .headers(
                END_HEADERS,
                1,
                &[
                    (":method", "CONNECT"),
                    (":protocol", "h2c"),
                    (":scheme", "http"),
                    (":path", "/"),
                    (":authority", "{host}"),
                ],
            )
            .step(|play| assert!(play.status_of(1) >= 400))
            .upstream(0),
    ]
}

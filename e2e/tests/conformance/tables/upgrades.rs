//! WebSocket and other changes of protocol: RFC 6455, RFC 9110 section 7.8.

use pn_testkit::End;
use proxy_now_e2e::read_request;

use crate::case::{Case, case};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://example.com\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
/// `Hello` as a masked text frame, RFC 6455 section 5.7.
const MASKED: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const UNMASKED: &[u8] = b"\x81\x05Hello";
const CLOSE: &[u8] = b"\x88\x82\x00\x00\x00\x00\x03\xe8";
const CLOSE_BACK: &[u8] = b"\x88\x02\x03\xe8";

pub(crate) fn cases() -> Vec<Case> {
    [handshake(), tunnel(), eager_ends(), refused()].into_iter().flatten().collect()
}

fn handshake() -> Vec<Case> {
    vec![
        case("websocket-request", "RFC 6455 §4.1", "The handshake reaches the upstream with all its fields")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.stall()
            })
            .send(ASK)
            .gets(101)
            .sees("GET /chat HTTP/1.1\r\n")
            .sees("connection: upgrade\r\n")
            .sees("upgrade: websocket\r\n")
            .sees("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
            .sees("sec-websocket-version: 13\r\n")
            .sees("sec-websocket-protocol: chat, superchat\r\n")
            .sees("sec-websocket-extensions: permessage-deflate\r\n")
            .sees("origin: http://example.com\r\n")
            .upstream(1),
        case("websocket-response", "RFC 6455 §4.2.2", "The answer reaches the client with all its fields")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.stall()
            })
            .send(ASK)
            .gets(101)
            .step(|play| {
                assert!(play.last().header("upgrade").eq_ignore_ascii_case("websocket"), "{:?}", play.last());
                assert!(
                    play.last().header("connection").eq_ignore_ascii_case("upgrade"),
                    "{:?}",
                    play.last()
                );
            })
            .field("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            .field("sec-websocket-protocol", "chat")
            .without("content-length")
            .without("transfer-encoding"),
        case(
            "websocket-version",
            "RFC 6455 §4.4",
            "A version that the upstream refuses with 426 is told, and the connection goes on",
        )
        .answers(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n")
        .send(ASK)
        .gets(426)
        .field("sec-websocket-version", "13")
        .kept(),
    ]
}

fn tunnel() -> Vec<Case> {
    vec![
        case("websocket-frames", "RFC 6455 §5.3", "Frames pass both ways byte for byte, masks included")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.read_until(MASKED)?;
                wire.send(UNMASKED)?;
                wire.stall()
            })
            .send(ASK)
            .gets(101)
            .send(MASKED)
            .reads(UNMASKED),
        case(
            "websocket-close",
            "RFC 6455 §7.1.1",
            "Close frames pass both ways, and the upstream's end is the client's",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(SWITCH)?;
            wire.read_until(CLOSE)?;
            wire.send(CLOSE_BACK)
        })
        .send(ASK)
        .gets(101)
        .send(CLOSE)
        .reads(CLOSE_BACK)
        .closed(),
        case("websocket-client-gone", "RFC 6455 §7.1.1", "The client's end is the upstream's")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.stall()
            })
            .send(ASK)
            .gets(101)
            .step(|play| play.reconnect())
            .step(|play| play.origin_is_left()),
        case(
            "websocket-upstream-reset",
            "RFC 6455 §7.1.7",
            "An upstream that resets ends the client's connection",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(SWITCH)?;
            wire.read_until(MASKED)?;
            wire.reset()
        })
        .send(ASK)
        .gets(101)
        .send(MASKED)
        .step(|play| assert_ne!(play.client().end().0, End::Open)),
    ]
}

fn eager_ends() -> Vec<Case> {
    vec![
        case("websocket-early-frames", "RFC 6455 §4.1", "What the upstream sends right behind its 101 is not lost")
            .origin(|wire| {
                read_request(wire)?;
                wire.send([SWITCH.as_bytes(), UNMASKED].concat())?;
                wire.stall()
            })
            .send(ASK)
            .gets(101)
            .reads(UNMASKED),
        case("websocket-eager-client", "RFC 9110 §7.8", "What the client sends right behind its request goes down the tunnel")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                wire.read_until(MASKED)?;
                wire.send(UNMASKED)?;
                wire.stall()
            })
            .step(|play| play.send(&[ASK.as_bytes(), MASKED].concat()))
            .gets(101)
            .reads(UNMASKED),
        case("websocket-large", "RFC 6455 §5.2", "A megabyte passes both ways unread")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(SWITCH)?;
                let came = wire.read(1 << 20)?;
                wire.send(&came)?;
                wire.stall()
            })
            .send(ASK)
            .gets(101)
            .step(|play| {
                let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
                play.send(&bytes);
                assert!(play.client().read(1 << 20) == bytes, "other bytes came back");
            }),
        case("upgrade-other", "RFC 9110 §7.8", "Any other protocol is tunnelled as well, once the upstream agrees")
            .origin(|wire| {
                read_request(wire)?;
                wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n")?;
                let came = wire.read(4)?;
                wire.send(&came)
            })
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade\r\nUpgrade: echo/1\r\nContent-Length: 0\r\n\r\n")
            .gets(101)
            .send("ping")
            .reads("ping")
            .closed(),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case(
            "upgrade-ignored",
            "RFC 9110 §7.8",
            "An upstream that ignores Upgrade answers, and the connection goes on",
        )
        .send(ASK)
        .gets(200)
        .body("ok")
        .without("upgrade")
        .kept(),
        case("upgrade-to-another", "RFC 9110 §15.2.2", "101 to a protocol that was not asked for is 502")
            .answers_and_closes(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nevil",
            )
            .send(ASK)
            .gets(502)
            .field("proxy-status", "proxy-now; error=http_upgrade_failed")
            .kept(),
        case("upgrade-without-field", "RFC 9110 §15.2.2", "101 without Upgrade is 502")
            .answers_and_closes(b"HTTP/1.1 101 Switching Protocols\r\n\r\nevil")
            .send(ASK)
            .gets(502)
            .kept(),
        case("upgrade-of-http-1.0", "RFC 9110 §7.8", "Upgrade in HTTP/1.0 is ignored")
            .send("GET / HTTP/1.0\r\nHost: {host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .gets(200)
            .closed()
            .never("upgrade:"),
        case(
            "upgrade-refused-then-smuggled",
            "RFC 9110 §7.8",
            "Behind a refused upgrade, the next bytes are a request and are checked",
        )
        .answers(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        .send(ASK)
        .gets(400)
        .send("GET /admin HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
        .gets(404)
        .upstream(1),
    ]
}

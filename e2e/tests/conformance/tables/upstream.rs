//! Hostile and broken upstreams of HTTP/1: RFC 9112, and what clients are told of it by RFC 9209.

use std::time::Duration;

use pn_testkit::wait_for;
use proxy_now_e2e::read_request;

use crate::case::{Case, GET, OK, case};

/// id, section, behaviour, what the origin sends before it closes, the error that Proxy-Status names. The client gets
/// 502 and keeps its connection.
struct Fault(&'static str, &'static str, &'static str, &'static [u8], &'static str);

const GARBLED: &str = "proxy-now; error=http_protocol_error";
const TERMINATED: &str = "proxy-now; error=connection_terminated";

impl From<&Fault> for Case {
    fn from(&Fault(id, section, behaviour, bytes, error): &Fault) -> Self {
        case(id, section, behaviour)
            .answers_and_closes(bytes)
            .get()
            .gets(502)
            .field("proxy-status", error)
            .kept()
            .upstream(1)
    }
}

const FAULTS: &[Fault] = &[
    Fault("garbage", "RFC 9209 §2.3.28", "Garbage for a response is 502", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", GARBLED),
    Fault("http-0.9", "RFC 9112 §4", "A response without a status line (HTTP/0.9) is 502", b"<html>hello</html>\r\n\r\n", GARBLED),
    Fault("response-version-2", "RFC 9112 §4", "A status line that claims HTTP/2 is 502", b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("status-of-letters", "RFC 9112 §4", "A status that is no number is 502", b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("status-of-two-digits", "RFC 9112 §4", "A status of two digits is 502", b"HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("status-of-four-digits", "RFC 9112 §4", "A status of four digits is 502", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("response-nul", "RFC 9110 §5.5", "NUL in a response's value is 502", b"HTTP/1.1 200 OK\r\nX-A: 1\x002\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("response-bare-cr", "RFC 9112 §2.2", "A bare CR in a response's field is 502", b"HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("response-bad-name", "RFC 9110 §5.1", "A bad field name in a response is 502", b"HTTP/1.1 200 OK\r\nX(A: 1\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("response-space-before-colon", "RFC 9112 §5.1", "Whitespace before a colon in a response is never sent on: 502", b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("response-obs-fold", "RFC 9112 §5.2", "A folded field in a response is never sent on: 502", b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok", GARBLED),
    Fault("response-lengths-differ", "RFC 9112 §6.3", "A response with two lengths is 502", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", GARBLED),
    Fault("response-length-list", "RFC 9112 §6.3", "A response with a list of lengths that differ is 502", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!", GARBLED),
    Fault("response-length-minus", "RFC 9110 §8.6", "A response with a negative length is 502", b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", GARBLED),
    Fault("response-length-overflow", "RFC 9110 §8.6", "A response with a length of more than 64 bits is 502", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok", GARBLED),
    Fault("response-both", "RFC 9112 §6.3", "A response with both Transfer-Encoding and Content-Length is 502", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", GARBLED),
    Fault("response-gzip-coding", "RFC 9112 §7.4", "A response with a coding that was not asked for is 502", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", GARBLED),
    Fault("response-coding-after-chunked", "RFC 9112 §6.3", "A response whose last coding is not chunked is 502", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n", GARBLED),
    Fault("response-coding-twice", "RFC 9112 §7.1", "A response that is chunked twice is 502", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", GARBLED),
    Fault("response-coding-in-http-1.0", "RFC 9112 §6.1", "Transfer-Encoding in a response of HTTP/1.0 is 502", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", GARBLED),
    Fault("switch-unasked", "RFC 9110 §15.2.2", "101 that nobody asked for is 502", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nevil", GARBLED),
    Fault("silent-close", "RFC 9209 §2.3.9", "An upstream that closes without a word is 502", b"", TERMINATED),
    Fault("head-cut", "RFC 9112 §8", "A response head that ends early is 502", b"HTTP/1.1 200 OK\r\nContent-Le", TERMINATED),
];

/// id, section, behaviour, what the origin sends before it closes: the client sees the response cut off.
struct Cut(&'static str, &'static str, &'static str, &'static [u8]);

impl From<&Cut> for Case {
    fn from(&Cut(id, section, behaviour, bytes): &Cut) -> Self {
        case(id, section, behaviour).answers_and_closes(bytes).get().cut(200).upstream(1)
    }
}

const CUT: &[Cut] = &[
    Cut(
        "response-length-cut",
        "RFC 9112 §8",
        "A response shorter than its length is cut off, never completed",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    ),
    Cut(
        "response-chunks-cut",
        "RFC 9112 §8",
        "A chunked response without its last chunk is cut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ),
    Cut(
        "response-chunk-cut",
        "RFC 9112 §8",
        "A response that ends inside a chunk is cut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
    ),
    Cut(
        "response-chunk-size",
        "RFC 9112 §7.1",
        "A response with a bad chunk size is cut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ),
    Cut(
        "response-chunk-overflow",
        "RFC 9112 §7.1",
        "A response with a chunk size of more than 64 bits is cut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10000000000000000\r\n",
    ),
    Cut(
        "response-chunk-end",
        "RFC 9112 §7.1",
        "A response whose chunk is longer than it says is cut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhello!\r\n0\r\n\r\n",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [super::rows(FAULTS), super::rows(CUT), splitting(), whole(), limits(), unreachable()]
        .into_iter()
        .flatten()
        .collect()
}

fn splitting() -> Vec<Case> {
    vec![
        case("response-twice", "RFC 9112 §9.2", "A second response to one request is given to nobody")
            .origin(|wire| {
                let target = read_request(wire)?.target().to_owned();
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()))?;
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")?;
                wire.stall()
            })
            .send("GET /1 HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets(200)
            .body("/1")
            .send("GET /2 HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets(200)
            .body("/2")
            .kept(),
        case(
            "response-unasked",
            "RFC 9112 §9.2",
            "A response that comes before any request is given to nobody",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(OK)?;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")?;
            read_request(wire)?;
            wire.send(OK)
        })
        .get()
        .gets(200)
        .body("ok")
        .step(|play| play.origin_is_left())
        .get()
        .gets(200)
        .body("ok")
        .upstream_connections(2),
        case(
            "response-bytes-behind",
            "RFC 9112 §6.3",
            "Bytes behind a response end its connection and reach nobody",
        )
        .answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\0\0\0\0")
        .get()
        .gets(200)
        .body("ok")
        .get()
        .gets(200)
        .body("ok")
        .kept(),
    ]
}

fn whole() -> Vec<Case> {
    vec![
        case("response-without-length", "RFC 9112 §6.3", "A response that lasts until the close arrives with framing of its own")
            .answers_and_closes(b"HTTP/1.1 200 OK\r\n\r\nhello")
            .get()
            .gets(200)
            .field("transfer-encoding", "chunked")
            .body("hello")
            .kept(),
        case("response-of-http-1.0", "RFC 9110 §2.5", "A response of HTTP/1.0 arrives in this proxy's own version")
            .answers_and_closes(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            .get()
            .gets(200)
            .step(|play| assert!(play.last().line.starts_with("HTTP/1.1 "), "{:?}", play.last()))
            .body("hello")
            .kept(),
        case("response-lengths-equal", "RFC 9112 §6.3", "Equal lengths of a response become one")
            .answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(200)
            .step(|play| assert_eq!(play.last().headers_of("content-length"), ["2"]))
            .body("ok")
            .kept(),
        case("response-chunks", "RFC 9112 §7.1", "Extensions of a response's chunks end here")
            .answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n000\r\n\r\n")
            .get()
            .gets(200)
            .body("hello")
            .kept(),
        case("chunks-for-http-1.0", "RFC 9112 §7.1", "A client of HTTP/1.0 gets no chunks: its body ends with the connection")
            .answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            .send("GET / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n")
            .gets(200)
            .without("transfer-encoding")
            .body("hello")
            .closed(),
        case("response-trailers", "RFC 9110 §6.5.1", "Trailers reach a client that asked for them")
            .answers(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n")
            .send("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: TE\r\nTE: trailers\r\n\r\n")
            .gets(200)
            .step(|play| assert_eq!(play.last().trailers, [("x-sum".to_owned(), "7".to_owned())]))
            .kept(),
        case("response-trailers-unasked", "RFC 9110 §6.5.1", "Trailers end here when the client did not ask for them")
            .answers(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n")
            .get()
            .gets(200)
            .body("hello")
            .step(|play| assert!(play.last().trailers.is_empty()))
            .kept(),
        case("response-trailer-length", "RFC 9110 §6.5.1", "Framing in a response's trailers reaches nobody")
            .answers(b"HTTP/1.1 200 OK\r\nTrailer: Content-Length, Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 2\r\nSet-Cookie: a=1\r\n\r\n")
            .send("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: TE\r\nTE: trailers\r\n\r\n")
            .gets(200)
            .body("hello")
            .step(|play| assert!(play.last().trailers.is_empty(), "{:?}", play.last()))
            .kept(),
    ]
}

fn limits() -> Vec<Case> {
    let flooded = "proxy-now; error=http_response_header_section_size";
    vec![
        case("response-head-too-large", "RFC 9209 §2.3.22", "A response head beyond the limit is 502")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20)))?;
                wire.stall()
            })
            .get()
            .gets(502)
            .field("proxy-status", flooded)
            .kept(),
        case(
            "response-head-of-many-fields",
            "RFC 9209 §2.3.22",
            "A response with more fields than the limit is 502",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: 1\r\n".repeat(5_000)))?;
            wire.stall()
        })
        .get()
        .gets(502)
        .field("proxy-status", flooded)
        .kept(),
        case("response-reset", "RFC 9209 §2.3.9", "An upstream that resets before its response is 502")
            .origin(|wire| {
                read_request(wire)?;
                wire.reset()
            })
            .get()
            .gets(502)
            .field("proxy-status", TERMINATED)
            .kept(),
        case("response-reset-later", "RFC 9112 §8", "A reset inside a response cuts the client's off")
            .origin(|wire| {
                read_request(wire)?;
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")?;
                wire.pause(Duration::from_millis(50));
                wire.reset()
            })
            .get()
            .cut(200),
    ]
}

const HASTY: &str = "to = \"svc-{id}\"\n[services.svc-{id}]\nservers = [\"http://{origin}\"]\n\
    transport = { timeouts = { response-header = \"1s\", body-idle = \"1s\" } }";

fn unreachable() -> Vec<Case> {
    vec![
        case("refused", "RFC 9209 §2.3.6", "A port where nobody listens is 502")
            .site("to = \"http://127.0.0.1:<port:nobody>\"")
            .get()
            .gets(502)
            .field("proxy-status", "proxy-now; error=connection_refused")
            .kept(),
        case("no-name", "RFC 9209 §2.3.2", "A name that does not exist is 502")
            .site("to = \"http://no.such.name.invalid:80\"")
            .get()
            .gets(502)
            .field("proxy-status", "proxy-now; error=dns_error")
            .kept(),
        case("no-server", "RFC 9209 §2.3.4", "A service whose servers all fail their health checks is 503")
            .site(
                "to = \"svc-{id}\"\n[services.svc-{id}]\nservers = [\"http://127.0.0.1:<port:nobody>\"]\n\
             health-check = { mode = \"tcp\", interval = \"100ms\" }",
            )
            .step(|play| {
                let unavailable = wait_for("the health check to find nobody", || {
                    play.send(GET.as_bytes());
                    Some(play.client().response()).filter(|response| response.status != 502)
                });
                play.answered(unavailable, &[503]);
            })
            .field("proxy-status", "proxy-now; error=destination_unavailable")
            .kept()
            .upstream(0),
        case("response-timeout", "RFC 9209 §2.3.27", "A response head that does not come in time is 504")
            .site(HASTY)
            .origin(|wire| wire.stall())
            .get()
            .gets(504)
            .field("proxy-status", "proxy-now; error=http_response_timeout")
            .kept()
            .step(|play| play.origin_is_left()),
        case("response-dribbles", "RFC 9209 §2.3.27", "A response head that dribbles is 504")
            .site(HASTY)
            .origin(|wire| {
                read_request(wire)?;
                wire.send_slowly("HTTP/1.1 200 OK\r\n".repeat(20), Duration::from_millis(50))
            })
            .get()
            .gets(504)
            .kept(),
        case(
            "response-body-timeout",
            "RFC 9112 §8",
            "A response body that pauses too long cuts the client's off",
        )
        .site(HASTY)
        .origin(|wire| {
            read_request(wire)?;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")?;
            wire.stall()
        })
        .get()
        .cut(200)
        .step(|play| play.origin_is_left()),
        case("upstream-without-tls", "RFC 9209 §2.3.16", "An https server that speaks no TLS is 502")
            .site("to = \"https://{origin}\"")
            .origin(|wire| {
                wire.read(1)?;
                wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            })
            .send(GET)
            .gets(502)
            .field("proxy-status", "proxy-now; error=tls_protocol_error")
            .kept(),
    ]
}

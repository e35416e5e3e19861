//! Interim responses (1xx): what a server says in front of its response, RFC 9110 section 15.2 and RFC 8297.

use pn_testkit::h2::{DATA, END_HEADERS, END_STREAM, HEADERS};
use proxy_now_e2e::read_request;

use crate::case::{Case, OK, case};
use crate::h2::{Fields, POST};

const GARBLED: &str = "proxy-now; error=http_protocol_error";

pub(crate) fn cases() -> Vec<Case> {
    [passed_on(), kept_back(), to_h2()].into_iter().flatten().collect()
}

fn passed_on() -> Vec<Case> {
    vec![
        case("interim", "RFC 9110 §15.2", "Interim responses reach the client in front of the final one, in their order")
            .answers(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(102)
            .gets(103)
            .field("link", "</a>")
            .gets(200)
            .body("ok")
            .kept(),
        case("early-hints", "RFC 8297 §2", "103 is passed on at once, while the rest of the request is still to come")
            .origin(|wire| {
                wire.read_head()?;
                wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n")?;
                wire.read(5)?;
                wire.send(OK)
            })
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n")
            .reads("HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n")
            .send("hello")
            .gets(200)
            .body("ok")
            .kept(),
        case("early-hints-hop-by-hop", "RFC 9110 §7.6.1", "What is the upstream connection's own stays out of interim responses too")
            .answers(b"HTTP/1.1 103 Early Hints\r\nConnection: x-own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .reads("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
            .gets(200)
            .kept(),
        case("early-hints-before-continue", "RFC 9110 §15.2", "103 in front of 100 does not stand for it")
            .origin(|wire| {
                wire.read_head()?;
                wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")?;
                wire.read(5)?;
                wire.send(OK)
            })
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            .gets(103)
            .gets(100)
            .send("hello")
            .gets(200)
            .kept(),
    ]
}

fn kept_back() -> Vec<Case> {
    vec![
        case("interim-for-http-1.0", "RFC 9110 §15.2", "A client of HTTP/1.0 gets no interim responses")
            .answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .send("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n")
            .gets(200)
            .body("ok")
            .closed(),
        case("interim-garbled", "RFC 9110 §5.5", "A bad field in an interim response is 502")
            .answers_and_closes(b"HTTP/1.1 103 Early Hints\r\nX-A: 1\x002\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(502)
            .field("proxy-status", GARBLED)
            .kept(),
        case("interim-bounded", "RFC 9110 §15.2", "Further interim responses than a client is to be troubled with are kept back")
            .origin(|wire| {
                read_request(wire)?;
                wire.send("HTTP/1.1 102 Processing\r\n\r\n".repeat(100))?;
                wire.send(OK)
            })
            .get()
            .step(|play| {
                let statuses: Vec<u16> = (0..33).map(|_| play.client().response().status).collect();
                assert_eq!((&statuses[..32], statuses[32]), (&[102; 32][..], 200));
            })
            .kept(),
        case("continue-unasked", "RFC 9110 §15.2.1", "100 that nobody asked for ends here")
            .answers(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(200)
            .body("ok")
            .kept(),
        case("interim-with-length", "RFC 9110 §15.2", "A length in an interim response means nothing")
            .answers(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 50\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .reads("HTTP/1.1 103 Early Hints\r\n\r\n")
            .gets(200)
            .body("ok")
            .kept(),
        case("interim-without-end", "RFC 9209 §2.3.22", "Interim responses without end are 502, not gathered")
            .origin(|wire| {
                read_request(wire)?;
                loop {
                    wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100))?;
                }
            })
            .get()
            .step(|play| {
                let mut status = 103;
                while status == 103 {
                    status = play.client().response().status;
                }
                assert_eq!(status, 502);
            })
            .kept()
            .step(|play| play.origin_is_left()),
    ]
}

const POST_ASKING: Fields = &[
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "{host}"),
    (":path", "/"),
    ("expect", "100-continue"),
];

fn to_h2() -> Vec<Case> {
    vec![
        case(
            "h2-early-hints",
            "RFC 8297 §2",
            "103 reaches a client of HTTP/2 while the rest of its request is still to come",
        )
        .origin(|wire| {
            wire.read_head()?;
            wire.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nKeep-Alive: timeout=5\r\n\r\n",
            )?;
            wire.read_until(b"hello")?;
            wire.send(OK)?;
            wire.stall()
        })
        .h2()
        .headers(END_HEADERS, 1, POST)
        .step(|play| {
            let hint = play.frame_of(1, &[HEADERS]);
            let text = String::from_utf8_lossy(&hint.payload).into_owned();
            assert_eq!((hint.flags & END_STREAM, crate::h2::status(&hint.payload)), (0, Some(103)));
            assert!(!text.contains("keep-alive"), "{text:?}");
        })
        .frame(DATA, END_STREAM, 1, b"hello")
        .told(1, 200)
        .alive(),
        case(
            "h2-interim-bounded",
            "RFC 9110 §15.2",
            "Further interim responses than a client of HTTP/2 is to be troubled with are kept back",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send("HTTP/1.1 102 Processing\r\n\r\n".repeat(100))?;
            wire.send(OK)
        })
        .h2()
        .asks(1)
        .step(|play| {
            let statuses: Vec<u16> = (0..33).map(|_| play.status_of(1)).collect();
            assert_eq!((&statuses[..32], statuses[32]), (&[102; 32][..], 200));
        })
        .alive(),
        case(
            "h2-continue",
            "RFC 9110 §10.1.1",
            "A client of HTTP/2 that waits for 100 gets it before its body is read",
        )
        .origin(|wire| {
            wire.read_head()?;
            wire.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            wire.read_until(b"hello")?;
            wire.send(OK)?;
            wire.stall()
        })
        .h2()
        .headers(END_HEADERS, 1, POST_ASKING)
        .told(1, 100)
        .frame(DATA, END_STREAM, 1, b"hello")
        .told(1, 200)
        .alive(),
    ]
}

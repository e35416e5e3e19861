//! Expect: RFC 9110 section 10.1.1.

use crate::case::{Case, case};

const EXPECT: &str = "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    [expectations(), no_expectations()].into_iter().flatten().collect()
}

fn expectations() -> Vec<Case> {
    vec![
        case(
            "continue",
            "RFC 9110 §10.1.1",
            "`Expect: 100-continue` gets 100 before the body, then the response",
        )
        .send(EXPECT)
        .gets(100)
        .send("hello")
        .gets(200)
        .kept()
        .upstream(1)
        .sees("\r\n\r\nhello"),
        case(
            "continue-refused",
            "RFC 9110 §10.1.1",
            "An upstream that refuses at the head spares the client its body",
        )
        .origin(|wire| {
            wire.read_head()?;
            wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        })
        .send(EXPECT)
        .step(|play| {
            let mut response = play.client().response();
            if response.status == 100 {
                response = play.client().response();
            }
            assert_eq!(response.status, 401, "{response:?}");
        }),
        case(
            "continue-not-waited-for",
            "RFC 9110 §10.1.1",
            "A client that does not wait for 100 is served as well",
        )
        .send(EXPECT)
        .send("hello")
        .step(|play| {
            let mut response = play.client().response();
            if response.status == 100 {
                response = play.client().response();
            }
            assert_eq!(response.status, 200, "{response:?}");
        })
        .kept()
        .upstream(1),
    ]
}

fn no_expectations() -> Vec<Case> {
    vec![
        case("continue-of-http-1.0", "RFC 9110 §10.1.1", "HTTP/1.0 gets no 100")
            .send("POST / HTTP/1.0\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
            .gets(200)
            .closed(),
        case(
            "continue-without-body",
            "RFC 9110 §10.1.1",
            "100-continue without a body gets the response alone",
        )
        .send("GET / HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\n\r\n")
        .gets(200)
        .kept(),
        case("expectation-unknown", "RFC 9110 §10.1.1", "Any other expectation is answered with 417")
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 200-ok\r\n\r\nhello")
            .gets(417)
            .closed()
            .upstream(0),
        case(
            "expectation-of-two",
            "RFC 9110 §10.1.1",
            "100-continue beside another expectation is answered with 417",
        )
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue, x\r\n\r\nhello")
        .gets(417)
        .closed()
        .upstream(0),
    ]
}

//! Malformed requests over HTTP/2: RFC 9113 sections 8.1 to 8.3.

use pn_testkit::h2::{DATA, END_HEADERS, END_STREAM, RST_STREAM};

use super::rows;
use crate::case::{Case, case};
use crate::h2::{Fields, POST, WHOLE};

/// id, section, behaviour, fields of a whole request: refused as malformed.
struct Malformed(&'static str, &'static str, &'static str, Fields);

impl From<&Malformed> for Case {
    fn from(&Malformed(id, section, behaviour, fields): &Malformed) -> Self {
        case(id, section, behaviour).h2().headers(WHOLE, 1, fields).malformed(1)
    }
}

const M: (&str, &str) = (":method", "GET");
const S: (&str, &str) = (":scheme", "http");
const A: (&str, &str) = (":authority", "{host}");
const P: (&str, &str) = (":path", "/");

const MALFORMED: &[Malformed] = &[
    Malformed(
        "h2-upper-case",
        "RFC 9113 §8.2.1",
        "A field name in upper case is malformed",
        &[M, S, A, P, ("X-A", "1")],
    ),
    Malformed(
        "h2-name-with-space",
        "RFC 9113 §8.2.1",
        "A field name with a space is malformed",
        &[M, S, A, P, ("x a", "1")],
    ),
    Malformed(
        "h2-name-with-colon",
        "RFC 9113 §8.2.1",
        "A field name with a colon inside is malformed",
        &[M, S, A, P, ("x:a", "1")],
    ),
    Malformed(
        "h2-name-empty",
        "RFC 9113 §8.2.1",
        "An empty field name is malformed",
        &[M, S, A, P, ("", "1")],
    ),
    Malformed(
        "h2-value-with-crlf",
        "RFC 9113 §8.2.1",
        "CR LF in a value is malformed",
        &[M, S, A, P, ("x-a", "1\r\nx-b: 2")],
    ),
    Malformed(
        "h2-value-with-lf",
        "RFC 9113 §8.2.1",
        "LF in a value is malformed",
        &[M, S, A, P, ("x-a", "1\nx-b: 2")],
    ),
    Malformed(
        "h2-value-with-nul",
        "RFC 9113 §8.2.1",
        "NUL in a value is malformed",
        &[M, S, A, P, ("x-a", "1\x002")],
    ),
    Malformed(
        "h2-value-after-space",
        "RFC 9113 §8.2.1",
        "A space in front of a value is malformed",
        &[M, S, A, P, ("x-a", " 1")],
    ),
    Malformed(
        "h2-value-before-space",
        "RFC 9113 §8.2.1",
        "A space behind a value is malformed",
        &[M, S, A, P, ("x-a", "1 ")],
    ),
    Malformed(
        "h2-value-after-tab",
        "RFC 9113 §8.2.1",
        "A tab in front of a value is malformed",
        &[M, S, A, P, ("x-a", "\t1")],
    ),
    Malformed(
        "h2-value-before-tab",
        "RFC 9113 §8.2.1",
        "A tab behind a value is malformed",
        &[M, S, A, P, ("x-a", "1\t")],
    ),
    Malformed(
        "h2-value-of-spaces",
        "RFC 9113 §8.2.1",
        "A value of nothing but white space is malformed",
        &[M, S, A, P, ("x-a", " ")],
    ),
    Malformed(
        "h2-connection",
        "RFC 9113 §8.2.2",
        "Connection is malformed",
        &[M, S, A, P, ("connection", "close")],
    ),
    Malformed(
        "h2-keep-alive",
        "RFC 9113 §8.2.2",
        "Keep-Alive is malformed",
        &[M, S, A, P, ("keep-alive", "timeout=9")],
    ),
    Malformed(
        "h2-proxy-connection",
        "RFC 9113 §8.2.2",
        "Proxy-Connection is malformed",
        &[M, S, A, P, ("proxy-connection", "close")],
    ),
    Malformed(
        "h2-transfer-encoding",
        "RFC 9113 §8.2.2",
        "Transfer-Encoding is malformed",
        &[M, S, A, P, ("transfer-encoding", "chunked")],
    ),
    Malformed(
        "h2-upgrade",
        "RFC 9113 §8.2.2",
        "Upgrade is malformed",
        &[M, S, A, P, ("upgrade", "websocket")],
    ),
    Malformed(
        "h2-te",
        "RFC 9113 §8.2.2",
        "TE other than `trailers` is malformed",
        &[M, S, A, P, ("te", "gzip")],
    ),
    Malformed(
        "h2-pseudo-unknown",
        "RFC 9113 §8.3",
        "An unknown pseudo-header is malformed",
        &[M, S, A, P, (":evil", "1")],
    ),
    Malformed(
        "h2-pseudo-of-response",
        "RFC 9113 §8.3",
        "`:status` in a request is malformed",
        &[M, S, A, P, (":status", "200")],
    ),
    Malformed(
        "h2-pseudo-late",
        "RFC 9113 §8.3",
        "A pseudo-header behind a field is malformed",
        &[M, S, A, ("x-a", "1"), P],
    ),
    Malformed(
        "h2-method-twice",
        "RFC 9113 §8.3.1",
        "Two methods are malformed",
        &[M, (":method", "POST"), S, A, P],
    ),
    Malformed(
        "h2-path-twice",
        "RFC 9113 §8.3.1",
        "Two paths are malformed",
        &[M, S, A, P, (":path", "/admin")],
    ),
    Malformed(
        "h2-authority-twice",
        "RFC 9113 §8.3.1",
        "Two authorities are malformed",
        &[M, S, A, (":authority", "a.{host}"), P],
    ),
    Malformed("h2-no-method", "RFC 9113 §8.3.1", "A request without a method is malformed", &[S, A, P]),
    Malformed("h2-no-scheme", "RFC 9113 §8.3.1", "A request without a scheme is malformed", &[M, A, P]),
    Malformed("h2-no-path", "RFC 9113 §8.3.1", "A request without a path is malformed", &[M, S, A]),
    Malformed("h2-empty-path", "RFC 9113 §8.3.1", "An empty path is malformed", &[M, S, A, (":path", "")]),
    Malformed(
        "h2-path-without-slash",
        "RFC 9113 §8.3.1",
        "A path without its slash is malformed",
        &[M, S, A, (":path", "index.html")],
    ),
    Malformed(
        "h2-path-asterisk",
        "RFC 9113 §8.3.1",
        "`*` is a path of OPTIONS alone",
        &[M, S, A, (":path", "*")],
    ),
    Malformed(
        "h2-path-with-space",
        "RFC 9113 §8.3.1",
        "A space in a path is malformed",
        &[M, S, A, (":path", "/a HTTP/1.1\r\nx: y")],
    ),
    Malformed(
        "h2-path-bad-percent",
        "RFC 3986 §2.1",
        "A bad percent-encoding in `:path` is refused",
        &[M, S, A, (":path", "/%zz")],
    ),
    Malformed(
        "h2-path-above-root",
        "RFC 3986 §5.2.4",
        "`:path` cannot climb above the root",
        &[M, S, A, (":path", "/%2e%2e/")],
    ),
    Malformed(
        "h2-method-not-token",
        "RFC 9113 §8.3.1",
        "A method that is no token is malformed",
        &[(":method", "GET /admin HTTP/1.1"), S, A, P],
    ),
    Malformed(
        "h2-authority-with-user",
        "RFC 9113 §8.3.1",
        "User information in `:authority` is malformed",
        &[M, S, (":authority", "user@{host}"), P],
    ),
    Malformed(
        "h2-authority-garbled",
        "RFC 9113 §8.3.1",
        "A path in `:authority` is malformed",
        &[M, S, (":authority", "{host}/admin"), P],
    ),
    Malformed("h2-no-authority", "RFC 9113 §8.3.1", "Neither `:authority` nor Host is malformed", &[M, S, P]),
    Malformed(
        "h2-host-differs",
        "RFC 9113 §8.3.1",
        "Host that differs from `:authority` is malformed",
        &[M, S, A, P, ("host", "a.{host}")],
    ),
    Malformed(
        "h2-hosts-differ",
        "RFC 9113 §8.3.1",
        "Two Host fields are malformed",
        &[M, S, P, ("host", "{host}"), ("host", "a.{host}")],
    ),
    Malformed(
        "h2-length-without-body",
        "RFC 9113 §8.1.1",
        "A length beside END_STREAM is malformed",
        &[M, S, A, P, ("content-length", "5")],
    ),
    Malformed(
        "h2-lengths-differ",
        "RFC 9113 §8.1.1",
        "Two lengths are malformed",
        &[M, S, A, P, ("content-length", "0"), ("content-length", "5")],
    ),
    Malformed(
        "h2-length-garbled",
        "RFC 9110 §8.6",
        "A length that is no number is malformed",
        &[M, S, A, P, ("content-length", "+0")],
    ),
    Malformed(
        "h2-protocol-of-get",
        "RFC 8441 §4",
        "`:protocol` of another method than CONNECT is malformed",
        &[M, S, A, P, (":protocol", "websocket")],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(MALFORMED), bodies(), broken_bodies()].into_iter().flatten().collect()
}

const SIZED: Fields = &[(":method", "POST"), S, A, P, ("content-length", "5")];

fn bodies() -> Vec<Case> {
    vec![
        case("h2-body", "RFC 9113 §8.1", "A body of known length goes on with it")
            .h2()
            .headers(END_HEADERS, 1, SIZED)
            .frame(DATA, 0, 1, b"he")
            .frame(DATA, END_STREAM, 1, b"llo")
            .told(1, 200)
            .upstream(1)
            .sees("content-length: 5\r\n")
            .sees("\r\n\r\nhello"),
        case("h2-body-of-unknown-length", "RFC 9113 §8.1", "A body of unknown length goes on in chunks")
            .h2()
            .headers(END_HEADERS, 1, POST)
            .frame(DATA, 0, 1, b"he")
            .frame(DATA, END_STREAM, 1, b"llo")
            .told(1, 200)
            .upstream(1)
            .sees("transfer-encoding: chunked\r\n"),
        case("h2-body-like-a-request", "RFC 9113 §10.3", "A body that looks like a request stays a body")
            .h2()
            .headers(END_HEADERS, 1, POST)
            .frame(DATA, END_STREAM, 1, b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            .told(1, 200)
            .upstream(1),
        case("h2-trailers", "RFC 9113 §8.1", "Trailers of a request go on")
            .h2()
            .headers(
                END_HEADERS,
                1,
                &[(":method", "POST"), S, A, P, ("te", "trailers"), ("trailer", "x-sum")],
            )
            .frame(DATA, 0, 1, b"hello")
            .headers(WHOLE, 1, &[("x-sum", "7")])
            .told(1, 200)
            .upstream(1)
            .step(|play| {
                let seen = play.seen().expect("well-formed");
                assert_eq!(seen[0].trailers, [("x-sum".to_owned(), "7".to_owned())]);
            }),
        case(
            "h2-trailers-with-pseudo",
            "RFC 9113 §8.1",
            "A pseudo-header in trailers changes nothing and goes no further (the h2 library passes it over)",
        )
        .h2()
        .headers(END_HEADERS, 1, POST)
        .frame(DATA, 0, 1, b"hello")
        .headers(WHOLE, 1, &[(":path", "/admin")])
        .step(|play| {
            play.objection();
        })
        .never("admin"),
    ]
}

fn broken_bodies() -> Vec<Case> {
    vec![
        case(
            "h2-body-too-short",
            "RFC 9113 §8.1.1",
            "A body shorter than its length is never a whole request upstream",
        )
        .h2()
        .headers(END_HEADERS, 1, SIZED)
        .frame(DATA, END_STREAM, 1, b"hey")
        .step(|play| play.refused_or_reset(1))
        .alive()
        .nothing_whole(),
        case(
            "h2-body-too-long",
            "RFC 9113 §8.1.1",
            "A body longer than its length is never a whole request upstream",
        )
        .h2()
        .headers(END_HEADERS, 1, SIZED)
        .frame(DATA, END_STREAM, 1, b"hello world")
        .step(|play| play.refused_or_reset(1))
        .alive()
        .nothing_whole(),
        case("h2-trailers-padded", "RFC 9113 §8.2.1", "A space in front of a trailer's value is malformed")
            .h2()
            .headers(END_HEADERS, 1, POST)
            .frame(DATA, 0, 1, b"hello")
            .headers(WHOLE, 1, &[("x-sum", " 7")])
            .step(|play| play.refused_or_reset(1))
            .alive()
            .nothing_whole(),
        case("h2-trailers-without-end", "RFC 9113 §8.1", "Trailers without END_STREAM are malformed")
            .h2()
            .headers(END_HEADERS, 1, POST)
            .frame(DATA, 0, 1, b"hello")
            .headers(END_HEADERS, 1, &[("x-sum", "7")])
            .step(|play| play.refused_or_reset(1))
            .alive()
            .nothing_whole(),
        case(
            "h2-reset-in-body",
            "RFC 9113 §8.6",
            "A body that the client resets is never a whole request upstream",
        )
        .h2()
        .headers(END_HEADERS, 1, POST)
        .frame(DATA, 0, 1, b"hello")
        .frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
        .alive()
        .nothing_whole(),
    ]
}

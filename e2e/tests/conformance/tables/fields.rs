//! Field lines: RFC 9112 section 5, RFC 9110 section 5.

use super::{Passed, Refused, rows};
use crate::case::{Case, case};

const REFUSED: &[Refused] = &[
    Refused(
        "space-before-colon",
        "RFC 9112 §5.1",
        "Whitespace between name and colon is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A : 1\r\n\r\n",
        400,
    ),
    Refused(
        "tab-before-colon",
        "RFC 9112 §5.1",
        "A tab between name and colon is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A\t: 1\r\n\r\n",
        400,
    ),
    Refused(
        "length-with-space-before-colon",
        "RFC 9112 §5.1",
        "`Content-Length :` is refused, so that nobody behind reads a length that was not read here",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length : 5\r\n\r\nhello",
        400,
    ),
    Refused(
        "coding-with-space-before-colon",
        "RFC 9112 §5.1",
        "`Transfer-Encoding :` is refused likewise",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "obs-fold",
        "RFC 9112 §5.2",
        "A folded field is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\r\n 2\r\n\r\n",
        400,
    ),
    Refused(
        "obs-fold-with-tab",
        "RFC 9112 §5.2",
        "A field folded with a tab is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\r\n\tTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    Refused(
        "space-before-first-field",
        "RFC 9112 §2.2",
        "Whitespace before the first field is refused",
        b"GET / HTTP/1.1\r\n Host: {host}\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "no-colon",
        "RFC 9112 §5",
        "A field line without a colon is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A\r\n\r\n",
        400,
    ),
    Refused(
        "empty-name",
        "RFC 9110 §5.1",
        "An empty field name is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\n: 1\r\n\r\n",
        400,
    ),
    Refused(
        "name-not-token",
        "RFC 9110 §5.1",
        "A field name with a delimiter is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX(A): 1\r\n\r\n",
        400,
    ),
    Refused(
        "name-with-space",
        "RFC 9110 §5.1",
        "A space inside a field name is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX A: 1\r\n\r\n",
        400,
    ),
    Refused(
        "name-with-nul",
        "RFC 9110 §5.1",
        "NUL in a field name is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX\0A: 1\r\n\r\n",
        400,
    ),
    Refused(
        "name-not-ascii",
        "RFC 9110 §5.1",
        "Bytes beyond ASCII in a field name are refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-\xc3\xa9: 1\r\n\r\n",
        400,
    ),
    Refused(
        "value-with-nul",
        "RFC 9110 §5.5",
        "NUL in a field value is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\x002\r\n\r\n",
        400,
    ),
    Refused(
        "value-with-bare-cr",
        "RFC 9110 §5.5",
        "A bare CR in a field value is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\rX-B: 2\r\n\r\n",
        400,
    ),
    Refused(
        "value-with-control",
        "RFC 9110 §5.5",
        "A control character in a field value is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\x082\r\n\r\n",
        400,
    ),
    Refused(
        "value-with-del",
        "RFC 9110 §5.5",
        "DEL in a field value is refused",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\x7f2\r\n\r\n",
        400,
    ),
    Refused(
        "cr-cr-lf",
        "RFC 9112 §2.2",
        "CR CR LF does not end a line",
        b"GET / HTTP/1.1\r\nHost: {host}\r\r\n\r\n",
        400,
    ),
];

const PASSED: &[Passed] = &[
    Passed(
        "name-case",
        "RFC 9110 §5.1",
        "Field names are compared without regard to case",
        b"POST / HTTP/1.1\r\nhOsT: {host}\r\ncOnTeNt-LeNgTh: 2\r\n\r\nab",
        &["content-length: 2\r\n", "\r\n\r\nab"],
        &[],
    ),
    Passed(
        "value-with-space-around",
        "RFC 9112 §5.1",
        "Whitespace around a value is no part of it",
        b"GET / HTTP/1.1\r\nHost:{host}\t \r\nX-A: \t 1 \t\r\n\r\n",
        &["x-a: 1\r\n", "host: {host}\r\n"],
        &[],
    ),
    Passed(
        "value-with-tab-inside",
        "RFC 9110 §5.5",
        "A tab inside a value stays",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: 1\t2\r\n\r\n",
        &["x-a: 1\t2\r\n"],
        &[],
    ),
    Passed(
        "value-empty",
        "RFC 9110 §5.5",
        "An empty value stays",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A:\r\n\r\n",
        &["x-a: \r\n"],
        &[],
    ),
    Passed(
        "same-name-twice",
        "RFC 9110 §5.3",
        "Field lines of one name keep their order",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/a\r\nX-A: 1\r\nAccept: text/b\r\n\r\n",
        &["accept: text/a\r\nx-a: 1\r\naccept: text/b\r\n"],
        &[],
    ),
    Passed(
        "request-cookies",
        "RFC 6265 §5.4",
        "Cookie goes on as it came",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: a=1; b=\"2\"\r\n\r\n",
        &["cookie: a=1; b=\"2\"\r\n"],
        &[],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(REFUSED), rows(PASSED), opaque(), limits()].into_iter().flatten().collect()
}

fn opaque() -> Vec<Case> {
    vec![
        case("value-not-ascii", "RFC 9110 §5.5", "Bytes beyond ASCII in a value are opaque and stay")
            .send(b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: \xff\xfe\r\n\r\n")
            .gets(200)
            .step(|play| {
                let came = play.origin.received(0);
                let line = b"x-a: \xff\xfe\r\n";
                assert!(came.windows(line.len()).any(|window| window == line), "{came:?}");
            })
            .kept(),
        case(
            "set-cookie-lines",
            "RFC 9110 §5.3",
            "Set-Cookie lines of a response are neither joined nor reordered",
        )
        .answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\nSet-Cookie: b=2\r\n\r\n")
        .get()
        .gets(200)
        .step(|play| assert_eq!(play.last().headers_of("set-cookie"), ["a=1", "b=2"])),
        case("response-not-ascii", "RFC 9110 §5.5", "Bytes beyond ASCII in a response's value stay")
            .answers(b"HTTP/1.1 200 OK\r\nX-A: \xe2\x82\xac\r\nContent-Length: 0\r\n\r\n")
            .get()
            .gets(200)
            .field("x-a", "€"),
    ]
}

fn limits() -> Vec<Case> {
    let many = |count: usize| {
        let fields: String = (0..count).map(|number| format!("X-{number}: 1\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: {{host}}\r\n{fields}\r\n")
    };
    let long =
        |length: usize| format!("GET / HTTP/1.1\r\nHost: {{host}}\r\nX-A: {}\r\n\r\n", "a".repeat(length));
    vec![
        case("too-many-fields", "RFC 6585 §5", "More fields than the limit are answered with 431")
            .step(move |play| play.send(many(200).as_bytes()))
            .refused(431),
        case("fields-at-listener-limit", "RFC 6585 §5", "`limits.headers` of a listener holds")
            .listener("small")
            .step(move |play| play.send(many(20).as_bytes()))
            .refused(431),
        case("head-too-large", "RFC 6585 §5", "A head of more bytes than the limit is answered with 431")
            .step(move |play| play.send(long(80_000).as_bytes()))
            .refused(431),
        case("head-at-listener-limit", "RFC 6585 §5", "`limits.header-bytes` of a listener holds")
            .listener("small")
            .step(move |play| play.send(long(9_000).as_bytes()))
            .refused(431),
        case("large-head", "RFC 9110 §5.4", "A field of 30,000 bytes within the limit is sent on")
            .step(move |play| play.send(long(30_000).as_bytes()))
            .gets(200)
            .kept()
            .upstream(1),
        case(
            "head-without-end",
            "RFC 6585 §5",
            "A head that never ends is cut off at the limit, not gathered",
        )
        .step(move |play| {
            let endless = format!("GET / HTTP/1.1\r\nHost: {{host}}\r\n{}", "X-A: 1\r\n".repeat(100_000));
            play.send(endless.as_bytes());
        })
        .refused(431),
    ]
}

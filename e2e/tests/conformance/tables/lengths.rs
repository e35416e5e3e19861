//! Where a body ends: Content-Length and Transfer-Encoding of requests. RFC 9112 section 6, RFC 9110 section 8.6.

use super::{Passed, Refused, rows};
use crate::case::{Case, case};

const REFUSED_LENGTHS: &[Refused] = &[
    Refused(
        "length-twice",
        "RFC 9112 §6.3",
        "Two equal Content-Length fields are refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    Refused(
        "lengths-differ",
        "RFC 9112 §6.3",
        "Two Content-Length fields that differ are refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        400,
    ),
    Refused(
        "length-list",
        "RFC 9112 §6.3",
        "A list of lengths that differ is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5, 6\r\n\r\nhello!",
        400,
    ),
    Refused(
        "length-list-equal",
        "RFC 9112 §6.3",
        "A list of equal lengths is refused too",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5, 5\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-plus",
        "RFC 9110 §8.6",
        "A length with a plus sign is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: +5\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-minus",
        "RFC 9110 §8.6",
        "A negative length is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -5\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-hexadecimal",
        "RFC 9110 §8.6",
        "A hexadecimal length is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0x5\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-fraction",
        "RFC 9110 §8.6",
        "A length with a fraction is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5.0\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-with-space",
        "RFC 9110 §8.6",
        "A space inside a length is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5 5\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-empty",
        "RFC 9110 §8.6",
        "An empty length is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length:\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-overflow",
        "RFC 9110 §8.6",
        "A length of more than 64 bits is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
        400,
    ),
    Refused(
        "length-quoted",
        "RFC 9110 §8.6",
        "A quoted length is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: \"5\"\r\n\r\nhello",
        400,
    ),
];

const REFUSED_CODINGS: &[Refused] = &[
    Refused(
        "coding-twice-in-list",
        "RFC 9112 §7.1",
        "`chunked, chunked` is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-twice-in-fields",
        "RFC 9112 §7.1",
        "Two Transfer-Encoding fields are refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-identity-and-chunked",
        "RFC 9112 §6.1",
        "`identity` beside `chunked` is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-identity",
        "RFC 9112 §6.3",
        "A request whose last coding is not chunked is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    Refused(
        "coding-after-chunked",
        "RFC 9112 §6.3",
        "A coding after chunked is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-alike",
        "RFC 9112 §7",
        "`xchunked` is not chunked",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-quoted",
        "RFC 9112 §7",
        "A quoted coding is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-with-parameter",
        "RFC 9112 §7",
        "chunked has no parameters",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-empty",
        "RFC 9112 §6.1",
        "An empty Transfer-Encoding is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    Refused(
        "coding-with-vertical-tab",
        "RFC 9112 §5.1",
        "A vertical tab is no whitespace: the coding behind it is refused",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-in-http-1.0",
        "RFC 9112 §6.1",
        "Transfer-Encoding in HTTP/1.0 is refused",
        b"POST / HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Refused(
        "coding-in-http-1.0-kept-alive",
        "RFC 9112 §6.1",
        "Transfer-Encoding in HTTP/1.0 is refused on a kept connection as well",
        b"POST / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
];

const PASSED: &[Passed] = &[
    Passed(
        "length-zeros",
        "RFC 9110 §8.6",
        "Leading zeros are digits: the length goes on as a plain number",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0005\r\n\r\nhello",
        &["content-length: 5\r\n", "\r\n\r\nhello"],
        &["0005"],
    ),
    Passed(
        "length-zero",
        "RFC 9110 §8.6",
        "A length of zero goes on with a POST",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n",
        &["content-length: 0\r\n"],
        &[],
    ),
    Passed(
        "no-length",
        "RFC 9112 §6.3",
        "A request without length and coding has no body",
        b"POST / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["content-length: 0\r\n"],
        &["transfer-encoding"],
    ),
    Passed(
        "get-with-body",
        "RFC 9110 §9.3.1",
        "The body of a GET goes on inside its framing",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 26\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        &["content-length: 26\r\n"],
        &[],
    ),
    Passed(
        "coding-case",
        "RFC 9112 §7",
        "Codings are compared without regard to case",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: ChunKed\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &["transfer-encoding: chunked\r\n"],
        &["content-length"],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(REFUSED_LENGTHS), rows(REFUSED_CODINGS), rows(PASSED), both(), open()]
        .into_iter()
        .flatten()
        .collect()
}

fn both() -> Vec<Case> {
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n";
    let both = |first: &str, second: &str| {
        let length = smuggled.len();
        let head = format!("POST / HTTP/1.1\r\nHost: {{host}}\r\n{first}\r\n{second}\r\n\r\n{smuggled}");
        head.replace("LENGTH", &length.to_string())
    };
    let safe = |id, behaviour, bytes: String| {
        case(id, "RFC 9112 §6.1", behaviour)
            .step(move |play| play.send(bytes.as_bytes()))
            .gets(400)
            .closed()
            .step(|play| {
                let seen = play.seen().expect("well-formed requests");
                assert!(seen.is_empty(), "{seen:#?}");
            })
            .never("content-length: 4")
    };
    vec![
        safe(
            "length-then-coding",
            "Content-Length before Transfer-Encoding is refused, and nothing of it goes on",
            both("Content-Length: LENGTH", "Transfer-Encoding: chunked"),
        ),
        safe(
            "coding-then-length",
            "Transfer-Encoding before Content-Length: likewise",
            both("Transfer-Encoding: chunked", "Content-Length: LENGTH"),
        ),
        case("length-of-all-bits", "RFC 9110 §8.6", "The largest number of 64 bits is no length")
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 18446744073709551615\r\n\r\nhello")
            .gets_one_of(&[400, 413, 431])
            .closed()
            .upstream(0),
        case("gzip-coding", "RFC 9112 §6.1", "A transfer coding that is not understood is refused")
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
            .gets_one_of(&[400, 501])
            .closed()
            .upstream(0),
    ]
}

/// Bodies that stop before their end.
fn open() -> Vec<Case> {
    vec![
        case(
            "body-cut",
            "RFC 9112 §8",
            "A body that ends before its length is never a whole request upstream",
        )
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nhello")
        .step(|play| {
            play.client().close_write();
            assert_eq!(
                play.response_or_end(pn_testkit::PATIENCE).map_or(400, |response| response.status),
                400
            );
            play.client().expect_closed();
        })
        .nothing_whole(),
        case(
            "bytes-behind-a-body",
            "RFC 9112 §6.3",
            "Bytes behind a body are the next request, and refused if they are none",
        )
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello world\r\n\r\n")
        .gets(200)
        .gets(400)
        .closed()
        .upstream(1),
        case("body-of-pieces", "RFC 9112 §6.2", "A body that comes in pieces goes on whole")
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nhe")
            .send("llo")
            .send("world")
            .gets(200)
            .kept()
            .upstream(1)
            .sees("helloworld"),
    ]
}

//! Chunked bodies of requests and their trailers: RFC 9112 section 7.1, RFC 9110 section 6.5.

use super::{Passed, rows};
use crate::case::{Case, case};

/// id, section, behaviour, a body: refused, and never a whole request upstream.
struct Broken(&'static str, &'static str, &'static str, &'static [u8]);

const HEAD: &str = "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n";

impl From<&Broken> for Case {
    fn from(&Broken(id, section, behaviour, body): &Broken) -> Self {
        case(id, section, behaviour)
            .send(HEAD)
            .step(move |play| play.send(body))
            .gets(400)
            .closed()
            .nothing_whole()
            .never("/smuggled")
    }
}

const BROKEN: &[Broken] = &[
    Broken(
        "chunk-size-of-letters",
        "RFC 9112 §7.1",
        "A chunk size that is no number is refused",
        b"zz\r\nhello\r\n0\r\n\r\n",
    ),
    Broken("chunk-size-empty", "RFC 9112 §7.1", "An empty chunk size is refused", b"\r\nhello\r\n0\r\n\r\n"),
    Broken(
        "chunk-size-minus",
        "RFC 9112 §7.1",
        "A negative chunk size is refused",
        b"-5\r\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-size-plus",
        "RFC 9112 §7.1",
        "A chunk size with a plus sign is refused",
        b"+5\r\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-size-prefix",
        "RFC 9112 §7.1",
        "A chunk size with `0x` is refused",
        b"0x5\r\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-size-underscore",
        "RFC 9112 §7.1",
        "A chunk size with an underscore is refused",
        b"1_0\r\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-size-overflow",
        "RFC 9112 §7.1",
        "A chunk size of more than 64 bits is refused, not wrapped",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-size-with-bare-lf",
        "RFC 9112 §7.1",
        "A chunk size that ends with LF alone is refused",
        b"5\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-size-with-bare-cr",
        "RFC 9112 §7.1",
        "A chunk size that ends with CR alone is refused",
        b"5\rhello\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-without-end",
        "RFC 9112 §7.1",
        "Data longer than its chunk is refused",
        b"5\r\nhello world\r\n0\r\n\r\n",
    ),
    Broken(
        "chunk-end-of-lf",
        "RFC 9112 §7.1",
        "Chunk data that ends with LF alone is refused",
        b"5\r\nhello\n0\r\n\r\n",
    ),
    Broken(
        "chunk-extension-with-lf",
        "RFC 9112 §7.1.1",
        "LF inside a chunk extension is refused",
        b"5;a\nGET /smuggled HTTP/1.1\r\nhello\r\n0\r\n\r\n",
    ),
    Broken(
        "trailer-without-colon",
        "RFC 9112 §7.1.2",
        "A trailer line that is no field is refused",
        b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    ),
    Broken(
        "trailer-with-space-before-colon",
        "RFC 9112 §5.1",
        "Whitespace before the colon of a trailer is refused",
        b"5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n",
    ),
];

const PASSED: &[Passed] = &[
    Passed(
        "chunks",
        "RFC 9112 §7.1",
        "Chunks go on as chunks, without the client's sizes being trusted further",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        &["transfer-encoding: chunked\r\n", "lo\r\n"],
        &["content-length"],
    ),
    Passed(
        "chunk-size-case",
        "RFC 9112 §7.1",
        "Hexadecimal digits may be of either case, with zeros before them that end here",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n",
        &["0123456789"],
        &["00a\r\n", "\r\n0a\r\n"],
    ),
    Passed(
        "chunk-extension",
        "RFC 9112 §7.1.1",
        "Chunk extensions end here",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5;name=\"value\"\r\nhello\r\n0;last\r\n\r\n",
        &["hello"],
        &["name", "last"],
    ),
    Passed(
        "chunk-end-of-many-zeros",
        "RFC 9112 §7.1",
        "The last chunk may have several zeros",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n000\r\n\r\n",
        &["hello"],
        &[],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(BROKEN), rows(PASSED), bounds(), trailers()].into_iter().flatten().collect()
}

fn bounds() -> Vec<Case> {
    vec![
        case("chunk-extension-endless", "RFC 9112 §7.1.1", "A chunk extension without end is cut off")
            .send(HEAD)
            .step(|play| play.send(format!("5;{}", "a".repeat(200_000)).as_bytes()))
            .gets(400)
            .closed(),
        case("chunk-extensions-of-many", "RFC 9112 §7.1.1", "Extensions that dwarf their chunks are cut off")
            .send(HEAD)
            .step(|play| play.send(format!("1;{}\r\na\r\n", "a".repeat(500)).repeat(500).as_bytes()))
            .gets(400)
            .closed(),
        case("trailers-endless", "RFC 9110 §6.5", "Trailers without end are cut off")
            .send(HEAD)
            .step(|play| play.send(format!("5\r\nhello\r\n0\r\n{}", "X-A: 1\r\n".repeat(50_000)).as_bytes()))
            .gets_one_of(&[400, 431])
            .closed(),
        case(
            "chunks-cut",
            "RFC 9112 §8",
            "A chunked body without its last chunk is never a whole request upstream",
        )
        .send(HEAD)
        .send("5\r\nhello\r\n")
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
            "chunks-then-request",
            "RFC 9112 §9.3.2",
            "The request behind a chunked body is the next request",
        )
        .send(HEAD)
        .send("5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: {host}\r\n\r\n")
        .gets(200)
        .gets(200)
        .kept()
        .upstream(2)
        .sees("GET /next HTTP/1.1\r\n"),
    ]
}

fn trailers() -> Vec<Case> {
    let with = |trailers: &str| {
        let names: Vec<&str> = trailers.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
        let head = format!("Trailer: {}\r\nTransfer-Encoding: chunked\r\n\r\n", names.join(", "));
        format!("POST / HTTP/1.1\r\nHost: {{host}}\r\n{head}5\r\nhello\r\n0\r\n{trailers}\r\n")
    };
    let forbidden = |id: &'static str, behaviour: &'static str, line: &'static str| {
        case(id, "RFC 9110 §6.5.1", behaviour)
            .step(move |play| play.send(with(&format!("{line}\r\nX-Sum: 7\r\n")).as_bytes()))
            .gets(200)
            .kept()
            .upstream(1)
            .step(move |play| {
                let seen = play.seen().expect("well-formed");
                let name = line.split(':').next().unwrap_or_default();
                let trailers = &seen[0].trailers;
                assert!(!trailers.iter().any(|(field, _)| field.eq_ignore_ascii_case(name)), "{trailers:?}");
                assert!(!seen[0].headers.iter().any(|(_, value)| value == "evil"), "{seen:?}");
            })
    };
    vec![
        case("trailers", "RFC 9110 §6.5", "Trailers that were announced go on as trailers")
            .step(move |play| play.send(with("X-Sum: 7\r\n").as_bytes()))
            .gets(200)
            .kept()
            .upstream(1)
            .step(|play| {
                let seen = play.seen().expect("well-formed");
                assert_eq!(seen[0].trailers, [("x-sum".to_owned(), "7".to_owned())]);
            }),
        forbidden("trailer-host", "Host in a trailer changes nothing and goes no further", "Host: evil"),
        forbidden(
            "trailer-length",
            "Content-Length in a trailer changes nothing and goes no further",
            "Content-Length: 9",
        ),
        forbidden(
            "trailer-coding",
            "Transfer-Encoding in a trailer goes no further",
            "Transfer-Encoding: gzip",
        ),
        forbidden(
            "trailer-authorization",
            "Authorization in a trailer goes no further",
            "Authorization: evil",
        ),
        forbidden(
            "trailer-forwarded-for",
            "X-Forwarded-For in a trailer goes no further",
            "X-Forwarded-For: evil",
        ),
        forbidden("trailer-connection", "Connection in a trailer goes no further", "Connection: evil"),
    ]
}

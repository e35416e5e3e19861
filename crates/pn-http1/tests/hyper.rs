//! The codec beside hyper's HTTP/1: the same bytes to both. What they see differently is listed, and wanted.

mod oracle;

use http::Method;
use oracle::{Reason, hyper_requests, hyper_response, our_requests, our_response};
use pn_http1::{BodyError, Refusal};
use proptest::prelude::*;

const HOST: &str = "Host: a\r\n";

/// What hyper does with input that the codec refuses: how many messages it takes, and with which bodies.
type Taken<'a> = &'a [&'a str];

/// Input that the codec refuses and hyper takes: the reason, and the bodies that hyper gives out.
#[track_caller]
fn stricter(input: &str, reason: Reason, taken: Taken<'_>) {
    let (ours, hypers) = (our_requests(input.as_bytes()), hyper_requests(input.as_bytes()));
    assert_eq!(ours.refused, Some(reason), "{input:?}");
    let bodies = hypers
        .messages
        .iter()
        .map(|seen| seen.body.as_deref().map_or_else(|| "cut".into(), String::from_utf8_lossy));
    assert_eq!(bodies.collect::<Vec<_>>(), taken, "{input:?}: {hypers:?}");
    oracle::requests(input.as_bytes());
}

#[test]
fn heads_that_the_codec_refuses_and_hyper_takes() {
    let head = Reason::Head;
    let get = |line: &str, fields: &str| format!("GET {line} HTTP/1.1\r\n{fields}\r\n");
    stricter("GET / HTTP/1.1\nHost: a\n\n", head(Refusal::LineEnd), &[""]);
    stricter(&format!("{}{}", "\r\n".repeat(5), get("/", HOST)), head(Refusal::EmptyLines), &[""]);
    stricter(&format!("\n{}", get("/", HOST)), head(Refusal::LineEnd), &[""]);
    stricter(&get("/a#b", HOST), head(Refusal::Fragment), &[""]);
    stricter(&get("*", HOST), head(Refusal::Target), &[""]);
    stricter(&get("a:80", HOST), head(Refusal::Target), &[""]);
    stricter(&get("ftp://a/", HOST), head(Refusal::Target), &[""]);
    stricter(&get("/", ""), head(Refusal::NoHost), &[""]);
    stricter(&get("/", "Host: a\r\nHost: a\r\n"), head(Refusal::ManyHosts), &[""]);
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let twice = post("Content-Length: 2\r\nContent-Length: 2\r\n", "ok");
    stricter(&twice, head(Refusal::LengthRepeated), &["ok"]);
    let chunk = "2\r\nok\r\n0\r\n\r\n";
    let both = post("Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", chunk);
    stricter(&both, head(Refusal::LengthAndCoding), &["ok"]);
    let both = post("Transfer-Encoding: chunked\r\nContent-Length: 9\r\n", chunk);
    stricter(&both, head(Refusal::LengthAndCoding), &["ok"]);
    stricter(&post("Transfer-Encoding: gzip, chunked\r\n", chunk), head(Refusal::CodingUnknown), &["ok"]);
    let twice = post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunk);
    stricter(&twice, head(Refusal::Coding), &["ok"]);
    stricter(&post("Content-Length: 9223372036854775808\r\n", ""), head(Refusal::Length), &["cut"]);
    let options = format!("Connection: {}\r\n", ["x"; 33].join(","));
    stricter(&post(&options, ""), head(Refusal::ConnectionOptions), &[""]);
}

#[test]
fn bodies_that_the_codec_refuses_and_hyper_takes() {
    let post = |body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    stricter(&post("2;\0\r\nok\r\n0\r\n\r\n"), Reason::Body(BodyError::Extension), &["ok"]);
    stricter(
        &post("00000000000000002\r\nok\r\n0\r\n\r\n"),
        Reason::Body(BodyError::ChunkSizeTooLarge),
        &["ok"],
    );
    let many = format!("2\r\nok\r\n0\r\n{}\r\n", "X: y\r\n".repeat(65));
    stricter(&post(&many), Reason::Body(BodyError::TrailersTooLarge), &["ok"]);
}

#[test]
fn responses_that_the_codec_refuses_and_hyper_takes() {
    let ok = |fields: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}");
    let chunk = "2\r\nok\r\n0\r\n\r\n";
    for (input, refusal) in [
        (ok("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", chunk), Refusal::LengthAndCoding),
        (ok("Transfer-Encoding: gzip, chunked\r\n", chunk), Refusal::CodingUnknown),
        (ok("Transfer-Encoding: identity\r\n", "ok"), Refusal::Coding),
        (ok("Content-Length: 9223372036854775808\r\n", "ok"), Refusal::Length),
        (ok(&format!("Connection: {}\r\n", ["x"; 33].join(",")), ""), Refusal::ConnectionOptions),
        (format!("{}{}", "\r\n".repeat(5), ok("", "ok")), Refusal::EmptyLines),
        (format!("\n{}", ok("", "ok")), Refusal::LineEnd),
    ] {
        let ours = our_response(&Method::GET, input.as_bytes());
        let hypers = hyper_response(&Method::GET, input.as_bytes());
        assert_eq!(
            (ours.refused, hypers.messages.len()),
            (Some(Reason::Head(refusal)), 1),
            "{input:?} {hypers:?}"
        );
        oracle::responses(input.as_bytes());
    }
    // What hyper does not look at, since 304 and the answer to HEAD have no body.
    oracle::responses(b"HTTP/1.1 304 x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n");
    oracle::responses(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn what_both_take_and_both_refuse() {
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    let get = "GET /n HTTP/1.1\r\nHost: a\r\n\r\n";
    for (input, count) in [
        (get.repeat(3), 3),
        (post("Content-Length: 5\r\n", "hello") + get, 2),
        (
            post("Transfer-Encoding: Chunked\r\n", "5;a=b\r\nhello\r\n000\r\nX-Sum: 7\r\nHost: b\r\n\r\n")
                + get,
            2,
        ),
        (post("Connection: close\r\n", "") + get, 1),
        ("GET / HTTP/1.0\r\n\r\n".to_owned() + get, 1),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\n".to_owned() + get, 2),
        ("GET http://B/a?b HTTP/1.1\r\nHost: b\r\nX: \u{e9}\r\nx: 2\r\n\r\n".to_owned(), 1),
        ("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(), 1),
        (get.to_owned() + "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 1),
        (get.to_owned() + "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 1),
        (post("Content-Length: 5, 6\r\n", "hello"), 0),
        (post("Content-Length: +5\r\n", "hello"), 0),
        (post("X: a\r\n b\r\n", ""), 0),
        (post("X: a\rb\r\n", ""), 0),
    ] {
        assert_eq!(our_requests(input.as_bytes()).messages.len(), count, "{input:?}");
        assert_eq!(hyper_requests(input.as_bytes()).messages.len(), count, "{input:?}");
        oracle::requests(input.as_bytes());
    }
}

/// Requests in a row, right or wrong here and there.
const REQUESTS: &str = "((GET|POST|HEAD|OPTIONS|X) (/|/a|/a\\?b=c|\\*|http://a/b|//|/<|/\u{e9}) HTTP/1\\.[01]\r\n\
    (Host: a\r\n){0,1}(host: a\r\n|Content-Length: [0-9]\r\n|content-length: 3\r\n|Transfer-Encoding: (chunked|Chunked|gzip, chunked|x)\r\n|\
    Connection: (close|keep-alive|x|close, x|keep-alive, x)\r\n|X-[AB]: [a-z ]{0,3}\r\n|X: \t1\r\n|Y :2\r\n| z: 1\r\n|Expect: 100-continue\r\n){0,4}(\r\n|\r\n|\r\n|\n)\
    (abc|abc|5\r\nhello\r\n0\r\n\r\n|3;x\r\nabc\r\n00\r\nX-S: 1\r\n\r\n|a\r\n0123456789\r\n0\r\n\r\n|2\nab\r\n){0,1}){1,3}";
const RESPONSES: &str = "(HTTP/1\\.1 10[023] x\r\n(Link: a\r\n){0,1}\r\n){0,2}HTTP/1\\.[01] (200 OK|204 No|304 x|404 |500|20 x)\r\n\
    (Content-Length: [0-9]\r\n|content-length: 3\r\n|Content-Length: 3, 3\r\n|Transfer-Encoding: (chunked|Chunked|gzip, chunked|x)\r\n|\
    Connection: (close|keep-alive|x)\r\n|X-[AB]: [a-z ]{0,3}\r\n|Y :2\r\n){0,3}(\r\n|\r\n|\n)\
    (abc|abc|abcde|5\r\nhello\r\n0\r\n\r\n|3;x\r\nabc\r\n00\r\nX-S: 1\r\n\r\n|2\nab\r\n|zz\r\n){0,1}";

const SOUND: [&[u8]; 5] = [
    b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nX: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST http://a/b HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhelloGET /n HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_requests(input in REQUESTS) {
        oracle::requests(input.as_bytes());
    }

    /// Bytes that no grammar thinks of, in a few places of sound input.
    #[test]
    fn any_bytes_in_sound_input(
        request in 0..SOUND.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        let mut input = SOUND[request].to_vec();
        for (place, byte, insert) in changes {
            let at = place.index(input.len());
            if insert { input.insert(at, byte) } else { input[at] = byte }
        }
        oracle::requests(&input);
        oracle::responses(&input);
    }

    #[test]
    fn any_responses(input in RESPONSES) {
        oracle::responses(input.as_bytes());
    }
}

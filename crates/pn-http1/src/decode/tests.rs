//! Rows of bodies and what comes of them, whole and in pieces.

use super::*;
use crate::laws::{self, Body};

/// Data, bytes left over and trailers of a body that is over; or the error; `None` when it is not over.
type Outcome<'a> = Result<Option<(&'a str, &'a str, &'a [(&'a str, &'a str)])>, BodyError>;

#[track_caller]
fn check(framing: Framing, input: &str, expected: Outcome<'_>) {
    let whole = laws::body(framing, [input.as_bytes()]);
    laws::any_split_of_a_body_is_alike(framing, input.as_bytes());
    let told = |body: &Body| {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let trailers = body.trailers.iter().map(|(name, value)| (text(name), text(value)));
        (text(&body.data), input.get(body.consumed..).unwrap().to_owned(), trailers.collect::<Vec<_>>())
    };
    let expected = expected.map(|body| {
        body.map(|(data, rest, trailers)| {
            let own = trailers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            (data.to_owned(), rest.to_owned(), own.collect::<Vec<_>>())
        })
    });
    assert_eq!(whole.map(|body| body.done.then(|| told(&body))), expected, "{input:?}");
}

#[test]
fn lengths() {
    check(Framing::None, "GET", Ok(Some(("", "GET", &[]))));
    check(Framing::Length(0), "GET", Ok(Some(("", "GET", &[]))));
    check(Framing::Length(5), "helloGET", Ok(Some(("hello", "GET", &[]))));
    check(Framing::Length(5), "hell", Ok(None));
    check(Framing::UntilClose, "hello", Ok(None));
}

#[test]
fn chunks() {
    let whole = |data, rest| Ok(Some((data, rest, &[][..])));
    check(Framing::Chunked, "5\r\nhello\r\n0\r\n\r\nGET", whole("hello", "GET"));
    check(Framing::Chunked, "0\r\n\r\n", whole("", ""));
    check(Framing::Chunked, "3\r\nhel\r\n2\r\nlo\r\n000\r\n\r\n", whole("hello", ""));
    check(
        Framing::Chunked,
        "00A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n",
        whole("01234567890123456789", ""),
    );
    check(Framing::Chunked, "5;name=\"value\"\r\nhello\r\n0;last\r\n\r\n", whole("hello", ""));
    check(Framing::Chunked, "5 \t;a = b\r\nhello\r\n0\r\n\r\n", whole("hello", ""));
    check(Framing::Chunked, "5  \r\nhello\r\n0\r\n\r\n", whole("hello", ""));
    for cut in [
        "",
        "5",
        "5\r",
        "5\r\n",
        "5\r\nhel",
        "5\r\nhello",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\n\r",
        "0\r\nX: y\r\n",
    ] {
        check(Framing::Chunked, cut, Ok(None));
    }
}

#[test]
fn broken_chunks() {
    for (input, error) in [
        ("zz\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("-5\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("+5\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        (" 5\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        (";5\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("5 5\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("0x5\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("1_0\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("10000000000000005\r\nhello", BodyError::ChunkSizeTooLarge),
        ("8000000000000000\r\nhello", BodyError::ChunkSizeTooLarge),
        ("00000000000000005\r\nhello", BodyError::ChunkSizeTooLarge),
        ("5\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("5\rhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("5\r\nhello world\r\n0\r\n\r\n", BodyError::ChunkEnd),
        ("5\r\nhello\n0\r\n\r\n", BodyError::ChunkEnd),
        ("5\r\nhello\r0\r\n\r\n", BodyError::ChunkEnd),
        ("5;a\nGET /smuggled HTTP/1.1\r\nhello\r\n0\r\n\r\n", BodyError::Extension),
        ("5;a\rb\r\nhello\r\n0\r\n\r\n", BodyError::ChunkSize),
        ("5;a\0\r\nhello\r\n0\r\n\r\n", BodyError::Extension),
        ("0\r\nGET /smuggled HTTP/1.1\r\n\r\n", BodyError::Trailer),
        ("0\r\nX-A : 1\r\n\r\n", BodyError::Trailer),
        ("0\r\nX-A: 1\n\r\n", BodyError::Trailer),
        ("0\r\nX-A:\n\r\n", BodyError::Trailer),
        ("0\r\nX-A: 1\r\n\n", BodyError::Trailer),
        ("0\r\n\n", BodyError::Trailer),
        ("0\r\nX-A: 1\r\n 2\r\n\r\n", BodyError::Trailer),
    ] {
        check(Framing::Chunked, input, Err(error));
    }
}

#[test]
fn trailers_that_have_no_place_are_left_out() {
    check(
        Framing::Chunked,
        "5\r\nhello\r\n0\r\nX-Sum: 7\r\nHost: a\r\nContent-Length: 9\r\nX-Forwarded-For: b\r\nx-b:\r\n\r\nGET",
        Ok(Some(("hello", "GET", &[("X-Sum", "7"), ("x-b", "")]))),
    );
    for barred in
        ["Transfer-Encoding", "Authorization", "Connection", "Set-Cookie", "x_real_ip", "Trailer", "Via"]
    {
        check(Framing::Chunked, &format!("0\r\n{barred}: a\r\n\r\n"), Ok(Some(("", "", &[]))));
    }
}

#[test]
fn everything_is_bounded() {
    let body = |input: String| laws::body(Framing::Chunked, [input.as_bytes()]).map(|body| body.done);
    let many = "1;abcdefghij\r\na\r\n".repeat(2_000);
    assert_eq!(body(format!("5;{}", "a".repeat(200_000))), Err(BodyError::Extension));
    assert_eq!(body(many), Err(BodyError::Extension));
    assert_eq!(body(format!("5{}", " ".repeat(200_000))), Err(BodyError::Extension));
    assert_eq!(body(format!("0\r\n{}", "X-A: 1\r\n".repeat(65))), Err(BodyError::TrailersTooLarge));
    assert_eq!(body(format!("0\r\nX-A: {}", "a".repeat(17_000))), Err(BodyError::TrailersTooLarge));
    // Extensions that are small beside their data may go on for ever.
    let honest = format!("400;a=b\r\n{}\r\n", "a".repeat(0x400)).repeat(5_000);
    assert_eq!(body(format!("{honest}0\r\n\r\n")), Ok(true));
}

#[test]
fn a_whole_body_is_one_step() {
    for (framing, input, data) in [
        (Framing::Length(5), "hello", 0..5),
        (Framing::Chunked, "5\r\nhello\r\n0\r\n\r\n", 3..8),
        (Framing::Chunked, "5\r\nhello\r\n0\r\nX: y\r\n\r\n", 3..8),
    ] {
        let step = BodyDecoder::new(framing).decode(input.as_bytes()).unwrap();
        assert_eq!((step.consumed, step.data, step.done), (input.len(), data, true), "{input:?}");
    }
}

#[test]
fn the_end_of_the_connection() {
    for (framing, input, whole) in [
        (Framing::UntilClose, "hello", true),
        (Framing::Length(5), "hello", true),
        (Framing::Length(5), "hell", false),
        (Framing::Chunked, "5\r\nhello\r\n0\r\n\r\n", true),
        (Framing::Chunked, "5\r\nhello\r\n", false),
        (Framing::Chunked, "5\r\nhello\r\n0\r\n", false),
        (Framing::Chunked, "5\r\nhel", false),
    ] {
        let mut decoder = BodyDecoder::new(framing);
        decoder.decode(input.as_bytes()).unwrap();
        assert_eq!(decoder.end_of_input().is_ok(), whole, "{framing:?} {input:?}");
    }
}

#[test]
fn what_is_passed_over_counts() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert_eq!(decoder.run(), 0);
    assert_eq!(decoder.decode(b"5\r\n").map(|step| step.consumed), Ok(3));
    assert_eq!((decoder.run(), decoder.pass_over(2), decoder.run()), (5, Ok(()), 3));
    assert_eq!(decoder.pass_over(4), Err(BodyError::Overrun));
    assert_eq!(decoder.pass_over(3), Ok(()));
    assert_eq!(decoder.decode(b"\r\n0\r\n\r\n").map(|step| step.done), Ok(true));
    let mut length = BodyDecoder::new(Framing::Length(5));
    assert_eq!((length.pass_over(5), length.is_done()), (Ok(()), true));
    assert_eq!(BodyDecoder::new(Framing::UntilClose).run(), u64::MAX);
}

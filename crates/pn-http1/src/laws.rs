//! What holds for all input, for the tests and the fuzzer. Each panics when it does not.
#![expect(clippy::expect_used, reason = "a law that does not hold panics")]

use crate::{
    BodyDecoder, BodyEncoder, BodyError, Fields, Framing, HeadWriter, Limits, Name, Refusal, RequestHead,
    RequestTarget, ResponseHead, Span, Value, parse_request, parse_response, parse_trailers,
};
use http::Method;

/// A body that was taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    pub data: Vec<u8>,
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the input that it took.
    pub consumed: usize,
    pub done: bool,
}

/// Small enough for a fuzzer to reach them.
const LIMITS: Limits = Limits { head_bytes: 1_000, fields: 70, target_bytes: 100, line_bytes: 300 };

/// Takes a body apart that comes in pieces.
pub fn body<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Body, BodyError> {
    let mut decoder = BodyDecoder::new(framing);
    let mut body = Body { done: decoder.is_done(), ..Body::default() };
    let mut pending = Vec::new();
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            let step = decoder.decode(&pending)?;
            assert!(step.consumed <= pending.len() && step.data.end <= step.consumed);
            body.data.extend_from_slice(&pending[step.data]);
            if !step.trailers.is_empty() {
                body.trailers = trailers(&pending[step.trailers])?;
            }
            body.consumed += step.consumed;
            body.done = step.done;
            pending.drain(..step.consumed);
            if step.consumed == 0 || step.done {
                break;
            }
        }
    }
    Ok(body)
}

fn trailers(section: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, BodyError> {
    let mut fields = Fields::new();
    parse_trailers(section, &mut fields)?;
    let own = |span: Span| span.of(section).to_vec();
    Ok(fields.iter().map(|field| (own(field.name), own(field.value))).collect())
}

/// However a body is cut, its parts are the same.
pub fn any_split_of_a_body_is_alike(framing: Framing, input: &[u8]) {
    let whole = body(framing, [input]);
    let bytes = body(framing, input.chunks(1));
    assert_eq!(bytes, whole, "byte by byte: {:?}", input.escape_ascii().to_string());
    let step = input.len() / 16 + 1;
    for at in (0..input.len()).step_by(step) {
        let (front, back) = input.split_at(at);
        assert_eq!(
            body(framing, [front, back]),
            whole,
            "cut at {at}: {:?}",
            input.escape_ascii().to_string()
        );
    }
}

/// Any bytes as the head of a request, and the body behind it.
pub fn request(input: &[u8]) {
    let mut fields = Fields::new();
    let whole = parse_request(input, &LIMITS, &mut fields);
    prefixes(input, &whole, |front| parse_request(front, &LIMITS, &mut Fields::new()));
    let Ok(Some(head)) = whole else { return };
    assert!(head.len <= input.len().min(LIMITS.head_bytes));
    assert!(head.framing != Framing::UntilClose);
    fields_are_sound(input, head.len, &fields);
    written_again(input, &head, &fields);
    any_split_of_a_body_is_alike(head.framing, &input[head.len..]);
}

/// Any bytes as the head of a response, and the body behind it.
pub fn response(input: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let mut fields = Fields::new();
        let whole = parse_response(input, &LIMITS, &method, &mut fields);
        prefixes(input, &whole, |front| parse_response(front, &LIMITS, &method, &mut Fields::new()));
        let Ok(Some(head)) = whole else { continue };
        fields_are_sound(input, head.len, &fields);
        response_is_sound(&method, &head);
        any_split_of_a_body_is_alike(head.framing, &input[head.len..]);
    }
}

/// Any bytes as a chunked body, and what is taken of it put into chunks again.
pub fn chunked(input: &[u8]) {
    any_split_of_a_body_is_alike(Framing::Chunked, input);
    let Ok(read) = body(Framing::Chunked, [input]) else { return };
    let sizes = [1, 7, 64, 1_000];
    for size in sizes {
        let written = encoded(&read, size);
        let again = body(Framing::Chunked, [&written[..]]).expect("what was written can be read");
        assert!(again.done && again.consumed == written.len());
        assert_eq!((&again.data, &again.trailers), (&read.data, &read.trailers));
    }
}

fn encoded(body: &Body, size: usize) -> Vec<u8> {
    let mut encoder = BodyEncoder::new(Framing::Chunked);
    let mut written = Vec::new();
    for piece in body.data.chunks(size) {
        let frame = encoder.frame(piece.len(), false).expect("chunks have no length to pass");
        written.extend([frame.head(), piece, frame.tail()].concat());
    }
    let trailers = body.trailers.iter();
    let trailers =
        trailers.map(|(name, value)| (Name::new(name).expect("a name"), Value::new(value).expect("a value")));
    encoder.end_with_trailers(trailers, &mut written).expect("chunks may end anywhere");
    written
}

/// Of any beginning of the input the answer is the same, or that more is needed.
fn prefixes<H: PartialEq + std::fmt::Debug>(
    input: &[u8],
    whole: &Result<Option<H>, Refusal>,
    mut parse: impl FnMut(&[u8]) -> Result<Option<H>, Refusal>,
) {
    let step = input.len() / 64 + 1;
    for to in (0..input.len()).rev().step_by(step) {
        let part = parse(&input[..to]);
        assert!(
            part == Ok(None) || part == *whole,
            "{to}: {part:?}, {whole:?}: {:?}",
            input.escape_ascii().to_string()
        );
    }
}

/// Nothing in a field could end its line, and the fields lie in order inside the head.
fn fields_are_sound(input: &[u8], len: usize, fields: &Fields) {
    let mut from = 0;
    for field in fields.iter() {
        let (name, value) = (field.name.range(), field.value.range());
        assert!(from <= name.start && name.end <= value.start && value.end <= len, "{field:?}");
        from = value.end;
        assert!(
            Name::new(field.name.of(input)).is_some() && Value::new(field.value.of(input)).is_some(),
            "{field:?}"
        );
        assert!(fields.all(field.known).any(|other| other == field));
    }
}

fn response_is_sound(method: &Method, head: &ResponseHead) {
    let bare = *method == Method::HEAD
        || head.status.is_informational()
        || matches!(head.status.as_u16(), 204 | 304);
    assert!(!bare || head.framing == Framing::None);
    assert!(head.framing != Framing::UntilClose || !head.persistent);
}

/// A request that is written from its parts is the same request.
fn written_again(input: &[u8], head: &RequestHead, fields: &Fields) {
    let mut out = Vec::new();
    let target = RequestTarget::new(head.target.whole.of(input)).expect("a target that was parsed");
    let mut writer = HeadWriter::request(&mut out, &head.method, target);
    writer.fields(fields.iter().map(|field| (field.name(input), field.value(input))));
    writer.finish();
    if head.version != http::Version::HTTP_11 || out.len() > LIMITS.head_bytes {
        return;
    }
    let mut again = Fields::new();
    let written = parse_request(&out, &LIMITS, &mut again).expect("what was written").expect("is whole");
    assert_eq!(
        (&written.method, written.framing, written.connection),
        (&head.method, head.framing, head.connection)
    );
    assert_eq!((written.persistent, written.expect), (head.persistent, head.expect));
    assert_eq!(written.target.path.of(&out), head.target.path.of(input));
    let pairs = |bytes: &[u8], fields: &Fields| -> Vec<(Vec<u8>, Vec<u8>)> {
        fields.iter().map(|field| (field.name.of(bytes).to_vec(), field.value.of(bytes).to_vec())).collect()
    };
    assert_eq!(pairs(&out, &again), pairs(input, fields));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that look like heads and chunks, wrong in one place or another.
    const WORDS: &str = "(GET |POST |HEAD |/|/a\\?b|http://a/| HTTP/1\\.1| HTTP/1\\.0|HTTP/1\\.1 200 OK|HTTP/1\\.1 103 |\
        \r\n|\r\n|\r\n|\n|\r|host: a\r\n|Host: a\r\n|content-length: 5\r\n|Content-Length: 05\r\n|\
        transfer-encoding: chunked\r\n|Connection: |close|keep-alive|X-A|: |:| |\t|;|0|5|a|5\r\nhello\r\n|0\r\n\r\n|\u{e9}|#){0,24}";
    const HEAD: &str = "GET /[a-z]{0,4}(\\?[a-z]{0,3})? HTTP/1\\.[01]\r\n(Host: a\r\n)?\
        (content-length: [0-9]{1,2}\r\n|Content-Length: 3\r\n|transfer-encoding: [cC]hunked\r\n|connection: (close|x|keep-alive|, ,)\r\n|\
        X-[a-z]{1,3}: {0,2}[a-z ]{0,9}\r\n|Expect: 100-continue\r\n){0,5}\r\n([0-9a-f]{1,2}\r\n[a-z]{0,9}\r\n|0\r\n\r\n|[a-z]{0,9}){0,3}";
    const CHUNKS: &str = "([0-5](;[a-z]{0,3})?\r\n[a-z]{0,5}\r\n|1\r\na\r\n|3\r\nabc\r\n){0,5}0\r\n(X-[a-z]: [a-z]{0,3}\r\n|te: a\r\n){0,2}\r\n?\n?[A-Z]{0,3}";

    proptest! {
        #[test]
        fn any_text(input in WORDS) {
            request(input.as_bytes());
            response(input.as_bytes());
            chunked(input.as_bytes());
        }

        #[test]
        fn requests(input in HEAD) {
            request(input.as_bytes());
        }

        #[test]
        fn responses(head in HEAD) {
            let fields = head.split_once("\r\n").map_or("", |(_, fields)| fields);
            for line in ["HTTP/1.1 200 OK", "HTTP/1.1 204 ", "HTTP/1.0 500", "HTTP/1.1 103 Early"] {
                response(format!("{line}\r\n{fields}").as_bytes());
            }
        }

        #[test]
        fn chunks(input in CHUNKS) {
            chunked(input.as_bytes());
        }

        #[test]
        fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..64)) {
            request(&input);
            response(&input);
            chunked(&input);
        }
    }

    /// Heads at and around the limits, where more room is taken for fields, and where heads are cut off.
    #[test]
    fn around_the_limits() {
        for count in 60..75 {
            request(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(count)).as_bytes());
        }
        for length in (60..130).chain(250..310).chain(930..1_010) {
            request(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length)).as_bytes());
            request(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(length)).as_bytes());
            response(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(length)).as_bytes());
        }
    }
}

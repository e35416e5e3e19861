//! Rows of request heads and what is understood, or why they are refused.

use super::*;
use crate::laws;
use crate::target::Form;

/// What one test looks at, said in words.
fn told(input: &str, head: &RequestHead, fields: &Fields) -> String {
    let bytes = input.as_bytes();
    let text = |span: Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
    let mut words = vec![format!("{} {}", head.method, text(head.target.path))];
    words.extend(head.target.query.map(|query| format!("?{}", text(query))));
    match head.target.form {
        Form::Origin => {}
        form => words.push(format!("{form:?} {}", text(head.target.authority)).trim().to_owned()),
    }
    words.extend((head.framing != Framing::None).then(|| format!("{:?}", head.framing)));
    words.extend((!head.persistent).then(|| "close".to_owned()));
    words.extend((head.expect != Expect::Nothing).then(|| format!("expect {:?}", head.expect)));
    words.extend(head.te_trailers.then(|| "trailers".to_owned()));
    words.extend(head.upgrade.map(|upgrade| format!("upgrade {}", text(upgrade))));
    words.extend(head.host.is_none().then(|| "no host".to_owned()));
    let hop = fields.iter().filter(|field| !fields.is_end_to_end(bytes, field, head.connection));
    let hop: Vec<String> = hop.map(|field| text(field.name).to_lowercase()).collect();
    words.extend((!hop.is_empty()).then(|| format!("hop {}", hop.join(" "))));
    words.join(" | ")
}

#[track_caller]
fn check(input: &str, expected: Result<&str, Refusal>) {
    let mut fields = Fields::new();
    let parsed = parse_request(input.as_bytes(), &Limits::default(), &mut fields);
    let parsed = parsed.map(|head| {
        let told = head.map(|head| told(input, &head, &fields));
        told.unwrap_or_else(|| "incomplete".to_owned())
    });
    assert_eq!(parsed, expected.map(str::to_owned), "{input:?}");
    laws::request(input.as_bytes());
}

/// A GET of `/` with these further fields.
#[track_caller]
fn with(fields: &str, expected: Result<&str, Refusal>) {
    check(&format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"), expected);
}

const HOST: &str = "Host: a.example\r\n\r\n";

#[track_caller]
fn line(line: &str, expected: Result<&str, Refusal>) {
    check(&format!("{line}\r\n{HOST}"), expected);
}

#[test]
fn request_lines() {
    line("GET / HTTP/1.1", Ok("GET /"));
    line("get / HTTP/1.1", Ok("get /"));
    line("A-RATHER-LONG-METHOD / HTTP/1.1", Ok("A-RATHER-LONG-METHOD /"));
    line("GET / HTTP/1.0", Ok("GET / | close"));
    line("GET /", Err(Refusal::Target));
    line("GET / http/1.1", Err(Refusal::FirstLine));
    line("GET / HTTP/1.10", Err(Refusal::LineEnd));
    line("GET / HTTP/2.0", Err(Refusal::Version));
    line("GET / HTTP/1.2", Err(Refusal::Version));
    line("GET / HTTP/0.9", Err(Refusal::Version));
    line("GET / HTTP/2", Err(Refusal::FirstLine));
    line("GET / HTTP/2.00", Err(Refusal::FirstLine));
    line("GET / HTTP/1.1 HTTP/1.1", Err(Refusal::LineEnd));
    line("GET / HTTP/1.1 ", Err(Refusal::LineEnd));
    line("GE(T / HTTP/1.1", Err(Refusal::Method));
    line(" / HTTP/1.1", Err(Refusal::Method));
    line("GET  HTTP/1.1", Err(Refusal::Target));
    line("GET  / HTTP/1.1", Err(Refusal::Target));
    line("GET /a b HTTP/1.1", Err(Refusal::FirstLine));
    line("GET\t/ HTTP/1.1", Err(Refusal::Method));
    line("GET /a\u{1}b HTTP/1.1", Err(Refusal::Target));
    line("GET /a\0b HTTP/1.1", Err(Refusal::Target));
    line("GET /a\u{7f}b HTTP/1.1", Err(Refusal::Target));
    line("GET / HTTP/1.1\rX: y", Err(Refusal::LineEnd));
    line("PRI * HTTP/2.0", Err(Refusal::Version));
    line("\u{16}\u{3}\u{1}\u{2}", Err(Refusal::Method));
}

#[test]
fn targets() {
    line("GET /a/b?c=d&e?f HTTP/1.1", Ok("GET /a/b | ?c=d&e?f"));
    line("GET /? HTTP/1.1", Ok("GET / | ?"));
    line("GET /\u{e9} HTTP/1.1", Ok("GET /\u{e9}"));
    line("GET //b.example/ HTTP/1.1", Ok("GET //b.example/"));
    line("GET /a#b HTTP/1.1", Err(Refusal::Fragment));
    line("GET /a?b#c HTTP/1.1", Err(Refusal::Fragment));
    line("GET # HTTP/1.1", Err(Refusal::Fragment));
    line("GET ?a HTTP/1.1", Err(Refusal::Target));
    line("GET a.example HTTP/1.1", Err(Refusal::Target));
    line("GET a.example:80 HTTP/1.1", Err(Refusal::Target));
    line("GET * HTTP/1.1", Err(Refusal::Target));
    line("OPTIONS * HTTP/1.1", Ok("OPTIONS * | Asterisk"));
    line("OPTIONS ** HTTP/1.1", Err(Refusal::Target));
    line("GET http://a.example/b?c HTTP/1.1", Ok("GET /b | ?c | Absolute a.example"));
    line("GET HTTPS://A.example:443 HTTP/1.1", Ok("GET  | Absolute A.example:443"));
    line("GET http://a.example?c HTTP/1.1", Ok("GET  | ?c | Absolute a.example"));
    line("GET http:///a HTTP/1.1", Err(Refusal::Target));
    line("GET http:// HTTP/1.1", Err(Refusal::Target));
    line("GET http:/a HTTP/1.1", Err(Refusal::Target));
    line("GET http://user:secret@a.example/ HTTP/1.1", Err(Refusal::Target));
    line("GET http://a.example/@b HTTP/1.1", Ok("GET /@b | Absolute a.example"));
    line("GET ftp://a.example/ HTTP/1.1", Err(Refusal::Target));
    line("CONNECT a.example:443 HTTP/1.1", Ok("CONNECT  | Authority a.example:443"));
    line("CONNECT [::1]:443 HTTP/1.1", Ok("CONNECT  | Authority [::1]:443"));
    line("CONNECT a.example HTTP/1.1", Err(Refusal::Target));
    line("CONNECT a.example: HTTP/1.1", Err(Refusal::Target));
    line("CONNECT :443 HTTP/1.1", Err(Refusal::Target));
    line("CONNECT / HTTP/1.1", Err(Refusal::Target));
    line("CONNECT user@a.example:443 HTTP/1.1", Err(Refusal::Target));
    line("CONNECT http://a.example:443 HTTP/1.1", Err(Refusal::Target));
}

#[test]
fn line_ends_and_empty_lines() {
    check("GET / HTTP/1.1\nHost: a\n\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.1\nHost: a\r\n\r\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.1\r\nHost: a\n\r\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.1\r\nHost: a\r\nX:\nY: c\r\n\r\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.1\r\nHost: a\r\n\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.0\r\n\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.0\n\r\n", Err(Refusal::LineEnd));
    check("GET / HTTP/1.0\r\n\r\n", Ok("GET / | close | no host"));
    check(&format!("\r\nGET / HTTP/1.1\r\n{HOST}"), Ok("GET /"));
    check(&format!("{}GET / HTTP/1.1\r\n{HOST}", "\r\n".repeat(4)), Ok("GET /"));
    check(&format!("{}GET / HTTP/1.1\r\n{HOST}", "\r\n".repeat(5)), Err(Refusal::EmptyLines));
    check(&format!("\nGET / HTTP/1.1\r\n{HOST}"), Err(Refusal::LineEnd));
    check(&format!("\rGET / HTTP/1.1\r\n{HOST}"), Err(Refusal::LineEnd));
    for part in [
        "",
        "\r",
        "\r\n",
        "G",
        "GET /",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        check(part, Ok("incomplete"));
    }
}

#[test]
fn field_lines() {
    with("X-A: 1\r\n", Ok("GET /"));
    with("X-A:\r\n", Ok("GET /"));
    with("X-A: 1\t2\r\n", Ok("GET /"));
    with("X-A : 1\r\n", Err(Refusal::FieldName));
    with("X-A\t: 1\r\n", Err(Refusal::FieldName));
    with("X-A: 1\r\n 2\r\n", Err(Refusal::FieldName));
    with("X-A: 1\r\n\tTransfer-Encoding: chunked\r\n", Err(Refusal::FieldName));
    with("X-A\r\n", Err(Refusal::FieldName));
    with(": 1\r\n", Err(Refusal::FieldName));
    with("X(A): 1\r\n", Err(Refusal::FieldName));
    with("X A: 1\r\n", Err(Refusal::FieldName));
    with("X\0A: 1\r\n", Err(Refusal::FieldName));
    with("X-\u{e9}: 1\r\n", Err(Refusal::FieldName));
    with("X-A: 1\x002\r\n", Err(Refusal::FieldValue));
    with("X-A: 1\rX-B: 2\r\n", Err(Refusal::FieldValue));
    with("X-A: 1\u{8}2\r\n", Err(Refusal::FieldValue));
    with("X-A: 1\u{7f}2\r\n", Err(Refusal::FieldValue));
    with("X-A: 1\r\r\n", Err(Refusal::FieldValue));
    check("GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", Err(Refusal::FieldName));
}

#[test]
fn values_are_trimmed_and_fields_keep_their_order() {
    let input = b"GET / HTTP/1.1\r\nHost:a\t \r\nX-A: \t 1 \t\r\nAccept: b\r\nX-B: \xff\r\nACCEPT: c\r\n\r\n";
    let mut fields = Fields::new();
    let head = parse_request(input, &Limits::default(), &mut fields).unwrap().unwrap();
    assert_eq!(head.host.map(|host| host.of(input)), Some(&b"a"[..]));
    let told: Vec<_> =
        fields.iter().map(|field| (field.known, field.name.of(input), field.value.of(input))).collect();
    let other = |name: &'static str, value: &'static [u8]| (Known::Other, name.as_bytes(), value);
    assert_eq!(told[0], (Known::Host, &b"Host"[..], &b"a"[..]));
    assert_eq!(
        told[1..],
        [other("X-A", b"1"), other("Accept", b"b"), other("X-B", b"\xff"), other("ACCEPT", b"c")]
    );
    assert_eq!(fields.find(input, b"accept").map(|field| field.value.of(input)), Some(&b"b"[..]));
    assert_eq!((fields.len(), fields.is_empty(), fields.get(Known::Cookie)), (5, false, None));
}

#[test]
fn hosts() {
    check("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", Err(Refusal::NoHost));
    check("GET / HTTP/1.1\r\nHost:\r\n\r\n", Ok("GET /"));
    with("Host: b.example\r\n", Err(Refusal::ManyHosts));
    with("hOST: a.example\r\n", Err(Refusal::ManyHosts));
    check("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Err(Refusal::ManyHosts));
    check("GET http://a.example/ HTTP/1.1\r\n\r\n", Err(Refusal::NoHost));
}

#[test]
fn lengths() {
    with("Content-Length: 5\r\n", Ok("GET / | Length(5)"));
    with("cOnTeNt-LeNgTh: 0005\r\n", Ok("GET / | Length(5)"));
    with("Content-Length: 0\r\n", Ok("GET / | Length(0)"));
    with("Content-Length: 9223372036854775807\r\n", Ok("GET / | Length(9223372036854775807)"));
    for bad in [
        "",
        "+5",
        "-5",
        "0x5",
        "5.0",
        "5 5",
        "\"5\"",
        "5, 5",
        "5,",
        "5, 6",
        "5a",
        "\u{b2}",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551621",
    ] {
        with(&format!("Content-Length: {bad}\r\n"), Err(Refusal::Length));
    }
    with("Content-Length: 5\r\nContent-Length: 6\r\n", Err(Refusal::LengthRepeated));
    with("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Refusal::LengthRepeated));
}

#[test]
fn codings() {
    with("Transfer-Encoding: chunked\r\n", Ok("GET / | Chunked | hop transfer-encoding"));
    with("transfer-encoding: ChunKed\r\n", Ok("GET / | Chunked | hop transfer-encoding"));
    for bad in [
        "",
        "identity",
        "xchunked",
        "\"chunked\"",
        "chunked;q=1",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "gzip",
        "gzip,,chunked",
    ] {
        with(&format!("Transfer-Encoding: {bad}\r\n"), Err(Refusal::Coding));
    }
    with("Transfer-Encoding: gzip, chunked\r\n", Err(Refusal::CodingUnknown));
    with("Transfer-Encoding: \u{b}chunked\r\n", Err(Refusal::FieldValue));
    with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::Coding));
    with("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::Coding));
    with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(Refusal::LengthAndCoding));
    with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::LengthAndCoding));
    with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", Err(Refusal::LengthAndCoding));
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n";
    check(&format!("{old}\r\n"), Err(Refusal::CodingInOldVersion));
    check(&format!("{old}Connection: keep-alive\r\n\r\n"), Err(Refusal::CodingInOldVersion));
}

#[test]
fn connections() {
    with("Connection: close\r\n", Ok("GET / | close | hop connection"));
    with("Connection: X-A, CLOSE\r\n", Ok("GET / | close | hop connection"));
    with("Connection: keep-alive\r\nConnection: close\r\n", Ok("GET / | close | hop connection connection"));
    with("Connection: keep-alive\r\n", Ok("GET / | hop connection"));
    with(
        "Connection: x-a,,X-B, host, cookie\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\nCookie: d\r\n",
        Ok("GET / | hop connection x-a x-b"),
    );
    with(
        "Keep-Alive: 5\r\nTE: gzip\r\nUpgrade: x\r\nProxy-Connection: x\r\n",
        Ok("GET / | hop keep-alive te upgrade proxy-connection"),
    );
    with("Proxy-Authorization: x\r\nTrailer: x\r\n", Ok("GET / | hop proxy-authorization"));
    with("Connection: TE\r\nTE: gzip, Trailers\r\n", Ok("GET / | trailers | hop connection te"));
    with(&format!("Connection: {}\r\n", ["x"; 32].join(",")), Ok("GET / | hop connection"));
    with(&format!("Connection: {}\r\n", ["x"; 33].join(",")), Err(Refusal::ConnectionOptions));
    with(&"Connection: x\r\n".repeat(33), Err(Refusal::ConnectionOptions));
    check("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Ok("GET / | no host | hop connection"));
    check(
        "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        Ok("GET / | close | no host | hop connection"),
    );
}

#[test]
fn upgrades_and_expectations() {
    with(
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        Ok("GET / | upgrade websocket | hop connection upgrade"),
    );
    with("Upgrade: websocket\r\n", Ok("GET / | hop upgrade"));
    with("Connection: upgrade\r\n", Ok("GET / | hop connection"));
    with("Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n", Ok("GET / | hop connection upgrade upgrade"));
    check(
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
        Ok("GET / | close | no host | hop connection upgrade"),
    );
    with("Expect: 100-Continue\r\n", Ok("GET / | expect Continue"));
    with("Expect: 200-ok\r\n", Ok("GET / | expect Other"));
    with("Expect: 100-continue, x\r\n", Ok("GET / | expect Other"));
    with("Expect: 100-continue\r\nExpect: x\r\n", Ok("GET / | expect Other"));
}

#[test]
fn limits() {
    let limits = Limits { head_bytes: 200, fields: 3, target_bytes: 20, line_bytes: 50 };
    let parse =
        |input: &str| parse_request(input.as_bytes(), &limits, &mut Fields::new()).map(|head| head.is_some());
    let fields = |count: usize| {
        format!("GET / HTTP/1.1\r\n{}\r\n", "Via: a\r\n".repeat(count).replacen("Via", "Host", 1))
    };
    assert_eq!(parse(&fields(3)), Ok(true));
    assert_eq!(parse(&fields(4)), Err(Refusal::TooManyFields));
    let long = |length: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(length));
    assert_eq!(parse(&long(47)), Ok(true));
    assert_eq!(parse(&long(48)), Err(Refusal::LineTooLong));
    assert_eq!(parse(&long(200)), Err(Refusal::HeadTooLarge));
    let target = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length));
    assert_eq!(parse(&target(19)), Ok(true));
    assert_eq!(parse(&target(20)), Err(Refusal::TargetTooLong));
    assert_eq!(parse(&target(300)), Err(Refusal::TargetTooLong));
    assert_eq!(parse(&"G".repeat(199)), Ok(false));
    assert_eq!(parse(&"G".repeat(200)), Err(Refusal::HeadTooLarge));
    let many = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(count));
    let most = Limits { fields: usize::MAX, ..Limits::default() };
    let parse =
        |input: &str| parse_request(input.as_bytes(), &most, &mut Fields::new()).map(|head| head.is_some());
    assert_eq!(parse(&many(1_023)), Ok(true));
    assert_eq!(parse(&many(1_024)), Err(Refusal::TooManyFields));
}

#[test]
fn answers_to_refusals() {
    for (refusal, status) in [
        (Refusal::Version, 505),
        (Refusal::CodingUnknown, 501),
        (Refusal::TargetTooLong, 414),
        (Refusal::HeadTooLarge, 431),
        (Refusal::TooManyFields, 431),
        (Refusal::LineTooLong, 431),
        (Refusal::FirstLine, 400),
        (Refusal::LengthAndCoding, 400),
        (Refusal::EmptyLines, 400),
    ] {
        assert_eq!(refusal.status().as_u16(), status);
    }
    assert!(Refusal::HeadTooLarge.is_limit() && !Refusal::Length.is_limit());
}

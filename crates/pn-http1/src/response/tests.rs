//! Rows of response heads and what is understood, or why they are refused.

use super::*;
use crate::laws;

#[track_caller]
fn to(method: Method, input: &str, expected: Result<&str, Refusal>) {
    let parsed = parse_response(input.as_bytes(), &Limits::default(), &method, &mut Fields::new());
    let told = parsed.map(|head| {
        let Some(head) = head else { return "incomplete".to_owned() };
        let reason = String::from_utf8_lossy(head.reason.of(input.as_bytes())).into_owned();
        let mut words = vec![format!("{} {reason}", head.status.as_str()).trim().to_owned()];
        words.extend((head.framing != Framing::None).then(|| format!("{:?}", head.framing)));
        words.extend((!head.persistent).then(|| "close".to_owned()));
        words.extend(head.is_interim().then(|| "interim".to_owned()));
        words.extend(
            head.upgrade.map(|up| format!("upgrade {}", String::from_utf8_lossy(up.of(input.as_bytes())))),
        );
        words.join(" | ")
    });
    assert_eq!(told, expected.map(str::to_owned), "{input:?}");
    laws::response(input.as_bytes());
}

#[track_caller]
fn check(input: &str, expected: Result<&str, Refusal>) {
    to(Method::GET, input, expected);
}

#[track_caller]
fn with(fields: &str, expected: Result<&str, Refusal>) {
    check(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), expected);
}

#[test]
fn status_lines() {
    check("HTTP/1.1 200 OK\r\n\r\n", Ok("200 OK | UntilClose | close"));
    check("HTTP/1.1 200 \r\n\r\n", Ok("200 | UntilClose | close"));
    check("HTTP/1.1 200\r\n\r\n", Ok("200 | UntilClose | close"));
    check("HTTP/1.1 404 Not Found at all\r\n\r\n", Ok("404 Not Found at all | UntilClose | close"));
    check("HTTP/1.1 200 \u{e9}\r\n\r\n", Ok("200 | UntilClose | close"));
    check("HTTP/1.1 999 x\r\n\r\n", Ok("999 x | UntilClose | close"));
    check("\r\nHTTP/1.1 200 OK\r\n\r\n", Ok("200 OK | UntilClose | close"));
    check("HTTP/1.1 200 OK\nContent-Length: 0\n\n", Ok("200 OK | Length(0)"));
    check("HTTP/1.1 099 OK\r\n\r\n", Err(Refusal::Status));
    for bad in [
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "<html>hello</html>\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        check(bad, Err(Refusal::FirstLine));
    }
    for part in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Le"] {
        check(part, Ok("incomplete"));
    }
}

#[test]
fn field_lines() {
    with("X-A: 1\x002\r\n", Err(Refusal::FieldValue));
    with("X-A: 1\rX-B: 2\r\n", Err(Refusal::FieldValue));
    with("X(A: 1\r\n", Err(Refusal::FieldName));
    with("X-A : 1\r\n", Err(Refusal::FieldName));
    with("X-A: 1\r\n 2\r\n", Err(Refusal::FieldName));
    with("X-A\r\n", Err(Refusal::FieldName));
    with(&"X-A: 1\r\n".repeat(129), Err(Refusal::TooManyFields));
    with(&format!("X-A: {}\r\n", "a".repeat(1 << 16)), Err(Refusal::HeadTooLarge));
    with(&format!("Connection: {}\r\n", ["x"; 33].join(",")), Err(Refusal::ConnectionOptions));
}

#[test]
fn framings() {
    with("Content-Length: 5\r\n", Ok("200 OK | Length(5)"));
    with("Content-Length: 5\r\nContent-Length: 5\r\n", Ok("200 OK | Length(5)"));
    with("Content-Length: 5, 5\r\n", Ok("200 OK | Length(5)"));
    with("Content-Length: 5\r\nContent-Length: 6\r\n", Err(Refusal::LengthRepeated));
    with("Content-Length: 5, 6\r\n", Err(Refusal::LengthRepeated));
    for bad in ["", "-5", "+5", "5 5", "a", ",5", "18446744073709551618"] {
        with(&format!("Content-Length: {bad}\r\n"), Err(Refusal::Length));
    }
    with("Transfer-Encoding: Chunked\r\n", Ok("200 OK | Chunked"));
    with("Transfer-Encoding: gzip, chunked\r\n", Err(Refusal::CodingUnknown));
    with("Transfer-Encoding: chunked, identity\r\n", Err(Refusal::Coding));
    with("Transfer-Encoding: identity\r\n", Err(Refusal::Coding));
    with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::Coding));
    with("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", Err(Refusal::LengthAndCoding));
    check("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Err(Refusal::CodingInOldVersion));
}

#[test]
fn responses_without_a_body() {
    let length = "Content-Length: 5\r\n\r\n";
    to(Method::HEAD, &format!("HTTP/1.1 200 OK\r\n{length}"), Ok("200 OK"));
    to(Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Ok("200 OK"));
    to(Method::HEAD, "HTTP/1.1 200 OK\r\n\r\n", Ok("200 OK"));
    to(Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", Err(Refusal::LengthRepeated));
    to(Method::CONNECT, "HTTP/1.1 200 OK\r\n\r\n", Ok("200 OK"));
    to(Method::CONNECT, &format!("HTTP/1.1 403 No\r\n{length}"), Ok("403 No | Length(5)"));
    check(&format!("HTTP/1.1 204 x\r\n{length}"), Ok("204 x"));
    check(&format!("HTTP/1.1 304 x\r\n{length}"), Ok("304 x"));
    check(&format!("HTTP/1.1 103 Early Hints\r\n{length}"), Ok("103 Early Hints | interim"));
    check("HTTP/1.1 100 Continue\r\n\r\n", Ok("100 Continue | interim"));
    check("HTTP/1.1 102 x\r\nContent-Length: x\r\nTransfer-Encoding: y\r\n\r\n", Ok("102 x | interim"));
    check("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n", Ok("101 x | upgrade y"));
    check("HTTP/1.1 101 x\r\nUpgrade: y\r\nUpgrade: z\r\n\r\n", Ok("101 x"));
}

#[test]
fn persistence() {
    with("Content-Length: 5\r\nConnection: close\r\n", Ok("200 OK | Length(5) | close"));
    with("Connection: keep-alive\r\n", Ok("200 OK | UntilClose | close"));
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n";
    check(&format!("{old}\r\n"), Ok("200 OK | Length(5) | close"));
    check(&format!("{old}Connection: keep-alive\r\n\r\n"), Ok("200 OK | Length(5)"));
    check(&format!("{old}Connection: keep-alive, close\r\n\r\n"), Ok("200 OK | Length(5) | close"));
}

//! Request lines and targets: RFC 9112 sections 2 and 3, RFC 9110 section 9.

use super::{Passed, Refused, rows};
use crate::case::{Case, case};

const REFUSED: &[Refused] = &[
    Refused(
        "no-version",
        "RFC 9112 §3",
        "A request line without a version (HTTP/0.9) is refused",
        b"GET /\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "lower-case-version",
        "RFC 9112 §2.3",
        "HTTP-name is case-sensitive: `http/1.1` is refused",
        b"GET / http/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "bare-lf",
        "RFC 9112 §2.2",
        "Lines that end with LF alone are refused",
        b"GET /a HTTP/1.1\nHost: {host}\nX-A: 1\n\n",
        400,
    ),
    Refused(
        "fragment",
        "RFC 9112 §3.2.1",
        "A target with a fragment is refused",
        b"GET /a?b#c HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "version-2-in-text",
        "RFC 9112 §2.3",
        "A request line that claims HTTP/2.0 is refused",
        b"GET / HTTP/2.0\r\nHost: {host}\r\n\r\n",
        505,
    ),
    Refused(
        "version-of-two-digits",
        "RFC 9112 §2.3",
        "A version with more than one digit is refused",
        b"GET / HTTP/1.10\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "word-after-version",
        "RFC 9112 §3",
        "A fourth word in the request line is refused",
        b"GET / HTTP/1.1 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "method-not-token",
        "RFC 9110 §9.1",
        "A method that is no token is refused",
        b"GE(T / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "no-method",
        "RFC 9112 §3.1",
        "An empty method is refused",
        b" / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "no-target",
        "RFC 9112 §3.2",
        "An empty target is refused",
        b"GET  HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "space-in-target",
        "RFC 9112 §3.2",
        "A space in the target is refused, not repaired",
        b"GET /a b HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "tab-in-request-line",
        "RFC 9112 §3",
        "A tab does not separate the words of a request line",
        b"GET\t/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "control-in-target",
        "RFC 9112 §3.2",
        "A control character in the target is refused",
        b"GET /a\x01b HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "nul-in-target",
        "RFC 9112 §3.2",
        "NUL in the target is refused",
        b"GET /a\0b HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "bare-cr-in-request-line",
        "RFC 9112 §2.2",
        "A bare CR in the request line is refused",
        b"GET / HTTP/1.1\rX: y\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "target-without-slash",
        "RFC 9112 §3.2.1",
        "A target that does not begin with a slash is refused",
        b"GET {host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "authority-form-of-get",
        "RFC 9112 §3.2.3",
        "authority-form is for CONNECT alone",
        b"GET {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n\r\n",
        400,
    ),
    Refused(
        "asterisk-form-of-get",
        "RFC 9112 §3.2.4",
        "asterisk-form is for OPTIONS alone",
        b"GET * HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "absolute-form-without-host",
        "RFC 9110 §4.2.1",
        "An http URI with an empty host is refused",
        b"GET http:///a HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "absolute-form-with-user",
        "RFC 9110 §4.2.4",
        "User information in a target is refused",
        b"GET http://user:secret@{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "absolute-form-of-another-host",
        "RFC 9112 §3.2.2",
        "An absolute target that disagrees with Host is refused, so that nobody behind can take the other one",
        b"GET http://a.{host}/ HTTP/1.1\r\nHost: b.{host}\r\n\r\n",
        400,
    ),
    Refused(
        "absolute-form-of-another-scheme",
        "RFC 9112 §3.2.2",
        "An absolute target of a scheme that is not HTTP is refused",
        b"GET ftp://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
];

const PASSED: &[Passed] = &[
    Passed(
        "empty-line-before",
        "RFC 9112 §2.2",
        "An empty line before the request line is passed over",
        b"\r\nGET /a HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["GET /a HTTP/1.1\r\n"],
        &[],
    ),
    Passed(
        "unknown-method",
        "RFC 9110 §9.1",
        "A method that this proxy does not know is the upstream's to answer",
        b"FROB /a HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["FROB /a HTTP/1.1\r\n"],
        &[],
    ),
    Passed(
        "absolute-form",
        "RFC 9112 §3.2.2",
        "absolute-form is accepted and sent on in origin-form",
        b"GET http://{host}/a?b=c HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["GET /a?b=c HTTP/1.1\r\n", "host: {host}\r\n"],
        &["GET http"],
    ),
    Passed(
        "absolute-form-without-path",
        "RFC 9112 §3.2.1",
        "The empty path of an absolute target becomes a slash",
        b"GET http://{host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["GET / HTTP/1.1\r\n"],
        &[],
    ),
    Passed(
        "absolute-form-of-https",
        "RFC 9110 §7.4",
        "`https` in a target on a connection without TLS makes nobody believe in TLS",
        b"GET https://{host}/a HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["x-forwarded-proto: http\r\n"],
        &["x-forwarded-proto: https"],
    ),
    Passed(
        "asterisk-form",
        "RFC 9112 §3.2.4",
        "`OPTIONS *` is sent on as `OPTIONS *`",
        b"OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n",
        &["OPTIONS * HTTP/1.1\r\n"],
        &[],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(REFUSED), rows(PASSED), lengths(), methods()].into_iter().flatten().collect()
}

fn lengths() -> Vec<Case> {
    let get = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: {{host}}\r\n\r\n", "a".repeat(length));
    vec![
        case("target-too-long", "RFC 9110 §15.5.15", "A target of 20,000 bytes is answered with 414")
            .step(move |play| play.send(get(20_000).as_bytes()))
            .refused(414),
        case("target-of-8000", "RFC 9112 §3", "A target of 8,000 bytes is taken")
            .step(move |play| play.send(get(8_000).as_bytes()))
            .gets(200)
            .kept()
            .upstream(1),
        case("target-beyond-the-head", "RFC 9112 §3", "A target longer than a whole head may be is refused")
            .step(move |play| play.send(get(100_000).as_bytes()))
            .gets_one_of(&[414, 431])
            .closed()
            .upstream(0),
    ]
}

fn methods() -> Vec<Case> {
    vec![
        case("connect", "RFC 9110 §9.3.6", "CONNECT is not implemented: 501, and no tunnel")
            .send("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n")
            .gets(501)
            .upstream(0),
        case("trace", "RFC 9110 §9.3.8", "TRACE is sent on, and this proxy reflects nothing itself")
            .send("TRACE /a HTTP/1.1\r\nHost: {host}\r\nCookie: secret\r\n\r\n")
            .gets(200)
            .body("ok")
            .upstream(1)
            .sees("TRACE /a HTTP/1.1\r\n"),
        case("method-case", "RFC 9110 §9.1", "Methods are case-sensitive: `get` is sent on as `get`")
            .send("get /a HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets(200)
            .step(|play| assert_eq!(play.seen().expect("well-formed")[0].method(), "get")),
        case(
            "head",
            "RFC 9110 §9.3.2",
            "The response to HEAD has the length and no body, and the next one follows",
        )
        .send("HEAD /a HTTP/1.1\r\nHost: {host}\r\n\r\n")
        .gets_to_head(200)
        .field("content-length", "2")
        .kept(),
    ]
}

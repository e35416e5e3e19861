//! Paths in one form before matching: RFC 3986 sections 2.1, 3.3, 5.2.4 and 6.2.2.

use super::{Refused, rows};
use crate::case::{Case, case};

const REFUSED: &[Refused] = &[
    Refused(
        "percent-of-letters",
        "RFC 3986 §2.1",
        "`%` without two hexadecimal digits is refused",
        b"GET /%zz HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "percent-at-the-end",
        "RFC 3986 §2.1",
        "`%` at the end of a path is refused",
        b"GET /a% HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "percent-of-one-digit",
        "RFC 3986 §2.1",
        "`%` with one digit is refused",
        b"GET /%4 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "percent-nul",
        "RFC 3986 §7.3",
        "An encoded NUL is refused",
        b"GET /a%00b HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "dots-above-root",
        "RFC 3986 §5.2.4",
        "Dot segments that climb above the root are refused",
        b"GET /../etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "encoded-dots-above-root",
        "RFC 3986 §5.2.4",
        "Encoded dot segments that climb above the root are refused",
        b"GET /a/%2e%2E/%2e./b HTTP/1.1\r\nHost: {host}\r\n\r\n",
        400,
    ),
];

/// id, section, behaviour, a path and what becomes of it upstream.
struct Path(&'static str, &'static str, &'static str, &'static str, &'static str);

impl From<&Path> for Case {
    fn from(&Path(id, section, behaviour, path, expected): &Path) -> Self {
        case(id, section, behaviour)
            .step(move |play| play.send(get(path).as_bytes()))
            .gets(200)
            .kept()
            .upstream(1)
            .step(move |play| assert_eq!(play.seen().expect("well-formed")[0].target(), expected))
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\n\r\n")
}

const PASSED: &[Path] = &[
    Path(
        "dot-segments",
        "RFC 3986 §5.2.4",
        "Dot segments are removed before matching and forwarding",
        "/a/./b/../c",
        "/a/c",
    ),
    Path(
        "encoded-dot-segments",
        "RFC 3986 §6.2.2.2",
        "Encoded dot segments are removed like plain ones",
        "/a/%2e%2e/b",
        "/b",
    ),
    Path(
        "last-dot-segment",
        "RFC 3986 §5.2.4",
        "A dot segment at the end leaves its slash",
        "/a/b/..",
        "/a/",
    ),
    Path(
        "slashes",
        "RFC 3986 §3.3",
        "Runs of slashes become one, so that `//admin` is `/admin`",
        "//a///b/",
        "/a/b/",
    ),
    Path(
        "unreserved",
        "RFC 3986 §6.2.2.2",
        "Encoded unreserved characters are decoded",
        "/%61%2D%7E",
        "/a-~",
    ),
    Path(
        "encoded-in-lower-case",
        "RFC 3986 §6.2.2.1",
        "Percent-encodings become upper-case",
        "/a%3ab",
        "/a%3Ab",
    ),
    Path("encoded-slash", "RFC 3986 §2.2", "`%2F` stays and separates nothing", "/a%2F..%2Fb", "/a%2F..%2Fb"),
    Path(
        "encoded-backslash",
        "RFC 3986 §2.2",
        "`%5C` stays and separates nothing",
        "/a%5C..%5Cb",
        "/a%5C..%5Cb",
    ),
    Path(
        "encoded-twice",
        "RFC 3986 §2.4",
        "What is encoded twice is decoded by nobody here",
        "/a/%252e%252e/b",
        "/a/%252e%252e/b",
    ),
    Path(
        "query",
        "RFC 3986 §3.4",
        "The query goes on as it came",
        "/a?b=%2e%2E/../%61&c=//&d",
        "/a?b=%2e%2E/../%61&c=//&d",
    ),
    Path("empty-query", "RFC 3986 §3.4", "An empty query stays a query", "/a?", "/a?"),
    Path(
        "parameters",
        "RFC 3986 §3.3",
        "Path parameters are part of their segment: `..;` is no dot segment",
        "/a/..;/b;c=d",
        "/a/..;/b;c=d",
    ),
];

/// A path that a guard stands before, and a site around it that is open.
const GUARDED: &str = "to = \"http://{origin}\"\n\
    [sites.\"{host}\".routes.\"/admin/*\"]\nrespond = { status = 403 }";

pub(crate) fn cases() -> Vec<Case> {
    [rows(REFUSED), rows(PASSED), guarded(), strict()].into_iter().flatten().collect()
}

fn guarded() -> Vec<Case> {
    let rows = [
        ("guard-dots", "RFC 3986 §5.2.4", "/open/../admin"),
        ("guard-encoded-dots", "RFC 3986 §6.2.2.2", "/open/%2e%2e/admin/x"),
        ("guard-slashes", "RFC 3986 §3.3", "//admin//x"),
        ("guard-encoded-letters", "RFC 3986 §2.3", "/%61dmi%6E/x"),
        ("guard-absolute-form", "RFC 9112 §3.2.2", "http://{host}/./admin"),
        ("guard-query", "RFC 3986 §3.4", "/admin?/../open"),
    ];
    let told = |path: &str| &*format!("A guard of /admin/* cannot be passed by as {path}").leak();
    let guard = |(id, section, path): (&'static str, &'static str, &'static str)| {
        case(id, section, told(path))
            .site(GUARDED)
            .step(move |play| play.send(get(path).as_bytes()))
            .gets(403)
            .kept()
            .upstream(0)
    };
    let mut cases: Vec<Case> = rows.map(guard).into();
    cases.push(
        case(
            "guard-segment",
            "RFC 3986 §3.3",
            "A prefix is one of segments: /admin/* does not take /administrator",
        )
        .site(GUARDED)
        .send("GET /administrator HTTP/1.1\r\nHost: {host}\r\n\r\n")
        .gets(200)
        .upstream(1),
    );
    cases
}

fn strict() -> Vec<Case> {
    let rows = [
        ("strict-dots", "RFC 3986 §5.2.4", "With `paths = \"strict\"` dot segments are refused", "/a/../b"),
        ("strict-slashes", "RFC 3986 §3.3", "With `paths = \"strict\"` empty segments are refused", "/a//b"),
        (
            "strict-unreserved",
            "RFC 3986 §6.2.2.2",
            "With `paths = \"strict\"` encoded unreserved characters are refused",
            "/%61",
        ),
    ];
    let refused =
        |(id, section, behaviour, path): (&'static str, &'static str, &'static str, &'static str)| {
            case(id, section, behaviour)
                .listener("strict")
                .step(move |play| play.send(get(path).as_bytes()))
                .refused(400)
        };
    let mut cases: Vec<Case> = rows.map(refused).into();
    cases.push(
        case("strict-normal", "RFC 3986 §6.2.2", "With `paths = \"strict\"` a normal path is taken as it is")
            .listener("strict")
            .send("GET /a%2Fb/c HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets(200)
            .upstream(1)
            .sees("GET /a%2fb/c HTTP/1.1\r\n"),
    );
    cases
}

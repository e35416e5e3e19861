//! The host of a request: RFC 9112 section 3.2, RFC 9110 sections 4.2.3, 7.2 and 7.4.

use super::{Passed, Refused, rows};
use crate::case::{Case, GET, case};

const REFUSED: &[Refused] = &[
    Refused(
        "no-host",
        "RFC 9112 §3.2",
        "A request of HTTP/1.1 without Host is refused",
        b"GET / HTTP/1.1\r\nX-Host: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "two-hosts",
        "RFC 9112 §3.2",
        "Two Host fields that differ are refused",
        b"GET / HTTP/1.1\r\nHost: a.{host}\r\nHost: b.{host}\r\n\r\n",
        400,
    ),
    Refused(
        "same-host-twice",
        "RFC 9112 §3.2",
        "Two equal Host fields are refused too",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-list",
        "RFC 9112 §3.2",
        "A list in Host is refused",
        b"GET / HTTP/1.1\r\nHost: {host}, a.{host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-user",
        "RFC 9110 §7.2",
        "User information in Host is refused",
        b"GET / HTTP/1.1\r\nHost: user@{host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-path",
        "RFC 9110 §7.2",
        "A path in Host is refused",
        b"GET / HTTP/1.1\r\nHost: {host}/a\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-scheme",
        "RFC 9110 §7.2",
        "A URI in Host is refused",
        b"GET / HTTP/1.1\r\nHost: http://{host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-space",
        "RFC 9112 §3.2",
        "A space inside Host is refused",
        b"GET / HTTP/1.1\r\nHost: {host} a.{host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-port-too-large",
        "RFC 9110 §4.2.3",
        "A port beyond 65535 is refused",
        b"GET / HTTP/1.1\r\nHost: {host}:65536\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-port-of-letters",
        "RFC 9110 §7.2",
        "A port that is no number is refused",
        b"GET / HTTP/1.1\r\nHost: {host}:http\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-two-ports",
        "RFC 9110 §7.2",
        "Two ports are refused",
        b"GET / HTTP/1.1\r\nHost: {host}:80:81\r\n\r\n",
        400,
    ),
    Refused(
        "host-not-ascii",
        "RFC 9110 §7.2",
        "Bytes beyond ASCII in Host are refused",
        b"GET / HTTP/1.1\r\nHost: \xe9.{host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-with-percent",
        "RFC 9110 §7.2",
        "Percent-encoding in Host is refused, not decoded",
        b"GET / HTTP/1.1\r\nHost: %61.{host}\r\n\r\n",
        400,
    ),
    Refused(
        "host-of-open-bracket",
        "RFC 3986 §3.2.2",
        "An IPv6 address whose bracket is not closed is refused",
        b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        400,
    ),
    Refused(
        "host-of-bad-address",
        "RFC 3986 §3.2.2",
        "Brackets around what is no IPv6 address are refused",
        b"GET / HTTP/1.1\r\nHost: [{host}]\r\n\r\n",
        400,
    ),
    Refused(
        "host-before-and-obs-fold",
        "RFC 9112 §5.2",
        "A folded Host field is refused",
        b"GET / HTTP/1.1\r\nHost: a.\r\n {host}\r\n\r\n",
        400,
    ),
];

const PASSED: &[Passed] = &[
    Passed(
        "host-upper-case",
        "RFC 9110 §4.2.3",
        "Hosts are compared without regard to case",
        b"GET / HTTP/1.1\r\nHost: A.{id}.TEST\r\n\r\n",
        &["host: A.{host}"],
        &[],
    ),
    Passed(
        "host-with-dot",
        "RFC 3986 §3.2.2",
        "A trailing dot makes no other host",
        b"GET / HTTP/1.1\r\nHost: {host}.\r\n\r\n",
        &[],
        &[],
    ),
    Passed(
        "host-with-port",
        "RFC 9110 §4.2.3",
        "The port in Host does not choose the site, and is sent on",
        b"GET / HTTP/1.1\r\nHost: {host}:8080\r\n\r\n",
        &["host: {host}:8080\r\n", "x-forwarded-host: {host}:8080\r\n"],
        &[],
    ),
    Passed(
        "host-with-empty-port",
        "RFC 3986 §3.2.3",
        "An empty port is no port",
        b"GET / HTTP/1.1\r\nHost: {host}:\r\n\r\n",
        &[],
        &[],
    ),
    Passed(
        "host-in-absolute-form",
        "RFC 9112 §3.2.2",
        "The host of an absolute target is the one that counts",
        b"GET http://A.{host}:80/ HTTP/1.1\r\nHost: a.{host}:80\r\n\r\n",
        &["host: a.{host}:80\r\n"],
        &[],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(REFUSED), rows(PASSED), unknown()].into_iter().flatten().collect()
}

fn unknown() -> Vec<Case> {
    vec![
        case("host-unknown", "RFC 9110 §7.4", "A host that no site has gets 404, and no site of another host")
            .send("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
            .gets(404)
            .field("proxy-status", "proxy-now; error=destination_not_found")
            .kept()
            .upstream(0),
        case("host-empty", "RFC 9112 §3.2", "An empty Host is no site's")
            .send("GET / HTTP/1.1\r\nHost:\r\n\r\n")
            .gets_one_of(&[400, 404])
            .upstream(0),
        case("host-of-http-1.0", "RFC 9112 §3.2", "HTTP/1.0 without Host is no site's")
            .send("GET / HTTP/1.0\r\n\r\n")
            .gets(404)
            .closed()
            .upstream(0),
        case("host-below", "RFC 9110 §7.4", "A wildcard site takes one label, and no host that only ends alike")
            .send("GET / HTTP/1.1\r\nHost: evil{host}\r\n\r\n")
            .gets(404)
            .send("GET / HTTP/1.1\r\nHost: a.b.{host}\r\n\r\n")
            .gets(404)
            .upstream(0)
            .send(GET)
            .gets(200),
        case("host-server", "RFC 9110 §7.2", "`host-header = \"server\"` sends the server's authority, once")
            .site("to = \"svc-{id}\"\n[services.svc-{id}]\nservers = [\"http://{origin}\"]\nhost-header = \"server\"")
            .get()
            .gets(200)
            .upstream(1)
            .step(|play| {
                let own = play.origin.addr().to_string();
                assert_eq!(play.seen().expect("well-formed")[0].header("host"), [own]);
            }),
    ]
}

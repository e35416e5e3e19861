//! What fields and methods mean to an intermediary: RFC 9110 sections 7, 8, 9, 13 and 14; RFC 7239.

use super::{Passed, rows};
use crate::case::{Case, case};

const REQUESTS: &[Passed] = &[
    Passed(
        "connection-listed",
        "RFC 9110 §7.6.1",
        "Fields that Connection lists end here, and Connection itself",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: X-Hop, x-other\r\nX-Hop: 1\r\nX-Other: 2\r\nX-End: 3\r\n\r\n",
        &["x-end: 3\r\n"],
        &["x-hop", "x-other", "connection:"],
    ),
    Passed(
        "hop-by-hop",
        "RFC 9110 §7.6.1",
        "Keep-Alive, Proxy-Connection and TE end here, listed or not",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n\r\n",
        &["host: {host}"],
        &["timeout=9", "proxy-connection", "te:"],
    ),
    Passed(
        "te-trailers",
        "RFC 9110 §10.1.4",
        "`TE: trailers` is told on, as this connection's own",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: TE\r\nTE: gzip;q=0.5, trailers\r\n\r\n",
        &["te: trailers\r\n", "connection: te\r\n"],
        &["gzip"],
    ),
    Passed(
        "connection-lists-host",
        "RFC 9110 §7.6.1",
        "Connection cannot take away what the request needs",
        b"POST / HTTP/1.1\r\nHost: {host}\r\nConnection: host, content-length, cookie, authorization\r\n\
          Cookie: a=1\r\nAuthorization: Basic eA==\r\nContent-Length: 2\r\n\r\nab",
        &["host: {host}\r\n", "content-length: 2\r\n", "cookie: a=1\r\n", "authorization: Basic eA==\r\n"],
        &["connection:"],
    ),
    Passed(
        "connection-lists-forwarded-for",
        "RFC 9110 §7.6.1",
        "Connection cannot take away what this proxy tells of the client",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: X-Forwarded-For, Forwarded, X-Real-Ip, Via\r\n\r\n",
        &["x-forwarded-for: 127.0.0.1\r\n", "forwarded: for=127.0.0.1", "x-real-ip: 127.0.0.1\r\n", "via: "],
        &[],
    ),
    Passed(
        "proxy-authorization",
        "RFC 9110 §11.7.2",
        "Proxy-Authorization is not for the upstream",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic eA==\r\n\r\n",
        &["host: {host}"],
        &["proxy-authorization:"],
    ),
    Passed(
        "via",
        "RFC 9110 §7.6.3",
        "Via gains an element with the version that the client spoke",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nVia: 1.0 fred\r\n\r\n",
        &["via: 1.0 fred", "1.1 proxy-now"],
        &[],
    ),
    Passed(
        "upgrade-unlisted",
        "RFC 9110 §7.8",
        "Upgrade that Connection does not list is no wish to upgrade",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\r\n",
        &["host: {host}"],
        &["upgrade:"],
    ),
    Passed(
        "upgrade-h2c",
        "RFC 9113 §3.1",
        "`Upgrade: h2c` ends here: no tunnel to requests that nobody checks",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
          HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        &["host: {host}"],
        &["upgrade:", "connection:", "http2-settings:"],
    ),
    Passed(
        "upgrade-h2c-in-a-list",
        "RFC 9113 §3.1",
        "h2c among other protocols ends here too",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: foo, H2C\r\n\r\n",
        &["host: {host}"],
        &["upgrade:", "connection:"],
    ),
    Passed(
        "upgrade-tls",
        "RFC 2817 §3",
        "`Upgrade: TLS/1.0` ends here",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n",
        &["host: {host}"],
        &["upgrade:", "tls/1.0"],
    ),
    Passed(
        "conditional",
        "RFC 9110 §13.1",
        "Conditions go on as they came",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: W/\"a\", \"b\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
        &["if-none-match: W/\"a\", \"b\"\r\n", "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"],
        &[],
    ),
    Passed(
        "accept-encoding",
        "RFC 9110 §12.5.3",
        "Accept-Encoding goes on as it came where nothing is compressed here",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip;q=0.5, *;q=0\r\n\r\n",
        &["accept-encoding: gzip;q=0.5, *;q=0\r\n"],
        &[],
    ),
    Passed(
        "max-forwards-of-get",
        "RFC 9110 §7.6.2",
        "Max-Forwards means nothing to other methods and goes on",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\n\r\n",
        &["max-forwards: 0\r\n"],
        &[],
    ),
    Passed(
        "max-forwards-counts",
        "RFC 9110 §7.6.2",
        "Max-Forwards of OPTIONS goes on less one",
        b"OPTIONS /a HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 3\r\n\r\n",
        &["max-forwards: 2\r\n"],
        &["max-forwards: 3"],
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    [rows(REQUESTS), max_forwards(), methods(), responses(), without_body(), passed_through()]
        .into_iter()
        .flatten()
        .collect()
}

fn max_forwards() -> Vec<Case> {
    vec![
        case("max-forwards-of-options", "RFC 9110 §7.6.2", "OPTIONS with Max-Forwards 0 is answered here")
            .send("OPTIONS /a HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\n\r\n")
            .gets_one_of(&[200, 204])
            .kept()
            .upstream(0),
        case(
            "max-forwards-of-trace",
            "RFC 9110 §7.6.2",
            "TRACE with Max-Forwards 0 goes no further and reflects nothing",
        )
        .send("TRACE /a HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\nCookie: secret\r\n\r\n")
        .gets_one_of(&[405, 501])
        .step(|play| assert!(!play.last().text().contains("secret")))
        .upstream(0),
    ]
}

const READ_ONLY: &str =
    "[sites.\"{host}\".routes]\n\"/a\" = { methods = [\"GET\", \"PUT\"], to = \"http://{origin}\" }";

fn methods() -> Vec<Case> {
    vec![
        case("method-not-allowed", "RFC 9110 §15.5.6", "405 has Allow with the methods of the path")
            .site(READ_ONLY)
            .send("POST /a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")
            .gets(405)
            .step(|play| {
                let allow = play.last().header("allow").to_owned();
                let methods: Vec<&str> = allow.split(',').map(str::trim).collect();
                assert!(
                    methods.contains(&"GET") && methods.contains(&"PUT") && !methods.contains(&"POST"),
                    "{allow}"
                );
            })
            .kept()
            .upstream(0),
        case("method-head", "RFC 9110 §9.3.2", "GET covers HEAD")
            .site(READ_ONLY)
            .send("HEAD /a HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets_to_head(200)
            .upstream(1),
        case("method-case-in-routes", "RFC 9110 §9.1", "A route for GET does not take `get`")
            .site(READ_ONLY)
            .send("get /a HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets(405)
            .upstream(0),
        case("method-override", "RFC 9110 §9.1", "X-HTTP-Method-Override changes no route")
            .site(READ_ONLY)
            .send("DELETE /a HTTP/1.1\r\nHost: {host}\r\nX-HTTP-Method-Override: GET\r\n\r\n")
            .gets(405)
            .upstream(0),
        case("no-route", "RFC 9110 §15.5.5", "A path that no route takes gets 404")
            .site(READ_ONLY)
            .send("GET /b HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets(404)
            .kept()
            .upstream(0),
    ]
}

fn responses() -> Vec<Case> {
    vec![
        case("response-hop-by-hop", "RFC 9110 §7.6.1", "Hop-by-hop fields of a response end here")
            .answers(
                b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\n\
                  Proxy-Connection: keep-alive\r\nX-End: 1\r\nContent-Length: 2\r\n\r\nok",
            )
            .get()
            .gets(200)
            .field("x-end", "1")
            .without("x-hop")
            .without("keep-alive")
            .without("proxy-connection")
            .without("connection")
            .kept(),
        case("response-upgrade", "RFC 9110 §7.8", "Upgrade that a response offers ends here")
            .answers(b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(200)
            .without("upgrade")
            .kept(),
        case("proxy-authenticate", "RFC 9110 §11.7.1", "Proxy-Authenticate of a response ends here")
            .answers(b"HTTP/1.1 200 OK\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(200)
            .without("proxy-authenticate"),
        case("date-added", "RFC 9110 §6.6.1", "A response without Date gains one")
            .get()
            .gets(200)
            .step(|play| assert!(play.last().header("date").ends_with(" GMT"), "{:?}", play.last())),
        case("date-kept", "RFC 9110 §6.6.1", "The Date of a response stays")
            .answers(b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(200)
            .step(|play| assert_eq!(play.last().headers_of("date"), ["Sun, 06 Nov 1994 08:49:37 GMT"])),
        case("date-of-refusal", "RFC 9110 §6.6.1", "The proxy's own responses have a Date")
            .send("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
            .gets(404)
            .step(|play| assert!(play.last().header("date").ends_with(" GMT"), "{:?}", play.last())),
        case("status-unknown", "RFC 9110 §15", "A status that this proxy does not know goes on")
            .answers(b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok")
            .get()
            .gets(299)
            .body("ok")
            .kept(),
    ]
}

fn without_body() -> Vec<Case> {
    vec![
        case("no-content", "RFC 9110 §15.3.5", "204 has neither body nor length")
            .answers(b"HTTP/1.1 204 No Content\r\n\r\n")
            .get()
            .gets(204)
            .without("content-length")
            .without("transfer-encoding")
            .kept(),
        case("not-modified", "RFC 9110 §15.4.5", "304 has no body, and its fields stay")
            .answers(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")
            .get()
            .gets(304)
            .field("etag", "\"a\"")
            .kept(),
        case(
            "body-behind-no-content",
            "RFC 9112 §6.3",
            "Bytes behind a 204 reach nobody, and its connection is not used again",
        )
        .answers(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil")
        .get()
        .gets(204)
        .get()
        .gets(204)
        .kept(),
        case("body-behind-head", "RFC 9112 §6.3", "Bytes behind the response to a HEAD reach nobody")
            .answers(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            .send("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets_to_head(200)
            .kept()
            .send("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets_to_head(200)
            .kept(),
        case("head-of-chunked", "RFC 9112 §6.3", "The response to HEAD has no chunks")
            .answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .send("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets_to_head(200)
            .kept(),
    ]
}

fn passed_through() -> Vec<Case> {
    vec![
        case("range", "RFC 9110 §14.2", "Ranges are the upstream's: 206 goes on as it came")
            .answers(
                b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nAccept-Ranges: bytes\r\n\
                  Content-Length: 2\r\n\r\nok",
            )
            .send("GET / HTTP/1.1\r\nHost: {host}\r\nRange: bytes=0-1\r\nIf-Range: \"a\"\r\n\r\n")
            .gets(206)
            .field("content-range", "bytes 0-1/9")
            .field("accept-ranges", "bytes")
            .body("ok")
            .sees("range: bytes=0-1\r\n")
            .sees("if-range: \"a\"\r\n"),
        case("range-not-satisfiable", "RFC 9110 §15.5.17", "416 and its Content-Range go on")
            .answers(b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n")
            .send("GET / HTTP/1.1\r\nHost: {host}\r\nRange: bytes=99-\r\n\r\n")
            .gets(416)
            .field("content-range", "bytes */9"),
        case("challenge", "RFC 9110 §11.6.1", "401 and its challenges go on")
            .answers(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Bearer\r\n\
                  Content-Length: 0\r\n\r\n",
            )
            .get()
            .gets(401)
            .field("www-authenticate", "Basic realm=\"a\"")
            .field("www-authenticate", "Bearer"),
        case("location", "RFC 9110 §10.2.2", "Location goes on as it came")
            .answers(b"HTTP/1.1 302 Found\r\nLocation: ../b?c#d\r\nContent-Length: 0\r\n\r\n")
            .get()
            .gets(302)
            .field("location", "../b?c#d"),
        case("retry-after", "RFC 9110 §10.2.3", "503 of an upstream goes on with Retry-After")
            .answers(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
            .get()
            .gets(503)
            .field("retry-after", "7")
            .without("proxy-status"),
        case("content-coding", "RFC 9110 §8.4", "A content coding is not touched")
            .answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nVary: Accept-Encoding\r\nContent-Length: 3\r\n\r\n\x01\xff\x00")
            .get()
            .gets(200)
            .field("content-encoding", "br")
            .step(|play| assert_eq!(play.last().body, b"\x01\xff\x00")),
    ]
}

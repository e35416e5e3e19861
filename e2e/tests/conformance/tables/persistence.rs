//! Connections of clients: persistence, pipelining, their end. RFC 9112 section 9.

use proxy_now_e2e::read_request;

use crate::case::{Case, GET, OK, case};

const CLOSE: &str = "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n";
const GET_1_0: &str = "GET / HTTP/1.0\r\nHost: {host}\r\n\r\n";
const KEEP_1_0: &str = "GET / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    [persistence(), old_versions(), pipelining(), ends(), early_responses(), upstream_side()]
        .into_iter()
        .flatten()
        .collect()
}

fn persistence() -> Vec<Case> {
    vec![
        case("persistent", "RFC 9112 §9.3", "A connection of HTTP/1.1 persists")
            .get()
            .gets(200)
            .get()
            .gets(200)
            .kept()
            .upstream(2)
            .upstream_connections(1),
        case(
            "close-asked",
            "RFC 9112 §9.6",
            "`Connection: close` is answered by `close`, and the connection closes",
        )
        .send(CLOSE)
        .gets(200)
        .field("connection", "close")
        .closed(),
        case(
            "close-among-others",
            "RFC 9112 §9.6",
            "`close` counts in any case and at any place of the list",
        )
        .send("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: X-A, CLOSE\r\n\r\n")
        .gets(200)
        .closed(),
        case("close-beside-keep-alive", "RFC 9112 §9.3", "`close` wins over `keep-alive`")
            .send("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n")
            .gets(200)
            .closed(),
        case(
            "nothing-after-close",
            "RFC 9112 §9.6",
            "What comes behind a request with `close` is not looked at",
        )
        .send(CLOSE)
        .send(GET)
        .gets(200)
        .closed()
        .upstream(1),
    ]
}

fn old_versions() -> Vec<Case> {
    vec![
        case("http-1.0", "RFC 9112 §9.3", "A connection of HTTP/1.0 closes after its response")
            .send(GET_1_0)
            .gets(200)
            .closed()
            .upstream(1),
        case("http-1.0-kept-alive", "RFC 9112 §C.2.2", "HTTP/1.0 with `keep-alive` persists, and is told so")
            .send(KEEP_1_0)
            .gets(200)
            .field("connection", "keep-alive")
            .kept(),
        case(
            "http-1.0-upstream",
            "RFC 9110 §2.5",
            "A request of HTTP/1.0 goes on in this proxy's own version",
        )
        .send(GET_1_0)
        .gets(200)
        .sees("GET / HTTP/1.1\r\n"),
        case(
            "requests-per-connection",
            "RFC 9112 §9.6",
            "The last response that a listener's limit allows says `close`",
        )
        .listener("small")
        .get()
        .gets(200)
        .without("connection")
        .get()
        .gets(200)
        .field("connection", "close")
        .closed(),
    ]
}

fn pipelining() -> Vec<Case> {
    vec![
        case("pipelined", "RFC 9112 §9.3.2", "Ten pipelined requests are answered in their order")
            .origin(|wire| {
                loop {
                    let seen = read_request(wire)?;
                    let target = seen.target();
                    wire.send(format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}",
                        target.len()
                    ))?;
                }
            })
            .step(|play| {
                let get = |number| format!("GET /{number} HTTP/1.1\r\nHost: {{host}}\r\n\r\n");
                play.send((0..10).map(get).collect::<String>().as_bytes());
                for number in 0..10 {
                    assert_eq!(play.client().response().text(), format!("/{number}"));
                }
            })
            .kept(),
        case("pipelined-bodies", "RFC 9112 §9.3.2", "Pipelined requests with bodies keep their bounds")
            .send(
                "POST /1 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc\
                 POST /2 HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n\
                 GET /3 HTTP/1.1\r\nHost: {host}\r\n\r\n",
            )
            .gets(200)
            .gets(200)
            .gets(200)
            .kept()
            .step(|play| {
                let seen = play.seen().expect("well-formed");
                let told = seen.iter().map(|seen| (seen.target(), &*seen.body)).collect::<Vec<_>>();
                assert_eq!(told, [("/1", &b"abc"[..]), ("/2", b"de"), ("/3", b"")]);
            }),
        case(
            "pipelined-then-bad",
            "RFC 9112 §9.3.2",
            "A bad request behind a good one leaves the good one its answer",
        )
        .send(GET)
        .send("GET / HTTP/1.1\r\nHost : {host}\r\n\r\n")
        .gets(200)
        .gets(400)
        .closed()
        .upstream(1),
        case("head-in-a-pipeline", "RFC 9110 §9.3.2", "A HEAD in a pipeline does not shift the responses")
            .send("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\nGET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            .gets_to_head(200)
            .gets(200)
            .body("ok")
            .kept(),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        case(
            "refusal-arrives",
            "RFC 9112 §9.6",
            "A client that goes on sending still reads why it was refused",
        )
        .step(|play| {
            play.send(b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: x\r\n\r\n");
            for _ in 0..50 {
                play.send(&[b'a'; 10_000]);
            }
        })
        .gets(400)
        .closed()
        .upstream(0),
        case("client-gone", "RFC 9112 §9.5", "When the client is gone, its request is given up upstream")
            .origin(|wire| {
                read_request(wire)?;
                wire.stall()
            })
            .get()
            .step(|play| {
                play.origin.wait_for("\r\n\r\n");
                play.reset();
            })
            .step(|play| play.origin_is_left()),
        case(
            "half-closed",
            "RFC 9112 §9.6",
            "A client that closes its side behind a request is answered or dropped whole",
        )
        .get()
        .step(|play| {
            play.client().close_write();
            if let Some(response) = play.response_or_end(pn_testkit::PATIENCE) {
                assert_eq!((response.status, response.text().as_str()), (200, "ok"));
            }
            play.client().expect_closed();
        }),
    ]
}

fn early_responses() -> Vec<Case> {
    vec![
        case(
            "early-response",
            "RFC 9112 §9.3",
            "A response that comes before the request is through reaches the client",
        )
        .origin(|wire| {
            wire.read_head()?;
            wire.send(
                "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch",
            )?;
            wire.stall()
        })
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\nbegin")
        .gets(413)
        .body("much"),
        case(
            "early-response-and-body",
            "RFC 9112 §9.3",
            "The rest of a body behind an early response is no request",
        )
        .origin(|wire| {
            wire.read_head()?;
            wire.send(
                "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch",
            )?;
            wire.stall()
        })
        .step(|play| {
            let smuggled = play.fill_text("GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let length = smuggled.len();
            play.send(
                format!("POST / HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
            );
            let response = play.client().response();
            play.answered(response, &[413]);
            play.send(smuggled.as_bytes());
            play.send(b"GET /probe HTTP/1.1\r\nHost: probe.test\r\n\r\n");
            // The rest was read as what it is, or the connection has ended.
            if let Some(next) = play.response_or_end(pn_testkit::PATIENCE) {
                assert_eq!(next.text(), "probe", "{next:?}");
            }
        })
        .step(|play| assert_eq!(play.origin.connections(), 1)),
    ]
}

fn upstream_side() -> Vec<Case> {
    vec![
        case(
            "upstream-closes",
            "RFC 9110 §7.6.1",
            "The upstream's `Connection: close` ends its connection, not the client's",
        )
        .answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        .get()
        .gets(200)
        .without("connection")
        .get()
        .gets(200)
        .kept()
        .upstream_connections(2),
        case(
            "upstream-closed-silently",
            "RFC 9112 §9.3.1",
            "A kept upstream connection found closed costs the client nothing",
        )
        .answers_and_closes(OK.as_bytes())
        .get()
        .gets(200)
        .get()
        .gets(200)
        .get()
        .gets(200)
        .kept()
        .upstream(3)
        .upstream_connections(3),
        case(
            "post-is-not-repeated",
            "RFC 9110 §9.2.2",
            "A POST whose connection broke after it was sent is not sent again",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(OK)?;
            wire.read_head()?;
            wire.reset()
        })
        .get()
        .gets(200)
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\nab")
        .gets(502)
        .upstream_connections(1),
        case(
            "get-is-repeated",
            "RFC 9110 §9.2.2",
            "A GET whose kept connection broke unanswered is sent once more, on another",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send(OK)?;
            if wire.number() == 0 {
                wire.read_head()?;
                return wire.reset();
            }
            read_request(wire)?;
            wire.send(OK)
        })
        .get()
        .gets(200)
        .get()
        .gets(200)
        .upstream_connections(2),
    ]
}

//! Hostile and broken upstreams of HTTP/2: RFC 9113 as its client.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use pn_testkit::Wire;
use pn_testkit::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame,
    header_block,
};

use crate::case::{Case, case};
use crate::h2::{Fields, REFUSED_STREAM};

const SITE: &str = "to = \"h2c://{origin}\"";
const GARBLED: &str = "proxy-now; error=http_protocol_error";
const TERMINATED: &str = "proxy-now; error=connection_terminated";
const PUSH_PROMISE: u8 = 5;

pub(crate) fn cases() -> Vec<Case> {
    [broken_streams(), malformed(), broken_bodies(), broken_connections(), bad_frames(), honest()]
        .into_iter()
        .flatten()
        .collect()
}

/// Greets, and waits for a request; returns its stream.
fn accept(wire: &mut Wire) -> io::Result<u32> {
    wire.read_until(PREFACE)?;
    wire.send(frame(SETTINGS, 0, 0, []))?;
    next_request(wire)
}

fn next_request(wire: &mut Wire) -> io::Result<u32> {
    loop {
        let head = wire.read(9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        wire.read(length)?;
        if head[3] == SETTINGS && head[4] == 0 {
            wire.send(frame(SETTINGS, 1, 0, []))?;
        }
        if head[3] == HEADERS {
            return Ok(u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]));
        }
    }
}

fn ok(stream: u32) -> Vec<u8> {
    let head =
        frame(HEADERS, END_HEADERS, stream, header_block(&[(":status", "200"), ("content-length", "2")]));
    [head, frame(DATA, END_STREAM, stream, "ok")].concat()
}

/// The origin answers each request with frames of its stream and reads on.
fn answered(
    id: &'static str,
    section: &'static str,
    behaviour: &'static str,
    frames: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
) -> Case {
    case(id, section, behaviour).site(SITE).origin(move |wire| {
        let mut stream = accept(wire)?;
        loop {
            wire.send(frames(stream))?;
            stream = next_request(wire)?;
        }
    })
}

fn broken_streams() -> Vec<Case> {
    vec![
        answered(
            "h2-upstream-reset",
            "RFC 9113 §5.4.2",
            "A stream that the upstream resets is 502",
            |stream| frame(RST_STREAM, 0, stream, [0, 0, 0, 2]),
        )
        .get()
        .gets(502)
        .field("proxy-status", TERMINATED)
        .kept(),
        answered(
            "h2-upstream-reset-later",
            "RFC 9113 §5.4.2",
            "A stream that is reset inside its body cuts the client's off",
            |stream| {
                let head = frame(HEADERS, END_HEADERS, stream, header_block(&[(":status", "200")]));
                [head, frame(DATA, 0, stream, "hello"), frame(RST_STREAM, 0, stream, [0, 0, 0, 2])].concat()
            },
        )
        .get()
        .cut(200),
        answered("h2-upstream-refuses", "RFC 9113 §8.7", "REFUSED_STREAM without end is 502", |stream| {
            frame(RST_STREAM, 0, stream, REFUSED_STREAM.to_be_bytes())
        })
        .get()
        .gets(502)
        .kept(),
        refused_once(
            "h2-upstream-refuses-once",
            "A POST that was refused is sent again, on another connection",
        )
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")
        .gets(200)
        .body("ok"),
        refused_once(
            "h2-upstream-refuses-body",
            "A POST whose body was begun is sent again from what is kept of it",
        )
        .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nhello")
        .gets(200)
        .body("ok"),
    ]
}

/// An origin that refuses the first stream of all and answers every other.
fn refused_once(id: &'static str, behaviour: &'static str) -> Case {
    let refused = AtomicBool::new(false);
    case(id, "RFC 9113 §8.7", behaviour).site(SITE).origin(move |wire| {
        let mut stream = accept(wire)?;
        loop {
            let first = !refused.swap(true, Ordering::SeqCst);
            let reset = frame(RST_STREAM, 0, stream, REFUSED_STREAM.to_be_bytes());
            wire.send(if first { reset } else { ok(stream) })?;
            stream = next_request(wire)?;
        }
    })
}

fn malformed() -> Vec<Case> {
    let head = |id, section, behaviour, fields: Fields| {
        answered(id, section, behaviour, move |stream| {
            frame(HEADERS, END_HEADERS | END_STREAM, stream, header_block(fields))
        })
        .get()
        .gets(502)
        .field("proxy-status", GARBLED)
        .kept()
    };
    vec![
        head(
            "h2-upstream-upper-case",
            "RFC 9113 §8.2.1",
            "A response with a field name in upper case is 502",
            &[(":status", "200"), ("X-A", "1")],
        ),
        head(
            "h2-upstream-connection",
            "RFC 9113 §8.2.2",
            "A response with Connection is 502",
            &[(":status", "200"), ("connection", "close")],
        ),
        head(
            "h2-upstream-no-status",
            "RFC 9113 §8.3.2",
            "A response without `:status` is 502",
            &[("x-a", "1")],
        ),
        head(
            "h2-upstream-status-garbled",
            "RFC 9113 §8.3.2",
            "A response whose status is no number is 502",
            &[(":status", "abc")],
        ),
        head(
            "h2-upstream-crlf",
            "RFC 9113 §8.2.1",
            "CR LF in a response's value splits nothing: 502",
            &[(":status", "200"), ("x-a", "1\r\nset-cookie: evil=1")],
        ),
        head(
            "h2-upstream-value-after-space",
            "RFC 9113 §8.2.1",
            "A response with a space in front of a value is 502",
            &[(":status", "200"), ("x-a", " 1")],
        ),
        head(
            "h2-upstream-value-before-tab",
            "RFC 9113 §8.2.1",
            "A response with a tab behind a value is 502",
            &[(":status", "200"), ("x-a", "1\t")],
        ),
        head(
            "h2-upstream-transfer-encoding",
            "RFC 9113 §8.2.2",
            "A response with Transfer-Encoding is 502",
            &[(":status", "200"), ("transfer-encoding", "chunked")],
        ),
    ]
}

fn broken_bodies() -> Vec<Case> {
    vec![
        answered(
            "h2-upstream-trailers-padded",
            "RFC 9113 §8.2.1",
            "A response whose trailer's value begins with a space is cut off",
            |stream| {
                let head = frame(HEADERS, END_HEADERS, stream, header_block(&[(":status", "200")]));
                let trailers = header_block(&[("x-sum", " 7")]);
                let trailers = frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers);
                [head, frame(DATA, 0, stream, "hello"), trailers].concat()
            },
        )
        .get()
        .cut(200),
        answered(
            "h2-upstream-too-short",
            "RFC 9113 §8.1.1",
            "A response shorter than its length is cut off",
            |stream| {
                let head = frame(
                    HEADERS,
                    END_HEADERS,
                    stream,
                    header_block(&[(":status", "200"), ("content-length", "9")]),
                );
                [head, frame(DATA, END_STREAM, stream, "hello")].concat()
            },
        )
        .get()
        .cut(200),
        answered(
            "h2-upstream-too-long",
            "RFC 9113 §8.1.1",
            "A response longer than its length never overruns it",
            |stream| {
                let head = frame(
                    HEADERS,
                    END_HEADERS,
                    stream,
                    header_block(&[(":status", "200"), ("content-length", "2")]),
                );
                [head, frame(DATA, END_STREAM, stream, "okevil")].concat()
            },
        )
        .get()
        .step(|play| {
            // 502, or a response that is cut off.
            if let Some(response) = play.response_or_end(pn_testkit::PATIENCE) {
                assert!(response.status == 502 || response.text() == "ok", "{response:?}");
            }
            let text = format!("{:?}", play.client());
            assert!(!text.contains("evil"), "{text}");
        }),
    ]
}

fn broken_connections() -> Vec<Case> {
    vec![
        case("h2-upstream-of-http-1", "RFC 9113 §3.4", "An upstream that speaks no HTTP/2 is 502")
            .site(SITE)
            .origin(|wire| {
                wire.read_until(PREFACE)?;
                wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
                wire.stall()
            })
            .get()
            .gets(502)
            .kept(),
        case("h2-upstream-silent", "RFC 9209 §2.3.27", "An upstream of HTTP/2 that says nothing is 504")
            .site(
                "to = \"svc-{id}\"\n[services.svc-{id}]\nservers = [\"h2c://{origin}\"]\n\
                 transport = { timeouts = { response-header = \"1s\" } }",
            )
            .origin(|wire| {
                accept(wire)?;
                wire.stall()
            })
            .get()
            .gets(504)
            .field("proxy-status", "proxy-now; error=http_response_timeout")
            .kept(),
        answered("h2-upstream-goaway", "RFC 9113 §6.8", "GOAWAY with an error is 502", |_| {
            frame(GOAWAY, 0, 0, [0, 0, 0, 0, 0, 0, 0, 2])
        })
        .get()
        .gets(502)
        .kept(),
        case(
            "h2-upstream-leaves",
            "RFC 9113 §6.8",
            "After a GOAWAY without error the next request takes a new connection",
        )
        .site(SITE)
        .origin(|wire| {
            let stream = accept(wire)?;
            wire.send(ok(stream))?;
            wire.send(frame(GOAWAY, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]))?;
            wire.stall()
        })
        .get()
        .gets(200)
        .step(|play| play.origin_is_left())
        .get()
        .gets(200)
        .upstream_connections(2),
    ]
}

fn bad_frames() -> Vec<Case> {
    vec![
        answered(
            "h2-upstream-push",
            "RFC 9113 §8.4",
            "PUSH_PROMISE, which was switched off, is 502",
            |stream| {
                let pushed =
                    [&[0, 0, 0, 2][..], &header_block(&[(":method", "GET"), (":path", "/evil")])].concat();
                frame(PUSH_PROMISE, END_HEADERS, stream, pushed)
            },
        )
        .get()
        .gets(502)
        .kept(),
        answered(
            "h2-upstream-header-flood",
            "RFC 9113 §10.5.1",
            "A response head without end is 502",
            |stream| {
                let block = header_block(&[("x-a", &"a".repeat(10_000))]);
                let first = frame(HEADERS, END_STREAM, stream, header_block(&[(":status", "200")]));
                [first, frame(CONTINUATION, 0, stream, block).repeat(500)].concat()
            },
        )
        .get()
        .gets(502)
        .kept(),
        answered(
            "h2-upstream-frame-size",
            "RFC 9113 §4.2",
            "A frame beyond MAX_FRAME_SIZE is 502",
            |stream| frame(HEADERS, END_HEADERS, stream, vec![0; 20_000]),
        )
        .get()
        .gets(502)
        .kept(),
    ]
}

fn honest() -> Vec<Case> {
    vec![
        answered(
            "h2-upstream-path",
            "RFC 9113 §8.3",
            "A pseudo-header of requests in a response reaches nobody (the h2 library passes it over)",
            |stream| {
                let head = header_block(&[(":status", "200"), (":path", "/evil")]);
                frame(HEADERS, END_HEADERS | END_STREAM, stream, head)
            },
        )
        .get()
        .gets_one_of(&[200, 502])
        .step(|play| assert!(!format!("{:?}", play.last()).contains("evil")))
        .kept(),
        answered(
            "h2-upstream",
            "RFC 9113 §8.1",
            "A response of HTTP/2 arrives in HTTP/1.1, and its connection is used again",
            ok,
        )
        .get()
        .gets(200)
        .body("ok")
        .get()
        .gets(200)
        .kept()
        .upstream_connections(1),
        answered(
            "h2-upstream-interim",
            "RFC 8297 §2",
            "Interim responses of HTTP/2 reach a client of HTTP/1.1 in front of the final one",
            hinted,
        )
        .get()
        .gets(103)
        .field("link", "</a>")
        .gets(200)
        .body("ok")
        .kept(),
        answered(
            "h2-upstream-interim-to-h2",
            "RFC 8297 §2",
            "Interim responses of HTTP/2 reach a client of HTTP/2",
            hinted,
        )
        .h2()
        .asks(1)
        .told(1, 103)
        .told(1, 200)
        .alive(),
        answered(
            "h2-upstream-interim-without-end",
            "RFC 9209 §2.3.22",
            "Interim responses of HTTP/2 without end are 502, not gathered",
            |stream| frame(HEADERS, END_HEADERS, stream, header_block(&[(":status", "102")])).repeat(2_000),
        )
        .get()
        .step(|play| {
            let mut status = 102;
            while status == 102 {
                status = play.client().response().status;
            }
            assert_eq!(status, 502);
        })
        .kept(),
    ]
}

fn hinted(stream: u32) -> Vec<u8> {
    let hint = header_block(&[(":status", "103"), ("link", "</a>")]);
    [frame(HEADERS, END_HEADERS, stream, hint), ok(stream)].concat()
}

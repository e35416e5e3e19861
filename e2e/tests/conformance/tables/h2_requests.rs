//! Requests over HTTP/2 and their responses, flow control and ends: RFC 9113 sections 5, 6 and 8.

use std::time::Duration;

use pn_testkit::h2::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame, frames,
};
use pn_testkit::{End, Session, request};
use proxy_now_e2e::read_request;

use crate::case::{Case, case};
use crate::h2::{FLOW_CONTROL_ERROR, NO_ERROR, POST, WHOLE, flood, settings, window_update};

const M: (&str, &str) = (":method", "GET");
const S: (&str, &str) = (":scheme", "http");
const A: (&str, &str) = (":authority", "{host}");
const P: (&str, &str) = (":path", "/");

pub(crate) fn cases() -> Vec<Case> {
    [fields(), responses(), flow(), ends()].into_iter().flatten().collect()
}

fn fields() -> Vec<Case> {
    vec![
        case("h2-request", "RFC 9113 §8.3.1", "Pseudo-headers become a request line and one Host")
            .h2()
            .headers(WHOLE, 1, &[M, S, A, (":path", "/a?b"), ("x-a", "1")])
            .told(1, 200)
            .upstream(1)
            .sees("GET /a?b HTTP/1.1\r\n")
            .sees("host: {host}\r\n")
            .sees("via: 2.0 proxy-now\r\n")
            .never(":path"),
        case("h2-host-alone", "RFC 9113 §8.3.1", "Host serves where `:authority` is missing")
            .h2()
            .headers(WHOLE, 1, &[M, S, P, ("host", "{host}")])
            .told(1, 200)
            .upstream(1)
            .sees("host: {host}\r\n"),
        case("h2-host-equal", "RFC 9113 §8.3.1", "Host beside an equal `:authority` goes on once")
            .h2()
            .headers(WHOLE, 1, &[M, S, A, P, ("host", "{host}")])
            .told(1, 200)
            .upstream(1),
        case("h2-cookies", "RFC 9113 §8.2.3", "Cookies in pieces become one field")
            .h2()
            .headers(WHOLE, 1, &[M, S, A, P, ("cookie", "a=1"), ("cookie", "b=2")])
            .told(1, 200)
            .upstream(1)
            .sees("cookie: a=1; b=2\r\n"),
        case("h2-path-normal", "RFC 3986 §6.2.2", "`:path` is brought into the same form as HTTP/1 targets")
            .h2()
            .headers(WHOLE, 1, &[M, S, A, (":path", "/a/%2e%2E//b")])
            .told(1, 200)
            .sees("GET /b HTTP/1.1\r\n"),
        case("h2-host-unknown", "RFC 9110 §7.4", "An authority that no site has gets 404")
            .h2()
            .headers(WHOLE, 1, &[M, S, (":authority", "nobody.example"), P])
            .told(1, 404)
            .alive(),
        case("h2-head", "RFC 9110 §9.3.2", "The response to HEAD has no DATA")
            .h2()
            .headers(WHOLE, 1, &[(":method", "HEAD"), S, A, P])
            .step(|play| {
                let head = play.frame_of(1, &[HEADERS]);
                assert_ne!(head.flags & END_STREAM, 0, "{head:?}");
            }),
        case("h2-head-own", "RFC 9110 §9.3.2", "Nor has one of the proxy's own")
            .site("respond = { body = \"hello\" }")
            .h2()
            .headers(WHOLE, 1, &[(":method", "HEAD"), S, A, P])
            .step(|play| {
                let head = play.frame_of(1, &[HEADERS]);
                assert_ne!(head.flags & END_STREAM, 0, "{head:?}");
            }),
        case("h2-connect", "RFC 9113 §8.5", "CONNECT without `:protocol` is not implemented: 501")
            .h2()
            .headers(END_HEADERS, 1, &[(":method", "CONNECT"), (":authority", "{host}:443")])
            .told(1, 501)
            .alive()
            .upstream(0),
    ]
}

fn responses() -> Vec<Case> {
    vec![
        case("h2-response-fields", "RFC 9113 §8.2.2", "Fields of a connection never reach a client of HTTP/2")
            .answers(
                b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: close\r\n\
                  Transfer-Encoding: chunked\r\nX-End: 1\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            )
            .step(|play| {
                let reply = Session::h2c(play.stage.address("web")).get(&play.host(), "/");
                assert_eq!((reply.status, reply.text().as_str(), reply.header("x-end")), (200, "ok", "1"));
                for name in ["connection", "x-hop", "keep-alive", "proxy-connection", "transfer-encoding"] {
                    assert!(!reply.headers.contains_key(name), "{name} is in {reply:?}");
                }
            }),
        case("h2-response-trailers", "RFC 9113 §8.1", "Trailers of a response reach a client of HTTP/2")
            .answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n")
            .step(|play| {
                let mut ask = request("GET", &play.host(), "/");
                ask.headers_mut().insert("te", "trailers".parse().expect("a value"));
                let reply = Session::h2c(play.stage.address("web")).send(ask);
                assert_eq!(reply.trailers.get("grpc-status").and_then(|value| value.to_str().ok()), Some("0"));
            }),
        case("h2-response-cut", "RFC 9113 §8.6", "A response that is cut off upstream resets its stream, and no other")
            .answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            .h2()
            .asks(1)
            .told(1, 200)
            .step(|play| {
                let reset = play.frame_of(1, &[RST_STREAM]);
                assert_ne!(reset.error_code(), Some(NO_ERROR), "{reset:?}");
            })
            .alive(),
    ]
}

fn flow() -> Vec<Case> {
    vec![
        case(
            "window-of-0",
            "RFC 9113 §5.2.2",
            "No DATA is sent beyond a client's window, and all of it once there is room",
        )
        .origin(|wire| {
            loop {
                read_request(wire)?;
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", "a".repeat(1000)))?;
            }
        })
        .step(|play| play.send(&[PREFACE, &settings(&[(1, 0), (4, 0)])].concat()))
        .asks(1)
        .told(1, 200)
        .step(|play| {
            let reactions = play.reactions();
            assert!(
                reactions.iter().all(|frame| frame.kind != DATA || frame.payload.is_empty()),
                "{reactions:?}"
            );
            play.client().send(window_update(1, 10));
            assert_eq!(play.frame_of(1, &[DATA]).payload.len(), 10);
            play.client().send(window_update(1, 10_000));
            assert_eq!(play.data_of(1).len(), 990);
        }),
        case("window-of-this-side", "RFC 9113 §6.9.1", "DATA beyond this side's window is an error")
            .origin(|wire| {
                wire.freeze();
                Ok(())
            })
            .h2()
            .headers(END_HEADERS, 1, POST)
            .step(|play| {
                let data = frame(DATA, 0, 1, [0; 16_000]);
                flood(play.client(), 400, |_| data.clone());
                let objection = play.objection();
                assert_eq!(objection, Some(FLOW_CONTROL_ERROR));
            }),
        case(
            "stream-of-a-slow-upstream",
            "RFC 9113 §5.2.1",
            "A stream whose upstream takes nothing does not stop the others",
        )
        .site(
            "to = \"http://{origin}\"\n[sites.\"{host}\".routes.\"/quick\"]\nrespond = { body = \"quick\" }",
        )
        .origin(|wire| {
            wire.freeze();
            Ok(())
        })
        .h2()
        .headers(END_HEADERS, 1, POST)
        .frame(DATA, 0, 1, &[0; 16_000])
        .headers(WHOLE, 3, &[M, S, A, (":path", "/quick")])
        .told(3, 200),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        case("h2-client-reset", "RFC 9113 §8.6", "A request that the client resets is given up upstream")
            .origin(|wire| {
                read_request(wire)?;
                wire.stall()
            })
            .h2()
            .asks(1)
            .step(|play| play.origin.wait_for("\r\n\r\n"))
            .frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
            .step(|play| play.origin_is_left())
            .alive(),
        case("h2-client-goaway", "RFC 9113 §6.8", "A request that is under way survives the client's GOAWAY")
            .origin(|wire| {
                read_request(wire)?;
                wire.pause(Duration::from_millis(100));
                wire.send(crate::case::OK)?;
                wire.stall()
            })
            .h2()
            .asks(1)
            .frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0")
            .told(1, 200),
        case(
            "h2-requests-per-connection",
            "RFC 9113 §6.8",
            "A listener's limit of requests ends a connection by GOAWAY without error",
        )
        .listener("small")
        .h2()
        .asks(1)
        .told(1, 200)
        .asks(3)
        .step(|play| {
            let (end, bytes) = play.client().end();
            let last = frames(&bytes);
            assert_ne!(end, End::Open);
            assert!(last.iter().any(|frame| frame.kind == HEADERS && frame.stream == 3), "{last:?}");
            let goaway = last.iter().find(|frame| frame.kind == GOAWAY);
            assert_eq!(goaway.and_then(|frame| frame.error_code()), Some(NO_ERROR), "{last:?}");
        }),
        case(
            "h2-client-gone",
            "RFC 9113 §5.4.1",
            "When the client is gone, its requests are given up upstream",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.stall()
        })
        .h2()
        .asks(1)
        .step(|play| {
            play.origin.wait_for("\r\n\r\n");
            play.reset();
        })
        .step(|play| play.origin_is_left()),
        case("h2-setting-connect", "RFC 8441 §3", "SETTINGS say that extended CONNECT is taken").h2().step(
            |play| {
                let settings = play.frame_of(0, &[SETTINGS]);
                assert!(
                    settings.payload.chunks(6).any(|setting| setting == [0, 8, 0, 0, 0, 1]),
                    "{settings:?}"
                );
            },
        ),
    ]
}

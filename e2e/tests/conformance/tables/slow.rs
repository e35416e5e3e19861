//! Clients that take their time: how long this proxy waits for each part. RFC 9112 section 9.5, RFC 9110 section
//! 15.5.9, RFC 9113 section 10.5.

use std::thread;
use std::time::Duration;

use pn_testkit::h2::{DATA, END_HEADERS, PREFACE, RST_STREAM, frame};
use pn_testkit::{End, RawClient, wait_until};
use proxy_now_e2e::read_request;

use crate::case::{Case, case};
use crate::h2::{POST, settings, window_update};

pub(crate) fn cases() -> Vec<Case> {
    [heads(), bodies(), readers(), patience(), limits()].into_iter().flatten().collect()
}

fn hasty(id: &'static str, section: &'static str, behaviour: &'static str) -> Case {
    case(id, section, behaviour).listener("hasty")
}

const PAUSE: Duration = Duration::from_millis(20);

fn heads() -> Vec<Case> {
    vec![
        hasty(
            "slow-head",
            "RFC 9110 §15.5.9",
            "A head that dribbles gets 408 at the deadline, however steadily it comes",
        )
        .send("GET / HTTP/1.1\r\nX-A: ")
        .step(|play| {
            play.dribble(b'a');
            assert_eq!(play.last().status, 408);
        })
        .field("connection", "close")
        .closed(),
        hasty("half-head", "RFC 9110 §15.5.9", "A head that stops gets 408")
            .send("GET / HTTP/1.1\r\nHost: {host}\r\n")
            .gets(408)
            .closed()
            .upstream(0),
        hasty("silent-client", "RFC 9112 §9.5", "A client that connects and says nothing is closed")
            .step(|play| play.client().expect_closed()),
        hasty("idle-client", "RFC 9112 §9.5", "A kept connection that says nothing is closed without a word")
            .get()
            .gets(200)
            .closed(),
        hasty(
            "idle-h2-client",
            "RFC 9113 §9.1",
            "A connection of HTTP/2 that asks nothing is closed, pings or not",
        )
        .h2()
        .asks(1)
        .told(1, 200)
        .step(|play| {
            wait_until("the connection to end", || {
                play.send_frame(pn_testkit::h2::PING, 0, 0, b"12345678");
                play.client().end_within(PAUSE).0 != End::Open
            });
        }),
        case("slow-handshake", "RFC 8446 §4.1.2", "A TLS handshake that does not come is closed")
            .listener("hasty-secure")
            .step(|play| play.send(&[22, 3, 1, 2, 0, 1]))
            .step(|play| assert_ne!(play.client().end().0, End::Open)),
        hasty("half-preface", "RFC 9113 §3.4", "A preface that stops is closed")
            .send("PRI * HTTP/2.0\r\n")
            .step(|play| assert_ne!(play.client().end().0, End::Open)),
    ]
}

fn bodies() -> Vec<Case> {
    vec![
        hasty("stalled-body", "RFC 9110 §15.5.9", "A body that stops gets 408")
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nhello")
            .gets(408)
            .closed()
            .nothing_whole()
            .step(|play| play.origin_is_left()),
        case(
            "dribbling-body",
            "RFC 9110 §15.5.9",
            "A body below the least rate of its listener gets 408, though it never stops",
        )
        .listener("demanding")
        .step(|play| {
            play.send(b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n\r\n");
            play.dribble(b'a');
            assert_eq!(play.last().status, 408);
        })
        .closed(),
        hasty(
            "slow-but-steady-body",
            "RFC 9110 §15.5.9",
            "A body that goes on within the pause is waited for",
        )
        .step(|play| {
            play.send(b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 40\r\n\r\n");
            for _ in 0..40 {
                play.send(b"a");
                thread::sleep(PAUSE);
            }
        })
        .gets(200)
        .upstream(1),
        hasty(
            "stalled-h2-body",
            "RFC 9113 §8.6",
            "A stream whose body stops is refused, and the connection lives on",
        )
        .h2()
        .headers(END_HEADERS, 1, POST)
        .frame(DATA, 0, 1, b"hello")
        .step(|play| play.stalled(1)),
    ]
}

fn readers() -> Vec<Case> {
    let endless = |id, section, behaviour| {
        hasty(id, section, behaviour).origin(|wire| {
            read_request(wire)?;
            wire.send("HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                wire.send([b'a'; 65_536])?;
            }
        })
    };
    vec![
        endless(
            "client-does-not-read",
            "RFC 9112 §9.5",
            "A client that reads nothing is given up, and its upstream with it",
        )
        .step(|play| {
            let mut client = RawClient::connect(play.stage.address("hasty"));
            client.small_window();
            play.connect(client);
        })
        .get()
        .step(|play| {
            play.origin.wait_for("\r\n\r\n");
            play.origin_is_left();
        }),
        endless(
            "h2-client-does-not-read",
            "RFC 9113 §5.2.2",
            "A stream whose window stays shut is given up, and its upstream with it",
        )
        .step(|play| play.send(&[PREFACE, &settings(&[(1, 0), (4, 10)])].concat()))
        .asks(1)
        .step(|play| {
            play.origin.wait_for("\r\n\r\n");
            play.origin_is_left();
        }),
    ]
}

fn patience() -> Vec<Case> {
    vec![
        case(
            "backpressure",
            "RFC 9110 §7.6",
            "What a client does not read is not gathered: the upstream is slowed",
        )
        .origin(|wire| {
            read_request(wire)?;
            wire.send("HTTP/1.1 200 OK\r\n\r\n")?;
            // More than all buffers of both kernels and this proxy hold.
            for _ in 0..1_000 {
                wire.send([b'a'; 65_536])?;
            }
            wire.send("the end")
        })
        .step(|play| {
            let mut client = RawClient::connect(play.stage.address("web"));
            client.small_window();
            play.connect(client);
        })
        .get()
        .step(|play| {
            play.origin.wait_for("\r\n\r\n");
            thread::sleep(Duration::from_millis(300));
            assert_eq!(play.origin.open_connections(), 1, "64 MiB have gone into nothing");
        }),
        hasty("h2-window-opens-late", "RFC 9113 §5.2.2", "A window that opens bit by bit is waited for")
            .origin(|wire| {
                read_request(wire)?;
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{}", "a".repeat(200)))?;
                wire.stall()
            })
            .step(|play| play.send(&[PREFACE, &settings(&[(1, 0), (4, 10)])].concat()))
            .asks(1)
            .told(1, 200)
            .step(|play| {
                for _ in 0..19 {
                    assert_eq!(play.frame_of(1, &[DATA, RST_STREAM]).kind, DATA);
                    thread::sleep(PAUSE);
                    play.client().send(window_update(1, 10));
                }
            }),
    ]
}

fn limits() -> Vec<Case> {
    const LIMITED: &str =
        "to = \"http://{origin}\"\nuse = [\"limit-{id}\"]\n[middlewares.limit-{id}]\nbody-limit = \"10B\"";
    vec![
        case("body-limit", "RFC 9110 §15.5.14", "A length beyond the limit gets 413 before the body is read")
            .site(LIMITED)
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 11\r\n\r\n")
            .gets(413)
            .closed()
            .upstream(0),
        case("body-limit-of-chunks", "RFC 9110 §15.5.14", "Chunks beyond the limit get 413, and are never a whole request upstream")
            .site(LIMITED)
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n")
            .gets(413)
            .closed()
            .nothing_whole(),
        case("body-within-limit", "RFC 9110 §15.5.14", "A body of just the limit passes")
            .site(LIMITED)
            .send("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\n0123456789")
            .gets(200)
            .kept()
            .upstream(1),
        case("body-limit-of-h2", "RFC 9110 §15.5.14", "A length beyond the limit gets 413 over HTTP/2, and the connection lives on")
            .site(LIMITED)
            .h2()
            .headers(
                END_HEADERS,
                1,
                &[(":method", "POST"), (":scheme", "http"), (":authority", "{host}"), (":path", "/"), ("content-length", "11")],
            )
            .told(1, 413)
            .step(|play| play.send(&frame(DATA, 1, 1, "hello world")))
            .alive()
            .upstream(0),
    ]
}

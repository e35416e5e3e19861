//! HTTP/2: one connection for many, limits, and servers that leave.

use super::bench::{Bench, get, on_worker, post, server, with_header};
use crate::upstream::Upstreams;
use futures_util::StreamExt;
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use pn_core::ErrorKind;
use pn_io::Chunk;
use pn_model::limits::REPLAY_PIECES;
use pn_testkit::{Origin, RawOrigin, h2};
use std::io;
use std::sync::Arc;
use std::time::Duration;

const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const END_BOTH: u8 = 5;

#[test]
fn requests_share_a_connection_and_carry_what_http_2_has() {
    let origin = Origin::h2c();
    on_worker(async {
        let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
        let asked = (0..50).map(|_| bench.get("/slow/20"));
        for whole in futures_util::future::join_all(asked).await {
            assert_eq!(whole.unwrap().status, 200);
        }
        assert_eq!(origin.connections(), 1);
        let mut outgoing = with_header(post("/a?b", "hello"), "cookie", "a=1");
        outgoing.trailers = true;
        bench.ask(outgoing).await.unwrap();
        let last = origin.last();
        assert_eq!((last.method.as_str(), last.target.as_str()), ("POST", "/a?b"));
        assert_eq!((last.authority.as_str(), last.version.as_str()), ("app.example", "HTTP/2.0"));
        assert_eq!(last.body.as_ref(), b"hello");
        for (name, value) in [("te", "trailers"), ("cookie", "a=1"), ("content-length", "5"), ("host", "")] {
            assert_eq!(last.header(name), value, "{name}");
        }
        let whole = bench.get("/chunked/3").await.unwrap();
        assert_eq!(whole.body, "chunk 0\nchunk 1\nchunk 2\n");
        assert_eq!(whole.trailers.unwrap().get("x-count").unwrap(), "3");
    });
}

/// A worker that has no connection at all gets one though another's is in use without a pause.
#[test]
fn a_shared_connection_makes_way_for_a_worker_that_has_none() {
    let origin = Origin::h2c();
    on_worker(async {
        let shares = Arc::default();
        let worker = |index| {
            let mut bench = Bench::with(vec![server(format!("h2c://{}", origin.addr()))], |node| {
                let mut transport = pn_model::Transport::built_in();
                transport.pool.connections_per_server = 1;
                transport.timeouts.connect = Duration::from_secs(10);
                node.transport = transport.into();
            });
            bench.upstreams = Upstreams::new(index, 2, Arc::clone(&shares));
            bench
        };
        let (one, two) = (worker(0), worker(1));
        for bench in [&one, &two, &one, &two] {
            assert_eq!(bench.get("/").await.unwrap().status, 200);
        }
        let asked = (0..20).map(|at| if at % 5 == 0 { one.get("/slow/20") } else { two.get("/slow/20") });
        for whole in futures_util::future::join_all(asked).await {
            assert_eq!(whole.unwrap().status, 200);
        }
    });
}

/// A frame's payload as the origin reads it: `(kind, stream)` and the bytes.
fn read_frame(wire: &mut pn_testkit::Wire) -> io::Result<(u8, u32)> {
    let head = wire.read(9)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0u32, |all, &byte| all << 8 | u32::from(byte));
    wire.read(number(&head[..3]) as usize)?;
    Ok((head[3], number(&head[5..]) & 0x7fff_ffff))
}

/// Reads until a request is there and says on which stream.
fn read_request(wire: &mut pn_testkit::Wire) -> io::Result<u32> {
    loop {
        if let (HEADERS, stream) = read_frame(wire)? {
            return Ok(stream);
        }
    }
}

fn greet(wire: &mut pn_testkit::Wire, settings: &[u8]) -> io::Result<()> {
    wire.read_until(b"SM\r\n\r\n")?;
    wire.send(h2::frame(SETTINGS, 0, 0, settings))
}

fn answer(wire: &mut pn_testkit::Wire, stream: u32) -> io::Result<()> {
    let block = h2::header_block(&[(":status", "200")]);
    wire.send(h2::frame(HEADERS, END_BOTH, stream, block))
}

#[test]
fn what_a_server_has_not_touched_is_sent_again() {
    let go_away = |code| h2::frame(GOAWAY, 0, 0, [0, 0, 0, 0, 0, 0, 0, code]);
    let refuse = |stream| h2::frame(RST_STREAM, 0, stream, [0, 0, 0, 7]);
    let cancel = |stream| h2::frame(RST_STREAM, 0, stream, [0, 0, 0, 8]);
    let lost = || Err(ErrorKind::ConnectionTerminated);
    for (row, body, expected) in [
        ("leaves", "", Ok(200)),
        ("leaves", "hello", Ok(200)),
        ("breaks", "hello", Ok(200)),
        ("scolds", "", lost()),
        ("refuses", "", Ok(200)),
        ("refuses", "hello", Ok(200)),
        ("cancels", "", lost()),
    ] {
        let origin = RawOrigin::start(move |wire| {
            greet(wire, b"")?;
            let stream = read_request(wire)?;
            if wire.number() > 1 {
                if !body.is_empty() {
                    wire.read_until(body.as_bytes())?;
                }
                answer(wire, stream)?;
                return wire.stall();
            }
            match row {
                "leaves" => wire.send(go_away(0))?,
                "breaks" => wire.send(go_away(2))?,
                "scolds" => wire.send(go_away(11))?,
                "refuses" => wire.send(refuse(stream))?,
                _ => wire.send(cancel(stream))?,
            }
            wire.stall()
        });
        on_worker(async {
            let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
            let mut outgoing = post("/", body);
            outgoing.idempotent = false;
            assert_eq!(bench.ask(outgoing).await.map(|whole| whole.status), expected, "{row} {body}");
        });
    }
}

/// One that says each time that it has not touched a request is not asked for ever.
#[test]
fn a_server_that_refuses_everything_is_asked_a_few_times() {
    let origin = RawOrigin::start(|wire| {
        greet(wire, b"")?;
        loop {
            let stream = read_request(wire)?;
            wire.send(h2::frame(RST_STREAM, 0, stream, [0, 0, 0, 7]))?;
        }
    });
    on_worker(async {
        let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
        for _ in 0..10 {
            assert_eq!(bench.ask(post("/", "body")).await.unwrap_err(), ErrorKind::ConnectionTerminated);
        }
        assert!(origin.connections() <= 5, "{origin:?}");
    });
}

/// A body beyond what is kept of it is not sent again.
#[test]
fn a_long_body_is_not_sent_again() {
    let origin = RawOrigin::start(|wire| {
        greet(wire, b"")?;
        let stream = read_request(wire)?;
        wire.read_until(b"last")?;
        wire.send(h2::frame(RST_STREAM, 0, stream, [0, 0, 0, 7]))?;
        wire.stall()
    });
    on_worker(async {
        let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
        // The window of a stream is 64 KiB less one byte, of which the server gets all.
        let pieces = ["x"; REPLAY_PIECES].into_iter().chain(["last"]);
        let frames = pieces.map(|piece| Ok(Frame::data(Chunk::from(piece.as_bytes()))));
        let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
        let asked = super::bench::request(Method::POST, "/", body);
        assert_eq!(bench.ask(asked).await.unwrap_err(), ErrorKind::ConnectionTerminated);
        assert_eq!(origin.connections(), 1);
    });
}

/// What a server that leaves has taken goes on to its end, on both sides, while others go elsewhere.
#[test]
fn what_a_server_that_leaves_has_taken_goes_on() {
    let (left, mut leaves) = tokio::sync::mpsc::unbounded_channel();
    let origin = RawOrigin::start(move |wire| {
        greet(wire, b"")?;
        let stream = read_request(wire)?;
        if wire.number() == 0 {
            wire.read_until(b"hel")?;
            wire.send(h2::frame(GOAWAY, 0, 0, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]))?;
            wire.send(h2::frame(GOAWAY, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]))?;
            left.send(()).ok();
            wire.read_until(b"lo")?;
        }
        answer(wire, stream)?;
        wire.stall()
    });
    on_worker(async {
        let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
        let bench = &bench;
        let piece = |piece: &'static str| Ok(Frame::data(Chunk::from(piece.as_bytes())));
        let rest = async move {
            leaves.recv().await;
            // The GOAWAY may still be on its way: this one is asked again if so.
            assert_eq!(bench.get("/other").await.unwrap().status, 200);
            piece("lo")
        };
        let (send, mut rest_of_body) = tokio::sync::mpsc::unbounded_channel();
        let rest_of_body = futures_util::stream::poll_fn(move |cx| rest_of_body.poll_recv(cx));
        let frames = futures_util::stream::iter([piece("hel")]).chain(rest_of_body);
        let asked = super::bench::request(Method::POST, "/", StreamBody::new(frames).boxed_unsync());
        let other = async {
            send.send(rest.await).ok();
            drop(send);
        };
        let (whole, ()) = tokio::join!(bench.ask(asked), other);
        assert_eq!(whole.unwrap().status, 200);
        assert_eq!(origin.connections(), 2);
    });
}

/// How many streams a server takes is known with its SETTINGS and not guessed before.
#[test]
fn a_burst_keeps_to_what_the_server_takes() {
    for (streams, connections) in [(1, 40), (4, 10), (100, 1)] {
        let origin = Origin::setup().streams(streams).h2c();
        on_worker(async {
            let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
            let asked = (0..40).map(|_| async {
                let mut outgoing = post("/slow/20", "body");
                outgoing.idempotent = false;
                bench.ask(outgoing).await
            });
            for whole in futures_util::future::join_all(asked).await {
                assert_eq!(whole.unwrap().status, 200, "{streams}");
            }
        });
        assert!(origin.connections() <= connections, "{streams}: {}", origin.connections());
        assert_eq!(origin.requests().len(), 40, "none was sent twice");
    }
}

#[test]
fn a_connection_that_is_full_is_helped_by_another() {
    let origin = RawOrigin::start(|wire| {
        // SETTINGS_MAX_CONCURRENT_STREAMS: 1
        greet(wire, &[0, 3, 0, 0, 0, 1])?;
        let stream = read_request(wire)?;
        answer(wire, stream)?;
        read_request(wire)?;
        wire.stall()
    });
    on_worker(async {
        let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
        bench.get("/").await.unwrap();
        // The one connection is busy with a request that is never answered.
        let busy = bench.send(get("/"));
        let other = async {
            tokio::task::yield_now().await;
            bench.get("/").await
        };
        tokio::select! {
            _ = busy => panic!("the first server answered"),
            whole = other => assert_eq!(whole.unwrap().status, 200),
        }
        assert_eq!(origin.connections(), 2);
    });
}

#[test]
fn a_server_that_breaks_the_protocol_is_no_answer() {
    for (bytes, expected) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), ErrorKind::ResponseMalformed),
        (Vec::new(), ErrorKind::ConnectionTerminated),
        (
            h2::frame(HEADERS, END_BOTH, 2, h2::header_block(&[(":status", "200")])),
            ErrorKind::ResponseMalformed,
        ),
    ] {
        let origin = RawOrigin::start(move |wire| {
            wire.read_until(b"SM\r\n\r\n")?;
            wire.send(&bytes)?;
            // One that closes with bytes unread resets, and what it sent may be lost on the way.
            if bytes.is_empty() { Ok(()) } else { wire.stall() }
        });
        on_worker(async {
            let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
            let failed = bench.send(get("/")).await.unwrap_err();
            assert_eq!(failed.error.kind, expected, "{failed:?}");
        });
    }
}

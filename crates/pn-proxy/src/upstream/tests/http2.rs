//! HTTP/2: one connection for many, limits, and servers that leave.

use super::bench::{Bench, get, on_worker, post, server, with_header};
use crate::upstream::Upstreams;
use pn_core::ErrorKind;
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
    let go_away = || h2::frame(GOAWAY, 0, 0, [0; 8]);
    let refuse = |stream| h2::frame(RST_STREAM, 0, stream, [0, 0, 0, 7]);
    let cancel = |stream| h2::frame(RST_STREAM, 0, stream, [0, 0, 0, 8]);
    for (row, expected) in
        [("leaves", Ok(200)), ("refuses", Ok(200)), ("cancels", Err(ErrorKind::ConnectionTerminated))]
    {
        let origin = RawOrigin::start(move |wire| {
            greet(wire, b"")?;
            let stream = read_request(wire)?;
            if wire.number() > 0 {
                answer(wire, stream)?;
                return wire.stall();
            }
            match row {
                "leaves" => wire.send(go_away())?,
                "refuses" => wire.send(refuse(stream))?,
                _ => wire.send(cancel(stream))?,
            }
            // What is sent again after a refusal may come here too.
            let stream = read_request(wire)?;
            answer(wire, stream)?;
            wire.stall()
        });
        on_worker(async {
            let bench = Bench::new(vec![server(format!("h2c://{}", origin.addr()))]);
            let mut outgoing = post("/", "");
            outgoing.idempotent = false;
            assert_eq!(bench.ask(outgoing).await.map(|whole| whole.status), expected, "{row}");
        });
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

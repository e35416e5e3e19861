//! HTTP/1.1: connections and their reuse, heads, bodies.

use super::bench::{Bench, get, on_worker, post, read, server, with_header};
use crate::upstream::Upstreams;
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use pn_core::{ErrorKind, ProxyError};
use pn_io::Chunk;
use pn_model::service::HostHeader;
use pn_testkit::{Folder, Origin, RawOrigin};
use std::sync::Arc;
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn url(origin: &RawOrigin) -> String {
    format!("http://{}", origin.addr())
}

#[test]
fn a_connection_is_used_again_as_soon_as_its_answer_has_been_read() {
    let origin = RawOrigin::answering(OK);
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        for _ in 0..3 {
            assert_eq!(bench.get("/").await.unwrap().body, "ok");
        }
        assert_eq!(origin.connections(), 1);
        // Two at once need two, and both are kept.
        let (one, two) = tokio::join!(bench.send(get("/a")), bench.send(get("/b")));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(origin.connections(), 2);
        read(one).await.unwrap();
        read(two).await.unwrap();
        let (one, two) = tokio::join!(bench.get("/a"), bench.get("/b"));
        assert_eq!((one.unwrap().body, two.unwrap().body), ("ok".into(), "ok".into()));
        assert_eq!(origin.connections(), 2);
    });
}

#[test]
fn a_task_is_woken_once_for_an_answer() {
    const REQUESTS: usize = 100;
    let origin = RawOrigin::answering(OK);
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        let mut polls = 0;
        for _ in 0..REQUESTS {
            let mut asking = std::pin::pin!(bench.get("/"));
            let counted = std::future::poll_fn(|cx| {
                polls += 1;
                asking.as_mut().poll(cx)
            });
            counted.await.unwrap();
        }
        // Once to send and once when the answer is there; opening the connection took some more.
        assert!(polls < 2 * REQUESTS + REQUESTS / 10, "{polls}");
    });
}

/// Whether the connection is used again after this answer to this method.
fn check_reuse(method: Method, answer: &'static str, expected: bool) {
    let origin = RawOrigin::answering(answer);
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        for _ in 0..2 {
            let mut outgoing = get("/");
            outgoing.head.method = method.clone();
            bench.ask(outgoing).await.unwrap_or_else(|error| panic!("{answer:?}: {error:?}"));
        }
        assert_eq!(origin.connections(), if expected { 1 } else { 2 }, "{method} {answer:?}");
    });
}

#[test]
fn what_a_response_says_of_its_connection_holds() {
    for (method, answer, expected) in [
        (Method::GET, OK, true),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", true),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", true),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        (Method::GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        (Method::GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false),
        (Method::GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more", false),
        (Method::GET, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
    ] {
        check_reuse(method, answer, expected);
    }
}

#[test]
fn an_answer_that_is_given_up_takes_its_connection_along() {
    let origin = RawOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok");
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        drop(bench.send(get("/")).await.unwrap());
        drop(bench.send(get("/")).await.unwrap());
        assert_eq!(origin.connections(), 2);
    });
}

#[test]
fn a_head_is_what_the_server_needs() {
    let origin = RawOrigin::answering(OK);
    on_worker(async {
        let mut bench = Bench::new(vec![server(url(&origin))]);
        let mut outgoing = with_header(get("/a?b"), "cookie", "a=1");
        outgoing = with_header(outgoing, "cookie", "b=2");
        outgoing.trailers = true;
        bench.ask(outgoing).await.unwrap();
        let head = origin.all_received().to_ascii_lowercase();
        assert!(head.starts_with("get /a?b http/1.1\r\n"), "{head}");
        for field in ["host: app.example", "cookie: a=1; b=2", "te: trailers", "connection: te"] {
            assert!(head.contains(&format!("{field}\r\n")), "{field} in {head}");
        }
        assert!(!head.contains("content-length"), "{head}");
        let own = origin.addr().to_string();
        for (setting, expected) in [
            (HostHeader::Server, own.as_str()),
            (HostHeader::Literal("other.example".into()), "other.example"),
        ] {
            bench.node.spec.host_header = setting;
            bench.node.transport = pn_model::Transport::built_in().into();
            bench.ask(post("/", "")).await.unwrap();
            let head = origin.all_received().to_ascii_lowercase();
            let (_, head) = head.rsplit_once("post / http/1.1").unwrap();
            assert!(head.contains(&format!("host: {expected}\r\n")), "{head}");
            assert!(head.contains("content-length: 0\r\n"), "{head}");
        }
    });
}

fn pieces(pieces: &[&'static str]) -> super::bench::NoBody {
    let frames: Vec<Result<_, ProxyError>> =
        pieces.iter().map(|piece| Ok(Frame::data(Chunk::from(piece.as_bytes())))).collect();
    BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::iter(frames)))
}

#[test]
fn bodies_and_trailers_go_both_ways() {
    let origin = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")?;
        wire.send("3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n")?;
        wire.read_request()?;
        wire.send(OK)
    });
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        let whole =
            bench.ask(super::bench::request(Method::POST, "/", pieces(&["he", "llo"]))).await.unwrap();
        assert_eq!((whole.status, whole.body.as_str()), (200, "abc"));
        assert_eq!(whole.trailers.unwrap().get("x-sum").unwrap(), "6");
        bench.ask(post("/", "known")).await.unwrap();
        let received = origin.all_received();
        assert!(
            received.contains("transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n"),
            "{received}"
        );
        assert!(received.contains("content-length: 5\r\n"), "{received}");
        assert!(received.ends_with("\r\n\r\nknown"), "{received}");
        assert_eq!(origin.connections(), 1);
    });
}

#[test]
fn trailers_of_a_request_reach_the_server() {
    let origin = Origin::http1();
    on_worker(async {
        let bench = Bench::new(vec![server(format!("http://{}", origin.addr()))]);
        let sum = http::HeaderMap::from_iter([("x-sum".parse().unwrap(), "6".parse().unwrap())]);
        let frames: [Result<_, ProxyError>; 2] =
            [Ok(Frame::data(Chunk::from(b"abc".as_slice()))), Ok(Frame::trailers(sum))];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let outgoing = with_header(super::bench::request(Method::POST, "/", body), "trailer", "x-sum");
        bench.ask(outgoing).await.unwrap();
        assert_eq!(origin.last().trailers, [("x-sum".to_owned(), "6".to_owned())]);
    });
}

#[test]
fn an_answer_before_the_end_of_the_request_lets_both_go_on() {
    let origin = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let piece = wire.read_until(b"first\r\n")?;
        wire.send("3\r\none\r\n")?;
        drop(piece);
        wire.read_until(b"second\r\n")?;
        wire.send("3\r\ntwo\r\n0\r\n\r\n")
    });
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        let (send, pieces) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
        let stream = futures_util::stream::unfold(pieces, |mut pieces| async {
            let piece = pieces.recv().await?;
            Some((Ok(Frame::data(Chunk::from(piece.as_bytes()))), pieces))
        });
        let outgoing = super::bench::request(Method::POST, "/", StreamBody::new(Box::pin(stream)));
        let mut body = bench.send(outgoing).await.unwrap().body;
        // The upload goes on although nobody reads the response.
        send.send("first").unwrap();
        let seen = tokio::task::spawn_blocking(move || {
            origin.wait_for("first");
            origin
        });
        let origin = seen.await.unwrap();
        send.send("second").unwrap();
        drop(send);
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
        assert_eq!((text.as_str(), origin.connections()), ("onetwo", 1));
    });
}

#[test]
fn a_client_that_fails_in_its_body_is_to_blame() {
    let origin = RawOrigin::answering(OK);
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        let frames = vec![
            Ok(Frame::data(Chunk::from(b"a".as_slice()))),
            Err(ProxyError::new(ErrorKind::RequestAborted)),
        ];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let failed = bench.send(super::bench::request(Method::PUT, "/", body)).await.unwrap_err();
        assert_eq!(failed.error.kind, ErrorKind::RequestAborted);
        assert_eq!(bench.get("/").await.unwrap().status, 200);
    });
}

#[test]
fn the_body_waits_for_a_server_that_was_told_to_expect_it() {
    for (answer, sends) in [
        ("HTTP/1.1 100 Continue\r\n\r\n", true),
        ("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", false),
    ] {
        let origin = RawOrigin::start(move |wire| {
            let head = wire.read_head()?;
            assert!(head.to_ascii_lowercase().contains("expect: 100-continue\r\n"), "{head}");
            wire.send(answer)?;
            if sends {
                wire.read(5)?;
                wire.send(OK)?;
            }
            wire.stall()
        });
        on_worker(async {
            let bench = Bench::new(vec![server(url(&origin))]);
            let mut outgoing = post("/", "hello");
            outgoing.expect_continue = true;
            let whole = bench.ask(outgoing).await.unwrap();
            assert_eq!(whole.status, if sends { 200 } else { 417 });
            assert_eq!(origin.all_received().ends_with("hello"), sends);
        });
    }
}

#[test]
fn a_server_that_keeps_quiet_about_a_body_gets_it_after_all() {
    let origin = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send(OK)
    });
    on_worker(async {
        let bench = Bench::new(vec![server(url(&origin))]);
        let mut outgoing = post("/", "hello");
        outgoing.expect_continue = true;
        assert_eq!(bench.ask(outgoing).await.unwrap().status, 200);
    });
}

#[test]
fn unix_sockets_are_servers_too() {
    let folder = Folder::new();
    let path = folder.join("origin.sock");
    let origin = Origin::unix(&path);
    on_worker(async {
        let bench = Bench::new(vec![server(format!("http://unix:{}", path.display()))]);
        for _ in 0..2 {
            assert_eq!(bench.get("/").await.unwrap().status, 200);
        }
        assert_eq!(origin.connections(), 1);
        let missing = Bench::new(vec![server(format!("http://unix:{}.not", path.display()))]);
        assert_eq!(missing.get("/").await.unwrap_err(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn no_more_connections_than_allowed_and_none_waits_for_ever() {
    let origin = RawOrigin::start(|wire| {
        loop {
            wire.read_request()?;
            wire.pause(Duration::from_millis(20));
            wire.send(OK)?;
        }
    });
    on_worker(async {
        let bench = Bench::with(vec![server(url(&origin))], |node| {
            let mut transport = pn_model::Transport::built_in();
            transport.pool.connections_per_server = 2;
            node.transport = transport.into();
        });
        let asked = (0..8).map(|_| bench.get("/"));
        for whole in futures_util::future::join_all(asked).await {
            assert_eq!(whole.unwrap().body, "ok");
        }
        assert_eq!(origin.connections(), 2);
        // Held by answers that nobody reads.
        let held = tokio::join!(bench.send(get("/")), bench.send(get("/")));
        let mut short = pn_model::Transport::built_in();
        short.timeouts.connect = Duration::from_millis(50);
        short.pool.connections_per_server = 1;
        let other = Bench::with(vec![server(url(&origin))], |node| node.transport = short.into());
        let first = other.send(get("/")).await.unwrap();
        assert_eq!(other.get("/").await.unwrap_err(), ErrorKind::ConnectionLimit);
        read(first).await.unwrap();
        assert_eq!(other.get("/").await.unwrap().body, "ok");
        drop(held);
    });
}

/// Two workers of a process: the bound is one for both, and what one keeps for later does not keep the other waiting.
#[test]
fn workers_share_the_bound_of_connections() {
    let origin = RawOrigin::start(|wire| {
        loop {
            wire.read_request()?;
            wire.send(OK)?;
        }
    });
    on_worker(async {
        let shares = Arc::default();
        let worker = |index, connect: u64| {
            let mut bench = Bench::with(vec![server(url(&origin))], |node| {
                let mut transport = pn_model::Transport::built_in();
                transport.pool.connections_per_server = 1;
                transport.timeouts.connect = Duration::from_millis(connect);
                node.transport = transport.into();
            });
            bench.upstreams = Upstreams::new(index, 2, Arc::clone(&shares));
            bench
        };
        // Held by an answer that nobody reads.
        let (one, two) = (worker(0, 300), worker(1, 300));
        let held = one.send(get("/")).await.unwrap();
        assert_eq!(two.get("/").await.unwrap_err(), ErrorKind::ConnectionLimit);
        assert_eq!(origin.connections(), 1);
        read(held).await.unwrap();
        // By turns: each finds the connection that the other keeps.
        let (one, two) = (worker(0, 10_000), worker(1, 10_000));
        for bench in [&one, &two, &one, &two] {
            assert_eq!(bench.get("/").await.unwrap().body, "ok");
        }
        // And while both ask, nobody waits for ever.
        let held = one.send(get("/")).await.unwrap();
        let all = futures_util::future::join_all((0..6).flat_map(|_| [one.get("/"), two.get("/")]));
        let (all, _) = tokio::join!(all, async { read(held).await.unwrap() });
        assert!(all.into_iter().all(|whole| whole.is_ok_and(|whole| whole.body == "ok")));
    });
}

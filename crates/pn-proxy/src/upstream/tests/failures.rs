//! Servers that are not there, break off, or lie.

use super::bench::{Bench, on_worker, server};
use crate::upstream::Upstreams;
use crate::upstream::names::Names;
use pn_core::{ErrorKind, ProxyError};
use pn_testkit::RawOrigin;
use std::time::Duration;

/// A server that answers with these bytes and closes.
fn check(answer: &str, expected: Result<&str, ErrorKind>) {
    let bytes = answer.to_owned();
    let origin = RawOrigin::start(move |wire| {
        wire.read_request()?;
        wire.send(&bytes)
    });
    let got =
        on_worker(async { Bench::new(vec![server(format!("http://{}", origin.addr()))]).get("/").await });
    let got = got.map(|whole| whole.body);
    assert_eq!(got.as_deref().map_err(|kind| *kind), expected, "{:.200}", answer);
}

#[test]
fn what_ends_early_or_is_ambiguous_is_no_answer() {
    use ErrorKind::{ConnectionTerminated, ResponseHeadTooLarge, ResponseIncomplete, ResponseMalformed};
    let many_fields: String = (0..200).map(|i| format!("x-{i}: 1\r\n")).collect();
    let rows: &[(&str, Result<&str, ErrorKind>)] = &[
        ("", Err(ConnectionTerminated)),
        ("HTTP/1.1 200 OK\r\nConte", Err(ConnectionTerminated)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Err(ResponseIncomplete)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", Err(ResponseIncomplete)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Err(ResponseIncomplete)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
            Err(ResponseMalformed),
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", Ok("until the end")),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", Ok("until the end")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", Ok("abc")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc", Ok("abc")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", Err(ResponseMalformed)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Err(ResponseMalformed),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Err(ResponseMalformed)),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Err(ResponseMalformed),
        ),
        ("garbage\r\n\r\n", Err(ResponseMalformed)),
        ("HTTP/2.0 200 OK\r\n\r\n", Err(ResponseMalformed)),
        ("HTTP/1.1 20 OK\r\n\r\n", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", Err(ResponseMalformed)),
        ("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", Err(ResponseMalformed)),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Err(ResponseMalformed),
        ),
        (&format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(100_000)), Err(ResponseHeadTooLarge)),
        (&format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(1_000_000)), Err(ResponseHeadTooLarge)),
        (&format!("HTTP/1.1 200 OK\r\n{many_fields}\r\n"), Err(ResponseHeadTooLarge)),
        (&"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100_000), Err(ResponseHeadTooLarge)),
    ];
    for (answer, expected) in rows {
        check(answer, *expected);
    }
}

#[test]
fn a_server_that_takes_too_long_is_not_waited_for() {
    let quiet = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.stall()
    });
    let dripping = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send_slowly("HTTP/1.1 200 OK\r\nA: b\r\n".repeat(100), Duration::from_millis(20))
    });
    let stuck = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")?;
        wire.stall()
    });
    for (origin, expected) in [
        (&quiet, ErrorKind::ResponseTimeout),
        (&dripping, ErrorKind::ResponseTimeout),
        (&stuck, ErrorKind::ConnectionReadTimeout),
    ] {
        on_worker(async {
            let bench = Bench::with(vec![server(format!("http://{}", origin.addr()))], |node| {
                let mut transport = pn_model::Transport::built_in();
                transport.timeouts.response_header = Duration::from_millis(100);
                transport.timeouts.body_idle = Duration::from_millis(100);
                node.transport = transport.into();
            });
            assert_eq!(bench.get("/").await.unwrap_err(), expected);
        });
    }
}

#[test]
fn a_server_that_is_not_there_is_refused_or_unknown() {
    let gone = pn_testkit::free_port();
    for (url, expected) in [
        (format!("http://127.0.0.1:{gone}"), ErrorKind::ConnectionRefused),
        (format!("http://localhost:{gone}"), ErrorKind::ConnectionRefused),
        (format!("https://127.0.0.1:{gone}"), ErrorKind::ConnectionRefused),
    ] {
        let got = on_worker(async { Bench::new(vec![server(&url)]).send(super::bench::get("/")).await });
        let failed = got.unwrap_err();
        assert_eq!((failed.error.kind, failed.error.unsent), (expected, true), "{url}");
    }
}

#[test]
fn connecting_ends_in_time_and_says_what_took_so_long() {
    let quiet = RawOrigin::start(|wire| wire.stall());
    let short = |transport: &mut pn_model::Transport| transport.timeouts.connect = Duration::from_millis(100);
    on_worker(async {
        let bench = Bench::tls(vec![server(format!("https://{}", quiet.addr()))], |transport| {
            short(transport);
            transport.insecure_skip_verify = true;
        });
        assert_eq!(bench.get("/").await.unwrap_err(), ErrorKind::ConnectionTimeout, "TLS");
        for (answers, expected) in [(false, ErrorKind::DnsTimeout), (true, ErrorKind::DnsError)] {
            let names = Names::new(move |_| {
                Box::pin(async move {
                    if !answers {
                        std::future::pending::<()>().await;
                    }
                    Err(ProxyError::new(ErrorKind::DnsError))
                })
            });
            let mut bench = Bench::with(vec![server("http://app.example:80")], |node| {
                let mut transport = pn_model::Transport::built_in();
                short(&mut transport);
                node.transport = transport.into();
            });
            bench.upstreams = Upstreams::with_names(0, 1, names);
            let failed = bench.send(super::bench::get("/")).await.unwrap_err();
            assert_eq!((failed.error.kind, failed.error.unsent), (expected, true));
        }
    });
}

/// A body that gives a piece of this size as often as it is asked, with this pause between, and then ends.
fn upload(pieces: usize, size: usize, pause: Duration) -> super::bench::NoBody {
    let frames = futures_util::stream::unfold(pieces, move |left| async move {
        tokio::time::sleep(pause).await;
        let next = left.checked_sub(1)?;
        Some((
            Ok::<_, ProxyError>(http_body::Frame::data(pn_io::Chunk::from(bytes::Bytes::from(vec![
                b'x';
                size
            ])))),
            next,
        ))
    });
    http_body_util::BodyExt::boxed_unsync(http_body_util::StreamBody::new(frames))
}

#[test]
fn an_upload_may_take_its_time_but_not_stand_still() {
    let patient = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    });
    let deaf = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.freeze();
        Ok(())
    });
    for (origin, pieces, size, pause, expected) in
        [(&patient, 8, 10, 50, Ok(200)), (&deaf, 10_000, 1 << 16, 0, Err(ErrorKind::ResponseTimeout))]
    {
        on_worker(async {
            let bench = Bench::with(vec![server(format!("http://{}", origin.addr()))], |node| {
                let mut transport = pn_model::Transport::built_in();
                transport.timeouts.response_header = Duration::from_millis(200);
                node.transport = transport.into();
            });
            let body = upload(pieces, size, Duration::from_millis(pause));
            let outgoing = super::bench::request(http::Method::POST, "/", body);
            assert_eq!(bench.ask(outgoing).await.map(|whole| whole.status), expected);
        });
    }
}

//! Request bodies that go from socket to socket unread: whole, counted as any others, and never taken for whole, or for
//! another request, when they are not.

use super::passing::{BODY, body, world_with};
use super::world::World;
use crate::wire::{PASSED, WORTH_PASSING};
use pn_model::service::{Retries, RetryOn};
use pn_testkit::{End, RawClient, RawOrigin, Wire};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const IDLE: Duration = Duration::from_millis(300);

fn world(origin: SocketAddr) -> World {
    world_with([origin], |_, _| ())
}

fn head(fields: &str) -> String {
    format!("PUT /up HTTP/1.1\r\nhost: a.test\r\ncontent-length: {BODY}\r\n{fields}\r\n")
}

fn upload(fields: &str) -> Vec<u8> {
    [head(fields).into_bytes(), body()].concat()
}

/// Takes whole requests, and says whether their bodies are what was sent.
fn taking() -> RawOrigin {
    RawOrigin::start(|wire| {
        loop {
            let (head, got) = wire.read_request()?;
            let same = got == body() || head.starts_with("GET ");
            wire.send(if same { OK } else { "HTTP/1.1 500 Not So\r\ncontent-length: 0\r\n\r\n" })?;
        }
    })
}

#[track_caller]
fn passed(requests: u64) {
    let passed = PASSED.load(Relaxed);
    assert!(passed > requests * (BODY as u64 - 4 * WORTH_PASSING), "{passed} bytes passed");
}

#[test]
fn a_large_upload_passes_unread_and_its_connections_go_on() {
    let origin = taking();
    let world = world(origin.addr());
    let mut client = world.connect("web");
    for round in 1..=3 {
        assert_eq!(client.send(upload("")).response().status, 200, "round {round}");
    }
    // The next request is behind the last byte, and is not taken for part of it.
    client.send([upload(""), b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n".to_vec()].concat());
    assert_eq!((client.response().status, client.response().status), (200, 200));
    assert_eq!(origin.connections(), 1, "given back each time");
    passed(4);
    drop(client);
    let counted = format!("{}\n", 4 * BODY);
    pn_testkit::wait_until("the bytes to be counted", || {
        world.metrics().lines().any(|line| {
            line.starts_with("traefik_service_requests_bytes_total")
                && format!("{line}\n").ends_with(&counted)
        })
    });
}

#[test]
fn a_body_that_was_asked_for_passes_too() {
    let origin = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.send("HTTP/1.1 100 Continue\r\n\r\n")?;
        let got = wire.read(BODY)?;
        wire.send(if got == body() { OK } else { "HTTP/1.1 500 Not So\r\ncontent-length: 0\r\n\r\n" })
    });
    let world = world(origin.addr());
    let mut client = world.connect("web");
    assert_eq!(client.send(head("expect: 100-continue\r\n")).response().status, 100);
    assert_eq!(client.send(body()).response().status, 200);
    passed(1);
}

/// The response is there long before the request; the request goes on beside it.
#[test]
fn an_early_answer_does_not_end_an_upload() {
    let origin = RawOrigin::start(|wire| {
        wire.read_head()?;
        let got = wire.read(BODY / 2)?;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly")?;
        wire.pause(Duration::from_millis(50));
        let rest = wire.read(BODY - BODY / 2)?;
        assert!([got, rest].concat() == body());
        wire.stall()
    });
    let world = world(origin.addr());
    let mut client = world.connect("web");
    client.send(upload(""));
    assert_eq!(client.response().text(), "early");
    pn_testkit::wait_until("the whole of it", || origin.received(0).ends_with(&body()[BODY - 1_000..]));
    drop(client);
    passed(1);
}

#[test]
fn a_refusal_in_the_middle_reaches_the_client() {
    let refuse = |wire: &mut Wire| {
        wire.read_head()?;
        wire.read(BODY / 3)?;
        wire.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\ntoo")
    };
    let origin = RawOrigin::start(move |wire| {
        refuse(wire)?;
        wire.close_write()?;
        wire.freeze();
        Ok(())
    });
    let world = world(origin.addr());
    let mut client = world.connect("web");
    let mut half = upload("");
    half.truncate(BODY / 2);
    assert_eq!(client.send(half).response().status, 413);
}

/// Whatever ends it, the server sees that something is missing, and no other server is asked with what is left.
#[test]
fn an_upload_that_breaks_off_never_looks_whole() {
    enum How {
        Fin,
        Reset,
    }
    for how in [How::Fin, How::Reset] {
        let origin = taking();
        let world = world(origin.addr());
        let mut client = world.connect("web");
        let mut part = upload("");
        part.truncate(part.len() - 1);
        client.send(part);
        match how {
            How::Fin => drop(client.close_write().end()),
            How::Reset => client.reset(),
        }
        pn_testkit::wait_until("the connection to end", || {
            origin.connections() == 1 && origin.open_connections() == 0
        });
        assert!(origin.received(0).len() < head("").len() + BODY + 200);
    }
}

#[test]
fn an_upload_that_was_begun_is_not_sent_to_another() {
    let fail = |wire: &mut Wire| {
        wire.read_head()?;
        wire.read(2 << 20)?;
        wire.reset().and_then(|()| Err(io::ErrorKind::BrokenPipe.into()))
    };
    let origins = [RawOrigin::start(fail), RawOrigin::start(fail)];
    let world = world_with(origins.iter().map(RawOrigin::addr), |_, servers| {
        servers.retries =
            Some(Retries { attempts: 2, on: vec![RetryOn::Connect, RetryOn::Reset], budget: 1.0 });
    });
    let mut client = world.connect("web");
    let answer = client.send(upload("")).try_response(pn_testkit::PATIENCE);
    // The connection may be reset under a client that is still sending.
    assert!(answer.is_none_or(|answer| answer.status == 502));
    assert_eq!(origins.iter().map(RawOrigin::connections).sum::<usize>(), 1);
}

/// Bytes that were read and never arrived are no part of what follows: the connection ends, or goes on behind the body.
#[test]
fn what_follows_a_lost_upload_is_never_read_from_its_middle() {
    let origin = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.read(1 << 20)?;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        wire.reset().and_then(|()| Err(io::ErrorKind::BrokenPipe.into()))
    });
    let world = world(origin.addr());
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a.test\r\n\r\n";
    let body = smuggled.repeat(BODY / smuggled.len() + 1);
    let mut client = world.connect("web");
    client.send([head("").as_bytes(), &body.as_bytes()[..BODY]].concat());
    client.end_within(Duration::from_secs(4));
    for connection in 1..origin.connections() {
        let received = String::from_utf8_lossy(&origin.received(connection)).into_owned();
        assert!(!received.starts_with("GET /smuggled"), "{received}");
    }
}

#[test]
fn pace_is_asked_of_what_passes() {
    // Bytes a second that are asked for; what the client is told.
    for (min_rate, status) in [(0, 408), (100 << 20, 408)] {
        let origin = taking();
        let world = world_with([origin.addr()], |web, _| {
            web.timeouts.body_idle = IDLE;
            web.limits.body_min_rate = min_rate;
        });
        let mut client = RawClient::connect(world.address("web"));
        client.send(&upload("")[..BODY / 2]);
        let response = client.response();
        assert_eq!(response.status, status, "{min_rate}");
        let (end, _) = client.end();
        assert_ne!(end, End::Open);
    }
}

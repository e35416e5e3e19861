//! HTTP/2 connections: prior knowledge, floods, streams that stall, GOAWAY.

use super::world::{World, listener};
use pn_model::Listener;
use pn_testkit::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    frame, frames, greeting, header_block, read_frame, read_frame_of, request_block,
};
use pn_testkit::{End, RawClient};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(100);
const ENHANCE_YOUR_CALM: u32 = 11;

fn with(change: impl FnOnce(&mut Listener)) -> World {
    let mut own = listener("web");
    change(&mut own);
    World::serving([own])
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, request_block("GET", "a.test", path))
}

fn greeted(world: &World) -> RawClient {
    let mut client = world.connect("web");
    client.send(greeting());
    client
}

/// What the connection ends with.
fn last_words(client: &mut RawClient) -> Option<u32> {
    let (end, bytes) = client.end();
    assert_ne!(end, End::Open);
    frames(&bytes).iter().rev().find(|frame| frame.kind == GOAWAY)?.error_code()
}

#[test]
fn prior_knowledge_is_heard_on_a_plain_listener() {
    let world = with(|_| {});
    let mut client = world.connect("web");
    // In pieces: no segment holds the whole preface.
    for piece in greeting().chunks(5) {
        client.send(piece);
    }
    client.send(request(1, "/facts"));
    assert_eq!(read_frame_of(&mut client, HEADERS).stream, 1);
    let body = read_frame_of(&mut client, DATA);
    assert!(String::from_utf8_lossy(&body.payload).contains("version=HTTP/2.0"));
}

#[test]
fn streams_that_are_reset_at_once_end_the_connection() {
    let world = with(|_| {});
    let mut client = greeted(&world);
    let mut bytes = Vec::new();
    for stream in (1..4000).step_by(2) {
        bytes.extend(request(stream, "/wait"));
        bytes.extend(frame(RST_STREAM, 0, stream, 8u32.to_be_bytes()));
    }
    client.send(bytes);
    assert_eq!(last_words(&mut client), Some(ENHANCE_YOUR_CALM));
    assert_eq!(world.ask("web").status, 200);
}

#[test]
fn endless_continuations_end_the_connection() {
    let world = with(|_| {});
    let mut client = greeted(&world);
    client.send(frame(HEADERS, END_STREAM, 1, request_block("GET", "a.test", "/")));
    let piece = frame(CONTINUATION, 0, 1, header_block(&[("x", "y")]));
    client.send(piece.repeat(20_000));
    assert_eq!(last_words(&mut client), Some(ENHANCE_YOUR_CALM));
}

#[test]
fn empty_frames_end_the_connection() {
    let world = with(|_| {});
    let mut client = greeted(&world);
    client.send(frame(HEADERS, END_HEADERS, 1, request_block("POST", "a.test", "/wait")));
    client.send(frame(DATA, 0, 1, []).repeat(50_000));
    assert_eq!(last_words(&mut client), Some(ENHANCE_YOUR_CALM));
}

#[test]
fn floods_of_settings_and_pings_are_answered_without_growing() {
    // One answer is owed at a time, and nothing further is read while the client does not take it.
    let world = with(|own| own.timeouts.body_idle = SOON);
    for flood in [frame(SETTINGS, 0, 0, []), frame(PING, 0, 0, [0; 8])] {
        let mut client = greeted(&world);
        let mut stream = client.local_addr();
        stream.set_port(0);
        for _ in 0..2_000 {
            client.send(flood.repeat(50));
        }
        drop(client);
        assert_eq!(world.ask("web").status, 200);
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let world = with(|_| {});
    let mut client = greeted(&world);
    let long = "y".repeat(10_000);
    let block =
        [request_block("GET", "a.test", "/facts"), header_block(&[("x", &long), ("z", &long)])].concat();
    let (first, rest) = block.split_at(16_000);
    client.send(frame(HEADERS, END_STREAM, 1, first)).send(frame(CONTINUATION, END_HEADERS, 1, rest));
    // The h2 crate answers this one by itself, with 431 or a reset.
    let answer = loop {
        let frame = read_frame(&mut client);
        if matches!(frame.kind, HEADERS | RST_STREAM | GOAWAY) {
            break frame;
        }
    };
    assert!(answer.kind != GOAWAY && answer.stream == 1, "{answer:?}");
    let many = [request_block("GET", "a.test", "/facts"), header_block(&[("x", "y")].repeat(60))].concat();
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 5, many));
    assert_eq!(read_frame_of(&mut client, HEADERS).stream, 5);
    let counted = "traefik_entrypoint_requests_total{code=\"431\",method=\"GET\",protocol=\"http\",entrypoint=\"web\"} 1\n";
    pn_testkit::wait_until("the refusal", || world.metrics().contains(counted));
}

#[test]
fn only_the_stream_that_stalls_is_reset() {
    let world = with(|own| own.timeouts.body_idle = SOON);
    let mut client = greeted(&world);
    // The window of the connection is wide, that of the stream stays at 65,535.
    client.send(frame(WINDOW_UPDATE, 0, 0, 0x0fff_ffffu32.to_be_bytes()));
    client.send(request(1, "/big"));
    assert_eq!(read_frame_of(&mut client, RST_STREAM).stream, 1);
    client.send(request(3, "/facts"));
    assert_eq!(read_frame_of(&mut client, HEADERS).stream, 3);
}

#[test]
fn silence_ends_with_goaway() {
    let world = with(|own| own.timeouts.keepalive_idle = SOON);
    let mut client = greeted(&world);
    client.send(request(1, "/facts"));
    assert_eq!(read_frame_of(&mut client, DATA).stream, 1);
    assert_eq!(read_frame_of(&mut client, GOAWAY).error_code(), Some(0));
}

#[test]
fn requests_per_connection_end_with_goaway() {
    let world = with(|own| own.limits.requests_per_connection = 2);
    let mut client = greeted(&world);
    client.send(request(1, "/facts")).send(request(3, "/facts"));
    assert_eq!(last_words(&mut client), Some(0));
}

#[test]
fn a_panic_costs_one_stream() {
    let world = with(|_| {});
    let mut client = greeted(&world);
    client.send(request(1, "/panic"));
    assert_eq!(read_frame_of(&mut client, RST_STREAM).stream, 1);
    client.send(request(3, "/facts"));
    assert_eq!(read_frame_of(&mut client, HEADERS).stream, 3);
}

#[test]
fn a_request_that_fails_costs_one_stream() {
    let world = with(|_| {});
    let mut client = greeted(&world);
    let malformed = request_block("GET", "a.test:x", "/facts");
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, malformed));
    assert_eq!(read_frame_of(&mut client, HEADERS).stream, 1);
    client.send(request(3, "/facts"));
    let kinds: Vec<_> = std::iter::repeat_with(|| read_frame(&mut client))
        .map_while(|frame| ((frame.kind, frame.stream) != (HEADERS, 3)).then_some(frame.kind))
        .collect();
    assert!(!kinds.contains(&GOAWAY), "{kinds:?}");
}

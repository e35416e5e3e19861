//! Clients that take a response slowly but steadily, while the kernel has so much of it that it asks for no more: they
//! are waited for, and those who take nothing are not.

use super::world::{BIG, World, listener, site};
use pn_model::Listener;
use pn_testkit::h2::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, frames,
    request_block,
};
use pn_testkit::{Authority, End, RawClient, TlsOptions};
use std::time::{Duration, Instant};

const GET_BIG: &str = "GET /big HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
const BODY_IDLE: Duration = Duration::from_millis(700);
/// A third of the kernel's buffer takes longer than `BODY_IDLE` at this pace: 400 KB/s, of 2.6 MB or more.
const SIP: usize = 8 << 10;
const PAUSE: Duration = Duration::from_millis(20);
/// As long as the client is slow.
const SLOW_FOR: Duration = Duration::from_secs(3);

fn own(tls: bool) -> Listener {
    let mut own = Listener { tls, ..listener("web") };
    own.timeouts.body_idle = BODY_IDLE;
    own
}

fn plain() -> (World, RawClient) {
    let world = World::serving([own(false)]);
    let client = world.connect("web");
    (world, client)
}

fn tls(protocol: &str) -> (World, RawClient) {
    let authority = Authority::new();
    let mut world = World::start(1);
    let identity = authority.server(&["a.test"]);
    world.publish([own(true)], [site("a.test", &["web"], &identity)]).unwrap();
    let options = TlsOptions::trusting(&authority).alpn(&[protocol]);
    let client = RawClient::connect_tls(world.address("web"), "a.test", &options);
    (world, client)
}

/// Asks for all at once: no window but TCP's holds anything back.
fn ask_h2(client: &mut RawClient) {
    let wide = 0x7fff_0000u32.to_be_bytes();
    let settings = [&[0, 4], &wide[..]].concat();
    client.send([PREFACE, &frame(SETTINGS, 0, 0, settings), &frame(WINDOW_UPDATE, 0, 0, wide)].concat());
    let block = request_block("GET", "a.test", "/big");
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
}

/// Reads at the slow pace for a while.
#[expect(clippy::disallowed_methods, reason = "the pace of a client, on a thread of its own")]
fn sip(client: &mut RawClient) -> Vec<u8> {
    let (began, mut got) = (Instant::now(), Vec::new());
    while began.elapsed() < SLOW_FOR {
        let sip = client.try_read(SIP);
        got.extend(sip.unwrap_or_else(|| panic!("cut off after {:?}, {} bytes", began.elapsed(), got.len())));
        std::thread::sleep(PAUSE);
    }
    assert!(got.len() < BIG / 2, "{} bytes are not slow", got.len());
    got
}

#[test]
fn a_client_that_takes_little_at_a_time_is_waited_for() {
    for (name, (_world, mut client)) in [("plain", plain()), ("tls", tls("http/1.1"))] {
        client.window(64 << 10).send(GET_BIG);
        let mut got = sip(&mut client);
        let (end, rest) = client.end();
        got.extend(rest);
        assert_eq!(end, End::Closed, "{name}");
        assert!(got.len() > BIG && got.ends_with(b"xxxx"), "{name}: {} bytes", got.len());
    }
}

#[test]
fn so_is_a_client_of_http2() {
    for (name, (_world, mut client)) in [("plain", plain()), ("tls", tls("h2"))] {
        ask_h2(client.window(64 << 10));
        let mut got = sip(&mut client);
        while frames(&got).last().is_none_or(|last| last.kind != RST_STREAM && last.flags != END_STREAM) {
            got.extend(client.try_read(1).unwrap_or_else(|| panic!("{name}: cut off after {}", got.len())));
            got.extend(client.end_within(Duration::from_millis(50)).1);
        }
        let body: usize =
            frames(&got).iter().filter(|frame| frame.kind == DATA).map(|frame| frame.payload.len()).sum();
        assert_eq!(body, BIG, "{name}");
    }
}

/// Whatever it speaks, and though the kernel has much for it.
#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    for (name, (world, mut client), is_h2) in
        [("plain", plain(), false), ("tls", tls("http/1.1"), false), ("h2", tls("h2"), true)]
    {
        client.window(64 << 10);
        if is_h2 {
            ask_h2(&mut client);
        } else {
            client.send(GET_BIG);
        }
        client.read(1);
        let open = "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} ";
        pn_testkit::wait_until(&format!("{name}: the connection to end"), || {
            world.metrics().contains(&format!("{open}0\n"))
        });
        let (end, bytes) = client.end();
        assert!(end != End::Open && bytes.len() < BIG, "{name}: {end:?}, {} bytes", bytes.len());
    }
}

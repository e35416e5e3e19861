//! Connections over HTTP/1: keepalive, limits, timeouts, the PROXY protocol.

use super::world::{BIG, GET, World, fact, listener};
use pn_model::Listener;
use pn_model::listener::{BindAddress, Protocols, ProxyProtocolIn};
use pn_testkit::{End, RawClient};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(100);

fn with(change: impl FnOnce(&mut Listener)) -> World {
    let mut own = listener("web");
    change(&mut own);
    World::serving([own])
}

#[test]
fn a_connection_serves_request_after_request() {
    let world = with(|_| {});
    let mut client = world.connect("web");
    for _ in 0..3 {
        let response = client.send(GET).response();
        assert_eq!(response.status, 200);
        assert_eq!(fact(&response.text(), "listener"), "web");
        assert_eq!(fact(&response.text(), "peer"), client.local_addr().to_string());
        assert_eq!(fact(&response.text(), "local"), world.address("web").to_string());
    }
    // Several at once are answered in their order.
    client.send([GET, GET].concat());
    assert_eq!((client.response().status, client.response().status), (200, 200));
}

#[test]
fn one_protocol_of_two_can_be_switched_off() {
    let world = with(|own| own.protocols = Protocols { h1: true, h2: false });
    assert_eq!(world.ask("web").status, 200);
    let (end, bytes) = world.connect("web").send(pn_testkit::h2::greeting()).end();
    assert!(end != End::Open && bytes.starts_with(b"HTTP/1.1 505"));

    let world = with(|own| own.protocols = Protocols { h1: false, h2: true });
    let (end, bytes) = world.connect("web").send(GET).end();
    assert_ne!(end, End::Open);
    assert!(!bytes.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn bytes_that_come_one_by_one_are_a_request() {
    let world = with(|_| {});
    let mut client = world.connect("web");
    for byte in GET.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.response().status, 200);
}

#[test]
fn heads_are_bounded() {
    let world = with(|_| {});
    let head = |fields: String| format!("GET /facts HTTP/1.1\r\nhost: a.test\r\n{fields}\r\n");
    let ask = |head: String| RawClient::ask(world.address("web"), head).status;
    assert_eq!(ask(head("x: y\r\n".repeat(40))), 200);
    assert_eq!(ask(head(format!("x: {}\r\n", "y".repeat(17 << 10)))), 431);
    assert_eq!(ask(head("x: y\r\n".repeat(60))), 431);
    assert_eq!(ask(head("x: y\r\n".repeat(120))), 431);
    assert_eq!(ask(format!("GET /{} HTTP/1.1\r\nhost: a.test\r\n\r\n", "p".repeat(70 << 10))), 414);
    // Never the end of the head: refused at the bound, not gathered for ever.
    assert_eq!(ask(format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(20 << 10))), 431);
}

#[test]
fn small_bounds_of_heads_hold() {
    let world = with(|own| own.limits.header_bytes = 1 << 10);
    let empty = "GET /facts HTTP/1.1\r\nhost: a.test\r\nx: \r\n\r\n";
    let head = |bytes: usize| empty.replace("x: ", &format!("x: {}", "y".repeat(bytes - empty.len())));
    let ask = |head: String| RawClient::ask(world.address("web"), head).status;
    assert_eq!([ask(head(1 << 10)), ask(head((1 << 10) + 1)), ask(head(4 << 10))], [200, 431, 431]);
    let target = |bytes: usize| format!("GET /facts?{} HTTP/1.1\r\nhost: a.test\r\n\r\n", "q".repeat(bytes));
    assert_eq!([ask(target(900)), ask(target(1 << 10))], [200, 414]);
}

#[test]
fn more_fields_than_usual_can_be_allowed() {
    let world = with(|own| own.limits.headers = 300);
    let head = format!("GET /facts HTTP/1.1\r\nhost: a.test\r\n{}\r\n", "x: y\r\n".repeat(250));
    assert_eq!(RawClient::ask(world.address("web"), head).status, 200);
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let world = with(|_| {});
    let mut client = world.connect("web");
    client.send("GET / HTTP/1.1\r\nbad field\r\n\r\n");
    client.send(vec![b'x'; 256 << 10]);
    assert_eq!(client.response().status, 400);
}

#[test]
fn a_connection_can_be_limited_in_requests() {
    let world = with(|own| own.limits.requests_per_connection = 2);
    let mut client = world.connect("web");
    assert_eq!(client.send(GET).response().header("connection"), "");
    assert_eq!(client.send(GET).response().header("connection"), "close");
    client.expect_closed();
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let world = with(|own| own.timeouts.header = SOON);
    let mut client = world.connect("web");
    client.send("GET / HTTP/1.1\r\nhost: a.te");
    let response = client.response();
    assert_eq!((response.status, response.header("connection")), (408, "close"));
    client.expect_closed();
    // So is the second of a connection.
    let mut client = world.connect("web");
    assert_eq!(client.send(GET).response().status, 200);
    assert_eq!(client.send("GET").response().status, 408);
}

#[test]
fn silence_between_requests_ends() {
    let world = with(|own| own.timeouts.keepalive_idle = SOON);
    let mut client = world.connect("web");
    assert_eq!(client.send(GET).response().status, 200);
    client.expect_closed();
    world.connect("web").expect_closed();
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let world = with(|own| {
        own.timeouts.body_idle = SOON;
        own.limits.connections = 1;
    });
    let mut client = world.connect("web");
    client.send("GET /big HTTP/1.1\r\nhost: a.test\r\n\r\n");
    client.read(1);
    // There is room for the next once the other side has given up; then less than all of it is to be had.
    assert_eq!(world.ask("web").status, 200);
    let (end, bytes) = client.end();
    assert_ne!(end, End::Open);
    assert!(bytes.len() < BIG, "{} bytes", bytes.len());
}

#[test]
fn a_client_that_reads_slowly_gets_all_of_it() {
    let world = with(|own| own.timeouts.body_idle = Duration::from_secs(5));
    let mut client = world.connect("web");
    client.send("GET /big HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n");
    let (end, bytes) = client.end();
    assert_eq!(end, End::Closed);
    assert!(bytes.len() > BIG);
}

#[test]
fn a_full_listener_lets_the_next_wait() {
    let world = with(|own| own.limits.connections = 1);
    let mut first = world.connect("web");
    assert_eq!(first.send(GET).response().status, 200);
    let mut second = world.connect("web");
    second.send(GET);
    assert!(second.try_response(SOON).is_none(), "one connection is open already");
    drop(first);
    assert_eq!(second.response().status, 200);
}

#[test]
fn a_panic_costs_one_connection() {
    let world = with(|_| {});
    let mut other = world.connect("web");
    assert_eq!(other.send(GET).response().status, 200);
    let mut client = world.connect("web");
    client.send("GET /panic HTTP/1.1\r\nhost: a.test\r\n\r\n").expect_closed();
    assert_eq!(other.send(GET).response().status, 200);
    assert_eq!(world.ask("web").status, 200);
}

fn proxied(required: bool, trusted: &str) -> World {
    with(|own| {
        own.timeouts.handshake = Duration::from_millis(300);
        own.proxy_protocol = Some(ProxyProtocolIn { trusted: vec![trusted.parse().unwrap()], required });
    })
}

#[test]
fn a_trusted_peer_says_for_whom_it_speaks() {
    let world = proxied(false, "127.0.0.0/8");
    let v1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n".to_vec();
    let v2 = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(),
        &[192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0, 80],
    ];
    for header in [v1, v2.concat()] {
        let mut client = world.connect("web");
        let body = client.send([&header, GET.as_bytes()].concat()).response().text();
        assert_eq!(fact(&body, "peer"), "192.0.2.7:4711");
        assert_eq!(fact(&body, "local"), "198.51.100.1:80");
        // In pieces, and before HTTP/2 as well.
        let mut client = world.connect("web");
        header.iter().for_each(|byte| {
            client.send([*byte]);
        });
        assert_eq!(fact(&client.send(GET).response().text(), "peer"), "192.0.2.7:4711");
    }
    assert_eq!(world.ask("web").status, 200, "no header is needed");
}

#[test]
fn headers_of_others_are_malformed_requests() {
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n";
    let world = proxied(false, "10.0.0.0/8");
    assert_eq!(RawClient::ask(world.address("web"), [header, GET.as_bytes()].concat()).status, 400);
    assert_eq!(world.ask("web").status, 200);
    let world = with(|_| {});
    assert_eq!(RawClient::ask(world.address("web"), [header, GET.as_bytes()].concat()).status, 400);
}

#[test]
fn a_header_that_is_missing_or_broken_ends_the_connection() {
    let required = proxied(true, "127.0.0.0/8");
    for bytes in [GET, "PROXY TCP4 nonsense\r\n", "PROXY TCP4 192.0.2.7", ""] {
        required.connect("web").send(bytes).expect_closed();
    }
    proxied(false, "127.0.0.0/8").connect("web").send("PROXY TCP4 1.2.3.4 x y z\r\n").expect_closed();
}

#[test]
fn unix_sockets_are_served_and_removed() {
    let folder = pn_testkit::Folder::new();
    let path = folder.path().join("web.sock");
    let world = with(|own| own.addresses = vec![BindAddress::Unix(path.clone())]);
    let mut client = UnixStream::connect(&path).unwrap();
    let last = GET.replace("host: a.test\r\n", "host: a.test\r\nconnection: close\r\n");
    client.write_all(last.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("peer=none"), "{answer}");
    drop(world);
    assert!(!path.exists());
}

#[test]
fn clients_of_both_families_are_heard_on_one_socket() {
    let any = BindAddress::Tcp("[::]:0".parse().unwrap());
    let world = with(|own| own.addresses = vec![any]);
    let port = world.address("web").port();
    for (to, from) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1")] {
        let to = std::net::SocketAddr::new(to.parse().unwrap(), port);
        let mut client = RawClient::connect(to);
        let body = client.send(GET).response().text();
        let peer = std::net::SocketAddr::new(from.parse().unwrap(), client.local_addr().port());
        assert_eq!(fact(&body, "peer"), peer.to_string());
        assert_eq!(fact(&body, "local"), to.to_string());
    }
}

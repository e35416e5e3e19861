//! PROXY headers to servers.

use super::bench::{Bench, get, on_worker, server};
use pn_model::transport::ProxyProtocolOut;
use pn_testkit::RawOrigin;
use std::net::SocketAddr;

/// What comes first on the connection, and that nobody else gets that connection.
fn check(version: ProxyProtocolOut, ends: Option<(&str, &str)>, expected: &[u8]) {
    let origin = RawOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    on_worker(async {
        let bench = Bench::with(vec![server(format!("http://{}", origin.addr()))], |node| {
            let mut transport = pn_model::Transport::built_in();
            transport.proxy_protocol = Some(version);
            node.transport = transport.into();
        });
        for count in 1..3 {
            let mut outgoing = get("/");
            let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
            outgoing.peer = ends.map(|(peer, _)| parse(peer));
            outgoing.local = ends.map(|(_, local)| parse(local));
            assert_eq!(bench.ask(outgoing).await.unwrap().body, "ok");
            assert_eq!(origin.connections(), count);
        }
        let received = origin.received(0);
        assert!(
            received.starts_with(expected),
            "{version:?} {ends:?}: {}",
            String::from_utf8_lossy(&received)
        );
        assert!(received[expected.len()..].starts_with(b"GET / HTTP/1.1\r\n"));
    });
}

#[test]
fn a_server_learns_both_ends_of_the_clients_connection() {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let v4 = Some(("192.0.2.7:1000", "198.51.100.1:443"));
    let mapped = Some(("[::ffff:192.0.2.7]:1000", "198.51.100.1:443"));
    let v6 = Some(("[2001:db8::1]:1000", "[2001:db8::2]:443"));
    check(ProxyProtocolOut::V1, v4, b"PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n");
    check(ProxyProtocolOut::V1, mapped, b"PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n");
    check(ProxyProtocolOut::V1, v6, b"PROXY TCP6 2001:db8::1 2001:db8::2 1000 443\r\n");
    check(ProxyProtocolOut::V1, None, b"PROXY UNKNOWN\r\n");
    let body: &[u8] = b"\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x03\xe8\x01\xbb";
    check(ProxyProtocolOut::V2, v4, &[SIGNATURE, body].concat());
    check(ProxyProtocolOut::V2, None, &[SIGNATURE, b"\x20\0\0\0"].concat());
}

//! Handshakes: who is served, by which protocol, and who is refused.

use super::world::{GET, World, fact, listener, site};
use pn_model::Listener;
use pn_model::listener::ProxyProtocolIn;
use pn_testkit::{Authority, End, RawClient, TlsOptions};
use rustls::pki_types::ServerName;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

fn secure() -> Listener {
    Listener { tls: true, ..listener("websecure") }
}

fn world(authority: &Authority, own: Listener) -> World {
    let mut world = World::start(2);
    let identity = authority.server(&["a.test"]);
    world.publish([own], [site("a.test", &["websecure"], &identity)]).unwrap();
    world
}

#[test]
fn the_protocol_is_agreed_by_alpn() {
    let authority = Authority::new();
    let world = world(&authority, secure());
    for (offered, agreed) in
        [(&["http/1.1"][..], Some("http/1.1")), (&["h2", "http/1.1"], Some("h2")), (&[], None)]
    {
        let options = TlsOptions::trusting(&authority).alpn(offered);
        let mut client = RawClient::connect_tls(world.address("websecure"), "a.test", &options);
        assert_eq!(client.alpn().as_deref(), agreed);
        if agreed == Some("h2") {
            client.send(pn_testkit::h2::greeting());
            assert_eq!(pn_testkit::h2::read_frame(&mut client).kind, pn_testkit::h2::SETTINGS);
            continue;
        }
        let body = client.send(GET).response().text();
        assert_eq!((fact(&body, "tls"), fact(&body, "sni")), ("TLSv1.3", "a.test"));
    }
}

#[test]
fn sessions_are_resumed_on_whichever_worker() {
    let authority = Authority::new();
    let world = world(&authority, secure());
    let config = TlsOptions::trusting(&authority).alpn(&["http/1.1"]).resuming().config();
    let resumed: Vec<_> =
        (0..8).map(|_| fact(&ask(world.address("websecure"), b"", &config), "resumed") == "true").collect();
    assert_eq!(resumed, [false, true, true, true, true, true, true, true]);
}

#[test]
fn handshakes_that_fail_are_counted_by_reason() {
    let authority = Authority::new();
    let mut own = secure();
    own.timeouts.handshake = Duration::from_millis(50);
    let world = world(&authority, own);
    let address = world.address("websecure");
    let counted = |reason: &str, count: u32| {
        let line =
            format!("tls_handshake_failures_total{{entrypoint=\"websecure\",reason=\"{reason}\"}} {count}\n");
        pn_testkit::wait_until(reason, || world.metrics().contains(&line));
    };
    let connect = |trusted: &Authority, name| {
        RawClient::try_connect_tls(address, name, &TlsOptions::trusting(trusted)).map(drop)
    };
    connect(&authority, "a.test").unwrap();
    assert!(!world.metrics().contains("tls_handshake_failures_total{"));
    connect(&authority, "b.test").unwrap_err();
    connect(&authority, "c.test").unwrap_err();
    counted("no-site", 2);
    connect(&Authority::new(), "a.test").unwrap_err();
    counted("alert", 1);
    RawClient::connect(address).send(GET).end();
    counted("malformed", 1);
    drop(RawClient::connect(address));
    counted("closed", 1);
    let _silent = RawClient::connect(address);
    counted("timeout", 1);
}

#[test]
fn a_name_without_a_site_is_refused_by_an_alert() {
    let authority = Authority::new();
    let world = world(&authority, secure());
    let options = TlsOptions::trusting(&authority);
    let refused = RawClient::try_connect_tls(world.address("websecure"), "b.test", &options);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[test]
fn what_is_no_handshake_ends() {
    let authority = Authority::new();
    let mut own = secure();
    own.timeouts.handshake = Duration::from_millis(100);
    let world = world(&authority, own);
    world.connect("websecure").expect_closed();
    let (end, _) = world.connect("websecure").send(GET).end();
    assert_ne!(end, End::Open);
    // Half a ClientHello.
    world.connect("websecure").send([22, 3, 1, 2, 0, 1, 0, 1]).expect_closed();
}

#[test]
fn a_proxy_header_comes_before_the_handshake() {
    let authority = Authority::new();
    let mut own = secure();
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    own.proxy_protocol = Some(ProxyProtocolIn { trusted, required: true });
    let world = world(&authority, own);
    let config = TlsOptions::trusting(&authority).alpn(&["http/1.1"]).config();
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
    assert_eq!(fact(&ask(world.address("websecure"), header, &config), "peer"), "192.0.2.7:4711");
}

/// The facts over a new connection that begins with `before`.
fn ask(address: SocketAddr, before: &[u8], config: &Arc<rustls::ClientConfig>) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.write_all(before).unwrap();
    let name = ServerName::try_from("a.test").unwrap();
    let connection = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut tls = rustls::StreamOwned::new(connection, tcp);
    tls.write_all(GET.as_bytes()).unwrap();
    let (mut answer, mut read) = ([0; 1024], 0);
    while !answer[..read].ends_with(b"true\n") && !answer[..read].ends_with(b"false\n") {
        read += tls.read(&mut answer[read..]).unwrap();
    }
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

//! Changes of protocol, over either HTTP version.

use super::bench::{Bench, get, on_worker, server, with_header};
use crate::upstream::UpstreamTunnel;
use crate::upstream::h1::Head;
use http::{HeaderValue, StatusCode};
use pn_core::ErrorKind;
use pn_io::DataStream;
use pn_testkit::{Authority, Origin, RawOrigin};
use std::convert::Infallible;

/// Asks for a protocol, and when the server agrees has some bytes echoed.
async fn echoed(bench: &Bench, protocol: &'static str) -> Result<Head, ErrorKind> {
    let mut outgoing = with_header(get("/upgrade"), "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    outgoing.upgrade = Some(HeaderValue::from_static(protocol));
    let answer = bench.send(outgoing).await.map_err(|failed| failed.error.kind)?;
    if let Some(mut tunnel) = answer.upgrade {
        let text = "there and back again".repeat(1000);
        tunnel.ends.queue_send(bytes::Bytes::from(text.clone()).into()).unwrap();
        tunnel.ends.flush().await.unwrap();
        let back = read(&mut tunnel, text.len()).await;
        assert_eq!(String::from_utf8(back).unwrap(), text);
    }
    Ok(answer.head)
}

/// The first bytes that came with the change or follow it.
async fn read(tunnel: &mut UpstreamTunnel, count: usize) -> Vec<u8> {
    let mut read = tunnel.read.to_vec();
    while read.len() < count {
        read.extend_from_slice(&tunnel.ends.recv(count).await.unwrap().expect("more to come"));
    }
    read
}

#[test]
fn a_server_of_http_1_changes_to_what_was_asked_for() {
    let origin = Origin::http1();
    let authority = Authority::new();
    let secure = Origin::tls(&authority.server(&["localhost"]));
    on_worker(async {
        let bench = Bench::new(vec![server(format!("http://{}", origin.addr()))]);
        assert_eq!(echoed(&bench, "echo").await.unwrap().status, StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(bench.get("/").await.unwrap().status, 200);
        // Where HTTP/2 could be had as well, HTTP/1.1 is chosen.
        let url = format!("https://localhost:{}", secure.addr().port());
        let bench = Bench::tls(vec![server(url)], |transport| {
            transport.roots = vec![pn_model::site::PemSource::File(authority.root())];
        });
        assert_eq!(bench.get("/").await.unwrap().status, 200);
        assert_eq!(secure.last().version, "HTTP/2.0");
        assert_eq!(echoed(&bench, "echo").await.unwrap().status, StatusCode::SWITCHING_PROTOCOLS);
    });
}

#[test]
fn what_is_no_agreement_is_no_change() {
    const OTHER: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
    const UNNAMED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n";
    const REFUSED: &str = "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n";
    for (answer, expected) in [
        (OTHER, Err(ErrorKind::UpgradeFailed)),
        (UNNAMED, Err(ErrorKind::UpgradeFailed)),
        (REFUSED, Ok(StatusCode::UPGRADE_REQUIRED)),
    ] {
        let origin = RawOrigin::answering(answer);
        on_worker(async {
            let bench = Bench::new(vec![server(format!("http://{}", origin.addr()))]);
            assert_eq!(echoed(&bench, "echo").await.map(|head| head.status), expected, "{answer}");
        });
    }
}

#[test]
fn bytes_that_come_with_the_change_are_the_tunnels() {
    let origin = RawOrigin::answering(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello",
    );
    on_worker(async {
        let bench = Bench::new(vec![server(format!("http://{}", origin.addr()))]);
        let mut outgoing = get("/");
        outgoing.upgrade = Some(HeaderValue::from_static("echo"));
        let mut tunnel = bench.send(outgoing).await.unwrap().upgrade.unwrap();
        assert_eq!(read(&mut tunnel, 5).await, b"hello");
    });
}

/// Runs hyper's tasks beside the test.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}

/// A server of HTTP/2 that takes extended CONNECT, or does not.
async fn h2_echo(extended: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(|request| async move {
            assert_eq!(request.extensions().get::<hyper::ext::Protocol>().unwrap().as_str(), "websocket");
            tokio::task::spawn_local(async move {
                let upgraded = hyper::upgrade::on(request).await.unwrap();
                let (mut from, mut to) = tokio::io::split(hyper_util::rt::TokioIo::new(upgraded));
                tokio::io::copy(&mut from, &mut to).await.unwrap_or_default();
            });
            Ok::<_, Infallible>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
        });
        let mut builder = hyper::server::conn::http2::Builder::new(Local);
        if extended {
            builder.enable_connect_protocol();
        }
        // Ends when the test does.
        builder.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await.unwrap_or_default();
    });
    format!("h2c://{address}")
}

#[test]
fn a_server_of_http_2_is_asked_by_extended_connect() {
    on_worker(async {
        let bench = Bench::new(vec![server(h2_echo(true).await)]);
        let head = echoed(&bench, "websocket").await.unwrap();
        assert_eq!(head.status, StatusCode::SWITCHING_PROTOCOLS);
        // RFC 6455 section 1.3 has this key and its answer.
        assert_eq!(
            head.headers.named("sec-websocket-accept").next().unwrap(),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(head.headers.named("upgrade").next().unwrap(), "websocket");
        let bench = Bench::new(vec![server(h2_echo(false).await)]);
        assert_eq!(echoed(&bench, "websocket").await.unwrap_err(), ErrorKind::UpgradeFailed);
    });
}

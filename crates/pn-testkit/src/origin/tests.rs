//! The kit's two ends against each other: every kind of origin, asked by the kit's own clients.

use std::time::Duration;

use http::Version;

use super::Origin;
use crate::certificates::{Authority, Lifetime};
use crate::folder::Folder;
use crate::raw::{End, RawClient};
use crate::session::{Session, request};
use crate::tls::TlsOptions;
use crate::tools::curl;
use crate::wait::wait_until;

const NAME: &str = "a.test";

#[test]
fn each_protocol_is_spoken() {
    let authority = Authority::new();
    let (server, client) = (authority.server(&[NAME]), authority.client("tester"));
    let trusting = TlsOptions::trusting(&authority).alpn(&["h2", "http/1.1"]);
    let rows: [(&str, Origin, fn(&Origin, &TlsOptions) -> Session, TlsOptions, Version); 6] = [
        (
            "http1",
            Origin::http1(),
            |origin, _| Session::http1(origin.addr()),
            trusting.clone(),
            Version::HTTP_11,
        ),
        ("h2c", Origin::h2c(), |origin, _| Session::h2c(origin.addr()), trusting.clone(), Version::HTTP_2),
        ("h2", Origin::tls(&server), by_tls, trusting.clone(), Version::HTTP_2),
        ("https", Origin::tls(&server), by_tls, TlsOptions::trusting(&authority), Version::HTTP_11),
        ("tls 1.2", Origin::tls(&server), by_tls, trusting.clone().only_tls12(), Version::HTTP_2),
        (
            "mutual",
            Origin::setup().mutual_tls(&server, &authority),
            by_tls,
            trusting.identity(&client),
            Version::HTTP_2,
        ),
    ];
    for (row, origin, open, options, version) in rows {
        let mut session = open(&origin, &options);
        let told = session.send(request("POST", NAME, "/a?b=c").map(|_| "hello".into())).json();
        assert_eq!(session.version(), version, "{row}");
        assert_eq!(
            (told["target"].as_str(), told["authority"].as_str()),
            (Some("/a?b=c"), Some(NAME)),
            "{row}"
        );
        assert_eq!(told["body_length"], 5, "{row}");
        let hash = told["body_sha256"].as_str().unwrap();
        assert!(hash.starts_with("2cf24dba5fb0a30e"), "{row}: {hash}");
        assert_eq!(
            (origin.last().body.as_ref(), origin.last().complete),
            (b"hello".as_slice(), true),
            "{row}"
        );
    }
}

#[test]
fn certificates_are_checked() {
    let (authority, other) = (Authority::new(), Authority::named("Other"));
    let trusting = TlsOptions::trusting(&authority);
    let rows = [
        ("good", authority.server(&[NAME]), trusting.clone(), true),
        ("rsa", authority.server_rsa(&[NAME]), trusting.clone(), true),
        ("another name", authority.server(&["b.test"]), trusting.clone(), false),
        ("expired", authority.server_valid(&[NAME], Lifetime::Expired), trusting.clone(), false),
        ("not yet", authority.server_valid(&[NAME], Lifetime::NotYet), trusting.clone(), false),
        ("another authority", other.server(&[NAME]), trusting, false),
        ("anyone", other.server(&["b.test"]), TlsOptions::trusting_anyone(), true),
    ];
    for (row, identity, options, expected) in rows {
        let origin = Origin::tls(&identity);
        let connected = RawClient::try_connect_tls(origin.addr(), NAME, &options);
        assert_eq!(connected.is_ok(), expected, "{row}: {:?}", connected.err());
    }
}

#[test]
fn a_client_without_a_certificate_is_told_by_an_alert() {
    let authority = Authority::new();
    let origin = Origin::setup().mutual_tls(&authority.server(&[NAME]), &authority);
    let options = TlsOptions::trusting(&authority).only_tls13();
    let mut client = RawClient::connect_tls(origin.addr(), NAME, &options);
    let (end, _) = client.end();
    assert!(matches!(&end, End::Tls(alert) if alert.contains("CertificateRequired")), "{end:?}");
}

#[test]
fn answers_differ_by_path() {
    let origin = Origin::setup().name("blue").http1();
    let mut session = Session::http1(origin.addr());
    let rows = [
        ("/status/404", 404, "as asked\n"),
        ("/status/204", 204, ""),
        ("/bytes/3", 200, "xxx"),
        ("/chunked/2", 200, "chunk 0\nchunk 1\n"),
        ("/sse/1", 200, "id: 0\ndata: event 0\n\n"),
    ];
    for (path, status, body) in rows {
        let reply = session.get(NAME, path);
        assert_eq!(
            (reply.status, reply.text().as_str(), reply.header("x-origin")),
            (status, body, "blue"),
            "{path}"
        );
    }
    origin.fail_with(Some(503));
    assert_eq!(session.get(NAME, "/bytes/3").status, 503);
    origin.fail_with(None);
    assert_eq!(session.get(NAME, "/bytes/3").status, 200);
    assert_eq!((origin.connections(), origin.requests().len()), (1, 7));
}

#[test]
fn trailers_pass_over_http2_and_chunks() {
    let origin = Origin::h2c();
    assert_eq!(Session::h2c(origin.addr()).get(NAME, "/chunked/2").trailers["x-count"], "2");
    let origin = Origin::http1();
    let head = "GET /chunked/2 HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
    let response = RawClient::ask(origin.addr(), head);
    assert_eq!(response.trailers, [("x-count".to_owned(), "2".to_owned())]);
}

#[test]
fn an_upgraded_connection_echoes() {
    let origin = Origin::http1();
    let mut client = RawClient::connect(origin.addr());
    client.send("GET /upgrade HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.response().status, 101);
    assert_eq!(client.send("any bytes").read(9), b"any bytes");
    assert_eq!(client.close_write().end(), (End::Closed, Vec::new()));
}

#[test]
fn who_reads_slowly_slows_the_origin() {
    let origin = Origin::http1();
    let mut client = RawClient::connect(origin.addr());
    client.small_window().send("GET /endless HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.read_until("\r\n\r\n");
    let mut before = 0;
    wait_until("the origin to stand still", || {
        let (last, now) = (before, origin.sent());
        before = now;
        std::thread::sleep(Duration::from_millis(200));
        now > 0 && now == last
    });
    drop(client);
    wait_until("the connection to end", || origin.open_connections() == 0);
}

#[test]
fn a_unix_socket_answers() {
    let folder = Folder::new();
    let path = folder.join("origin.sock");
    let origin = Origin::unix(&path);
    curl(&["--unix-socket", &path.display().to_string(), "http://a.test/x"]).expect_success();
    assert_eq!(origin.last().target, "/x");
}

#[test]
fn dropping_frees_the_port() {
    let origin = Origin::http1();
    let address = origin.addr();
    let mut session = Session::http1(address);
    session.get(NAME, "/");
    drop(origin);
    wait_until("the connection to close", || session.is_closed());
    let again = Origin::setup().port(address.port()).http1();
    assert_eq!(Session::http1(again.addr()).get(NAME, "/").status, 200);
}

fn by_tls(origin: &Origin, options: &TlsOptions) -> Session {
    Session::tls(origin.addr(), NAME, options)
}

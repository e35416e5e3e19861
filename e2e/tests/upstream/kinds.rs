//! Every way to speak to a server: HTTP/1.1 and HTTP/2, with and without TLS, by socket and by port.

use pn_testkit::{Authority, Folder, Origin, RawClient, Session, curl, h2, request};

use crate::rig::{self, HOST};

/// How a server is spoken to: its URL, the transport, and the version that it must see.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) origin: Origin,
    pub(crate) url: String,
    pub(crate) transport: String,
    pub(crate) version: &'static str,
}

fn kind(name: &'static str, origin: Origin, scheme: &str, transport: &str, version: &'static str) -> Kind {
    let url = format!("{scheme}://{}", origin.addr());
    Kind { name, origin, url, transport: transport.to_owned(), version }
}

pub(crate) fn kinds(folder: &Folder, authority: &Authority) -> Vec<Kind> {
    let server = authority.server(&["127.0.0.1"]);
    let named = authority.server(&["app.internal"]);
    let client = authority.client("proxy");
    let roots = format!("roots = [{:?}]", authority.root().display().to_string());
    let with = |more: &str| format!("{roots}, {more}");
    let shown = with(&format!(
        "client-certificate = {{ cert = {:?}, key = {:?} }}",
        client.certificate.display().to_string(),
        client.key.display().to_string()
    ));
    let both = || Origin::tls(&server);
    let socket = folder.join("origin.sock");
    let unix = Origin::unix(&socket);
    let mut kinds = vec![
        kind("http", Origin::http1(), "http", "", "HTTP/1.1"),
        kind("h2c", Origin::h2c(), "h2c", "", "HTTP/2.0"),
        kind("http with protocol h2c", Origin::h2c(), "http", "protocol = \"h2c\"", "HTTP/2.0"),
        kind("https by ALPN", both(), "https", &roots, "HTTP/2.0"),
        kind("https of HTTP/1.1", Origin::setup().tls(&server, &["http/1.1"]), "https", &roots, "HTTP/1.1"),
        kind("https without ALPN", Origin::setup().tls(&server, &[]), "https", &roots, "HTTP/1.1"),
        kind("https with protocol h1", both(), "https", &with("protocol = \"h1\""), "HTTP/1.1"),
        kind("https with protocol h2", both(), "https", &with("protocol = \"h2\""), "HTTP/2.0"),
        kind("unchecked", Origin::tls(&named), "https", "insecure-skip-verify = true", "HTTP/2.0"),
        kind("a name", Origin::tls(&named), "https", &with("server-name = \"app.internal\""), "HTTP/2.0"),
        kind("mutual TLS", Origin::setup().mutual_tls(&server, authority), "https", &shown, "HTTP/2.0"),
        kind(
            "mutual of HTTP/1.1",
            Origin::setup().mutual_tls(&server, authority),
            "https",
            &format!("{shown}, protocol = \"h1\""),
            "HTTP/1.1",
        ),
    ];
    let url = format!("unix:{}", socket.display());
    kinds.push(Kind { name: "unix", origin: unix, url, transport: String::new(), version: "HTTP/1.1" });
    kinds
}

#[test]
fn requests_and_responses_pass_whole_over_every_kind() {
    let (folder, authority) = (Folder::new(), Authority::new());
    for Kind { name, origin, url, transport, version } in kinds(&folder, &authority) {
        let proxy = rig::start(&format!("servers = [{url:?}]\ntransport = {{ {transport} }}"));
        let mut session = Session::http1(proxy.addr("web"));
        let body = vec![b'x'; 1 << 20];
        let told = session.send(request("POST", HOST, "/a/b?c=d").map(|_| body.into())).json();
        assert_eq!(
            (told["method"].as_str(), told["target"].as_str()),
            (Some("POST"), Some("/a/b?c=d")),
            "{name}"
        );
        assert_eq!(
            (told["version"].as_str(), told["authority"].as_str()),
            (Some(version), Some(HOST)),
            "{name}"
        );
        // Of 2^20 times `x`.
        assert_eq!(told["body_length"], 1 << 20, "{name}");
        let seen = origin.last();
        assert!(seen.complete && seen.body.iter().all(|byte| *byte == b'x'), "{name}");

        let rows = [
            ("/bytes/1048576", 200, 1 << 20),
            ("/status/204", 204, 0),
            ("/status/304", 304, 0),
            ("/bytes/0", 200, 0),
        ];
        for (path, status, length) in rows {
            let reply = session.get(HOST, path);
            assert_eq!((reply.status, reply.body.len()), (status, length), "{name} {path}");
        }
        let head = session.send(request("HEAD", HOST, "/bytes/77"));
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "77", 0), "{name}");
        assert_eq!(session.get(HOST, "/chunked/3").text(), "chunk 0\nchunk 1\nchunk 2\n", "{name}");
        assert_eq!(origin.connections(), 1, "{name} was dialled for every request");
    }
}

#[test]
fn a_connection_serves_on_after_requests_with_bodies() {
    // What stands between client and server: nothing, and something that looks at bodies.
    for middle in ["", "use = [\"limit\"]\n[middlewares.limit]\nbody-limit = \"1MiB\""] {
        let origin = Origin::http1();
        let proxy = rig::start(&format!("servers = [{:?}]\n{middle}", rig::url(&origin)));
        let (mut first, mut second) = (Session::http1(proxy.addr("web")), Session::h2c(proxy.addr("web")));
        let mut chunked = RawClient::connect(proxy.addr("web"));
        for length in [1, 100, 70_000] {
            for session in [&mut first, &mut second] {
                let told = session.send(request("POST", HOST, "/").map(|_| vec![b'x'; length].into())).json();
                assert_eq!(told["body_length"], length, "{middle}");
            }
            let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
            let body = format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
            assert_eq!(chunked.send(head + &body).response().json()["body_length"], length, "{middle}");
        }
        assert_eq!(origin.connections(), 1, "{middle}");
    }
}

#[test]
fn a_connection_serves_on_whatever_way_the_body_came() {
    let body = "x".repeat(2000);
    let file = Folder::new();
    let upload = format!("@{}", file.write("upload", body.repeat(1000)).display());
    let rows: [&[&str]; 7] = [
        &["-d", &body],
        &["-d", &body, "-H", "Transfer-Encoding: chunked"],
        &["-d", &body, "-H", "Expect: 100-continue"],
        &["--data-binary", &upload],
        &["--http2-prior-knowledge", "-d", &body],
        &["--http2-prior-knowledge", "--data-binary", &upload],
        &["-X", "PUT", "-d", &body],
    ];
    for arguments in rows {
        let origin = Origin::http1();
        let proxy = rig::start(&format!("servers = [{:?}]", rig::url(&origin)));
        let url = format!("http://{}/", proxy.addr("web"));
        let host = ["-f", "-H", "Host: app.test"];
        for _ in 0..3 {
            curl(&[&host, arguments, &[&url]].concat()).expect_success();
        }
        let told = (origin.connections(), origin.requests().len());
        assert_eq!(told, (1, 3), "{:?}", arguments.iter().filter(|one| one.len() < 100).collect::<Vec<_>>());
    }
}

#[test]
fn a_connection_serves_on_when_the_end_of_a_stream_comes_by_itself() {
    let origin = Origin::http1();
    let proxy = rig::start(&format!("servers = [{:?}]", rig::url(&origin)));
    let mut client = RawClient::connect(proxy.addr("web"));
    client.send(h2::greeting());
    for (number, late, body) in [
        (1, false, "body"),
        (3, false, "body"),
        (5, true, "body"),
        (7, true, "body"),
        (9, false, ""),
        (11, true, ""),
    ] {
        let head = h2::header_block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", HOST),
            (":path", "/"),
            ("content-length", &body.len().to_string()),
        ]);
        client.send(h2::frame(h2::HEADERS, h2::END_HEADERS, number, head));
        client.send(h2::frame(h2::DATA, 0, number, body));
        let end = h2::frame(h2::DATA, h2::END_STREAM, number, "");
        if !late {
            client.send(&end);
        }
        assert_eq!(h2::read_frame_of(&mut client, h2::HEADERS).stream, number);
        if late {
            client.send(&end);
        }
        while h2::read_frame_of(&mut client, h2::DATA).flags & h2::END_STREAM == 0 {}
    }
    assert_eq!((origin.connections(), origin.requests().len()), (1, 6));
}

#[test]
fn trailers_pass_from_every_kind_to_clients_that_take_them() {
    let (folder, authority) = (Folder::new(), Authority::new());
    for Kind { name, origin: _origin, url, transport, .. } in kinds(&folder, &authority) {
        let proxy = rig::start(&format!("servers = [{url:?}]\ntransport = {{ {transport} }}"));
        let mut asked = request("GET", HOST, "/chunked/2");
        asked.headers_mut().insert("te", "trailers".parse().expect("a field's value"));
        let reply = Session::h2c(proxy.addr("web")).send(asked);
        assert_eq!(
            reply.trailers.get("x-count").map(|value| value.as_bytes()),
            Some(b"2".as_slice()),
            "{name}"
        );
    }
}

#[test]
fn the_host_is_the_one_that_the_service_says() {
    for (setting, expected) in [("preserve", HOST), ("server", ""), ("other.test", "other.test")] {
        for (origin, scheme) in [(Origin::http1(), "http"), (Origin::h2c(), "h2c")] {
            let url = format!("{scheme}://{}", origin.addr());
            let proxy = rig::start(&format!("servers = [{url:?}]\nhost-header = {setting:?}"));
            assert_eq!(rig::get(&proxy, "/").status, 200);
            let expected = if expected.is_empty() { origin.addr().to_string() } else { expected.to_owned() };
            assert_eq!(origin.last().authority, expected, "{scheme} {setting}");
        }
    }
}

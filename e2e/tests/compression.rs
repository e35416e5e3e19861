//! Compression that a real client undoes, over every protocol. What is bounded or refused is in `limits`.

use bytes::Bytes;
use http::Response;
use pn_testkit::{Origin, Proxy, RawClient, RawOrigin, Session, curl, request};
use proxy_now_e2e::{Front, LISTENERS};

/// A site of a library behind compression.
fn behind(library: std::net::SocketAddr) -> String {
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[sites.\"app.test\"]\nhttps = \"off\"\n\
         use = [\"door\"]\nto = \"http://{library}\"\n[middlewares.door]\ncompress = {{}}\n"
    )
}

/// What compresses well, and is not the same everywhere.
fn text(length: usize) -> String {
    (0..)
        .map(|number| format!("line {number} of a page that is long enough\n"))
        .flat_map(|line| line.into_bytes())
        .take(length)
        .map(char::from)
        .collect()
}

/// `/TYPE/SUBTYPE/LENGTH`, with an ETag; `?coded` says that it is encoded already.
fn library() -> Origin {
    Origin::setup()
        .answer(|request| {
            let path = request.uri().path().trim_start_matches('/').to_owned();
            let (kind, length) = path.rsplit_once('/')?;
            let mut response = Response::builder().header("content-type", kind).header("etag", "\"strong\"");
            if request.uri().query() == Some("coded") {
                response = response.header("content-encoding", "x-own");
            }
            response.body(Bytes::from(text(length.parse().ok()?))).ok()
        })
        .http1()
}

#[test]
fn curl_undoes_every_encoding_over_every_protocol() {
    let (front, library) = (Front::new(), library());
    let config = format!(
        "{LISTENERS}[sites.\"app.test\"]\nuse = [\"squeeze\"]\nto = \"http://{}\"\n[middlewares.squeeze]\ncompress = {{}}\n",
        library.addr()
    );
    let proxy = front.setup(&["app.test"]).start(&config);
    let body = proxy.folder().join("body");
    let file = body.display().to_string();
    let rows: [(&str, &[&str], &str); 10] = [
        ("/text/html/100000", &["-H", "Accept-Encoding: gzip"], "gzip"),
        ("/text/html/100000", &["-H", "Accept-Encoding: br"], "br"),
        ("/text/html/100000", &["-H", "Accept-Encoding: zstd"], "zstd"),
        ("/application/json/20000000", &[], "zstd"),
        ("/text/html/100000", &["-H", "Accept-Encoding: gzip;q=1, br;q=0.5"], "gzip"),
        ("/text/html/100000", &["-H", "Accept-Encoding: identity"], ""),
        ("/text/html/100", &[], ""),
        ("/image/png/100000", &[], ""),
        ("/text/html/0", &[], ""),
        ("/text/html/100000", &["-H", "Accept-Encoding: deflate"], ""),
    ];
    for (listener, version) in
        [("web", "--http1.1"), ("web", "--http2-prior-knowledge"), ("secure", "--http2")]
    {
        for (path, arguments, coding) in rows {
            let told = "%{http_code} %header{content-encoding}|%header{vary}|%header{etag}|%{size_download}";
            let mut all = vec!["--compressed", version, "-o", &*file, "-w", told];
            all.extend(arguments);
            let place = front.curl(&proxy, listener, "app.test", path);
            all.extend(place.iter().map(String::as_str));
            let out = curl(&all).expect_success();
            let what = format!("{version} {path} {arguments:?}: {out}");
            let length: usize =
                path.rsplit('/').next().and_then(|length| length.parse().ok()).expect("a length");
            let came = std::fs::read(&body).unwrap_or_default();
            assert!(came == text(length).as_bytes(), "{what}: {} bytes came", came.len());
            let fields: Vec<&str> = out.split('|').collect();
            assert_eq!(fields[0], format!("200 {coding}"), "{what}");
            assert_eq!(fields[2], if coding.is_empty() { "\"strong\"" } else { "W/\"strong\"" }, "{what}");
            assert!(coding.is_empty() || fields[1].eq_ignore_ascii_case("accept-encoding"), "{what}");
            let size: usize = fields[3].parse().expect("a size");
            assert!(if coding.is_empty() { size == length } else { size < length / 4 }, "{what}");
            std::fs::remove_file(&body).ok();
        }
    }
}

/// `min-size` is one bound for all: a body without a length is looked at before its head goes out.
#[test]
fn a_small_response_of_unknown_length_is_not_encoded() {
    let chunked = |length: usize| {
        let body = text(length);
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n\
             {length:x}\r\n{body}\r\n0\r\n\r\n"
        )
    };
    for (length, coding) in [(500, ""), (5_000, "gzip")] {
        let origin = RawOrigin::answering(chunked(length));
        let config = behind(origin.addr());
        let proxy = Proxy::start(&config);
        let ask = "GET / HTTP/1.1\r\nhost: app.test\r\naccept-encoding: gzip\r\n\r\n";
        let response = RawClient::ask(proxy.addr("web"), ask);
        assert_eq!((response.status, response.header("content-encoding")), (200, coding), "{length}");
        if coding.is_empty() {
            assert_eq!(response.text(), text(length));
        }
    }
}

#[test]
fn what_is_encoded_already_or_has_no_body_stays_as_it_is() {
    let library = library();
    let config = behind(library.addr());
    let proxy = Proxy::start(&config);
    let mut coded = request("GET", "app.test", "/text/html/5000?coded");
    coded.headers_mut().insert("accept-encoding", "gzip".parse().expect("a value"));
    let reply = Session::http1(proxy.addr("web")).send(coded);
    assert_eq!((reply.header("content-encoding"), reply.text()), ("x-own", text(5000)));
    let mut client = RawClient::connect(proxy.addr("web"));
    let head = "HEAD /text/html/5000 HTTP/1.1\r\nHost: app.test\r\nAccept-Encoding: gzip\r\n\r\n";
    assert_eq!(client.send(head).response_to_head().status, 200);
    assert_eq!(client.send("GET /text/html/5 HTTP/1.1\r\nHost: app.test\r\n\r\n").response().text(), text(5));
}

//! Servers that others wrote: what they answer is the same through the proxy as when they are asked directly.

use std::net::SocketAddr;
use std::process::Command;

use pn_testkit::{
    Folder, Nginx, Origin, Peer, Reply, Session, curl, find_program, free_port, request, wait_until,
};

use crate::rig::{self, HOST};

/// Fields that belong to one connection or one moment, or that the proxy itself adds.
const OWN: [&str; 5] = ["date", "connection", "keep-alive", "transfer-encoding", "server"];

/// A request: method, path, fields.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn send(address: SocketAddr, (method, path, fields): &Asked<'_>) -> Reply {
    let mut asked = request(method, HOST, path);
    for (name, value) in *fields {
        let name: http::HeaderName = name.parse().expect("a field's name");
        asked.headers_mut().insert(name, value.parse().expect("a field's value"));
    }
    Session::http1(address).send(asked)
}

fn fields(reply: &Reply) -> Vec<(String, String)> {
    let all = reply
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut all: Vec<_> = all.filter(|(name, _)| !OWN.contains(&name.as_str())).collect();
    all.sort();
    all
}

/// Asks the server itself and then through the proxy.
#[track_caller]
fn same(server: SocketAddr, proxy: SocketAddr, asked: &Asked<'_>, status: u16) {
    let (direct, proxied) = (send(server, asked), send(proxy, asked));
    assert_eq!((direct.status, proxied.status), (status, status), "{asked:?}");
    assert_eq!(fields(&proxied), fields(&direct), "{asked:?}");
    assert!(proxied.body == direct.body, "{asked:?}: {} and {} bytes", direct.body.len(), proxied.body.len());
    assert_eq!(proxied.header("server"), direct.header("server"), "{asked:?}");
}

/// A MiB in which every place is told from every other.
fn mebibyte() -> Vec<u8> {
    (0u32..1 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[test]
fn nginx() {
    let folder = Folder::new();
    folder.write("site/large.bin", mebibyte());
    folder.write("site/text.txt", "lorem ipsum ".repeat(500));
    let nginx = Nginx::start_in(
        folder,
        r#"
        types { text/plain txt; application/octet-stream bin; }
        server {
            listen 127.0.0.1:<port>;
            root <dir>/site;
            gzip on; gzip_proxied any; gzip_types text/plain; gzip_min_length 10;
            client_body_buffer_size 2m; client_max_body_size 2m;
            location = /none { return 204; }
            location = /moved { return 301 https://elsewhere.test/; }
            location = /gone { return 410 gone; }
            location = /limited { limit_except GET { deny all; } }
        }
        "#,
    );
    let url = format!("http://{}", nginx.addr());
    let proxy = rig::start(&format!("servers = [{url:?}]\nhost-header = \"preserve\""));
    let modified = send(nginx.addr(), &("HEAD", "/large.bin", &[]));
    let (etag, date) = (modified.header("etag"), modified.header("last-modified"));
    let rows: [(Asked<'_>, u16); 18] = [
        (("GET", "/large.bin", &[]), 200),
        (("HEAD", "/large.bin", &[]), 200),
        (("GET", "/large.bin", &[("range", "bytes=0-99")]), 206),
        (("GET", "/large.bin", &[("range", "bytes=-100")]), 206),
        (("GET", "/large.bin", &[("range", "bytes=1000000-")]), 206),
        (("HEAD", "/large.bin", &[("range", "bytes=5-9")]), 206),
        (("GET", "/large.bin", &[("range", "bytes=9999999-")]), 416),
        (("GET", "/large.bin", &[("if-none-match", etag)]), 304),
        (("GET", "/large.bin", &[("if-modified-since", date)]), 304),
        (("HEAD", "/large.bin", &[("if-none-match", etag)]), 304),
        (("GET", "/large.bin", &[("if-match", "\"other\"")]), 412),
        // Compressed as it is sent, so that its length is not known: chunked.
        (("GET", "/text.txt", &[("accept-encoding", "gzip")]), 200),
        (("GET", "/text.txt", &[]), 200),
        (("GET", "/none", &[]), 204),
        (("HEAD", "/none", &[]), 204),
        (("GET", "/moved", &[]), 301),
        (("GET", "/gone", &[]), 410),
        (("GET", "/no-such-file", &[]), 404),
    ];
    for (asked, status) in rows {
        same(nginx.addr(), proxy.addr("web"), &asked, status);
    }
    assert_eq!(send(proxy.addr("web"), &("GET", "/large.bin", &[])).body, mebibyte());
    let compressed = send(proxy.addr("web"), &("GET", "/text.txt", &[("accept-encoding", "gzip")]));
    assert_eq!(compressed.header("content-encoding"), "gzip");
    // Several ranges at once: the boundary differs from answer to answer, its length does not.
    let ranges: Asked<'_> = ("GET", "/large.bin", &[("range", "bytes=0-9,20-29")]);
    let (direct, proxied) = (send(nginx.addr(), &ranges), send(proxy.addr("web"), &ranges));
    assert_eq!((direct.status, direct.body.len()), (proxied.status, proxied.body.len()));
    assert_eq!(proxied.status, 206);
}

fn start(name: &str, command: &mut Command, address: SocketAddr) -> Peer {
    let peer = Peer::start(name, command);
    peer.wait_for_port(address);
    peer
}

#[test]
fn pythons_http_server_which_speaks_http_1_0() {
    let folder = Folder::new();
    folder.write("large.bin", mebibyte());
    folder.write("index.html", "<p>hello</p>");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = Command::new(find_program("python3"));
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &address.port().to_string(), "--directory"]);
    let _peer = start("http.server", command.arg(folder.path()), address);
    let proxy = rig::start(&format!("servers = [\"http://{address}\"]"));
    let date = send(address, &("HEAD", "/large.bin", &[])).header("last-modified").to_owned();
    let rows: [(Asked<'_>, u16); 6] = [
        (("GET", "/", &[]), 200),
        (("GET", "/large.bin", &[]), 200),
        (("HEAD", "/large.bin", &[]), 200),
        (("GET", "/large.bin", &[("if-modified-since", &date)]), 304),
        (("GET", "/none", &[]), 404),
        (("DELETE", "/", &[]), 501),
    ];
    for (asked, status) in rows {
        same(address, proxy.addr("web"), &asked, status);
    }
    // The client's connection lives on though the server closes each of its own.
    let mut session = Session::http1(proxy.addr("web"));
    for _ in 0..3 {
        assert_eq!(session.get(HOST, "/").text(), "<p>hello</p>");
    }
}

const NODE: &str = r#"
const http = require("node:http");
http.createServer({ keepAliveTimeout: 300 }, (asked, answer) => {
  if (asked.url === "/stream") {
    answer.writeHead(200, asked.method === "GET" ? { trailer: "x-sum" } : {});
    for (let i = 0; i < 100; i++) answer.write(`line ${i}\n`);
    if (asked.method === "GET") answer.addTrailers({ "x-sum": "100" });
    answer.end();
  } else if (asked.url === "/hints") {
    answer.writeEarlyHints({ link: "</a.css>; rel=preload" });
    answer.end("hinted");
  } else {
    const parts = [];
    asked.on("data", part => parts.push(part));
    asked.on("end", () => answer.writeHead(200, { "set-cookie": ["a=1", "b=2"], "x-method": asked.method }).end(Buffer.concat(parts)));
  }
}).listen(Number(process.argv[1]), "127.0.0.1");
"#;

#[test]
fn node_where_it_is_installed() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("node"));
    let Some(node) = programs.find(|path| path.is_file()) else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let _peer = start("node", Command::new(node).args(["-e", NODE, &address.port().to_string()]), address);
    let proxy = rig::start(&format!("servers = [\"http://{address}\"]"));
    let rows: [(Asked<'_>, u16); 5] = [
        (("GET", "/stream", &[]), 200),
        (("HEAD", "/stream", &[]), 200),
        (("GET", "/hints", &[]), 200),
        (("GET", "/", &[]), 200),
        (("PATCH", "/x?y", &[]), 200),
    ];
    for (asked, status) in &rows {
        same(address, proxy.addr("web"), asked, *status);
    }
    let url = format!("http://{}/hints", proxy.addr("web"));
    let hinted = curl(&["-i", "-H", &format!("Host: {HOST}"), &url]).expect_success();
    let (hint, answer) = hinted.split_once("\r\n\r\n").unwrap_or_default();
    assert!(hint.starts_with("HTTP/1.1 103 ") && hint.contains("link: </a.css>; rel=preload"), "{hinted}");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hinted"), "{hinted}");
    let mut session = Session::http1(proxy.addr("web"));
    let echoed = session.send(request("POST", HOST, "/").map(|_| mebibyte().into()));
    assert!(echoed.body == mebibyte() && echoed.header("x-method") == "POST", "{:?}", echoed.headers);
    // It closes what has been idle for a while, again and again while requests come: none of them may fail.
    let mut before = 0;
    wait_until("connections that were closed between two requests", || {
        before += 1;
        std::thread::sleep(std::time::Duration::from_millis(if before % 2 == 0 { 290 } else { 310 }));
        assert_eq!(session.get(HOST, "/").status, 200, "request {before}");
        before == 12
    });
}

#[test]
fn a_server_that_comes_back_is_used_again() {
    let origin = Origin::http1();
    let port = origin.addr().port();
    let proxy = rig::start(&format!("servers = [{:?}]", rig::url(&origin)));
    assert_eq!(rig::get(&proxy, "/").status, 200);
    drop(origin);
    assert_eq!(rig::get(&proxy, "/").status, 502);
    let origin = Origin::setup().port(port).http1();
    assert_eq!(rig::get(&proxy, "/").status, 200);
    assert_eq!(origin.requests().len(), 1);
}

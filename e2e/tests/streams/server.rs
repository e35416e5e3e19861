//! A real server behind the proxy, a real client before it: every kind of body and of none.

use std::process::Command;

use pn_testkit::{Folder, Nginx, PATIENCE, Peer, Session, curl, find_program};

use crate::front;

/// nginx that keeps what is put, refuses more than a megabyte under `/small/`, and knows 204, 304 and ranges.
fn nginx() -> Nginx {
    let folder = Folder::new();
    folder.write("root/page.txt", "0123456789".repeat(1000));
    Nginx::start_in(
        folder,
        "server { listen 127.0.0.1:<port>; root <dir>/root; client_max_body_size 0; \
         location / { dav_methods PUT DELETE; create_full_put_path on; } \
         location /small/ { client_max_body_size 1m; dav_methods PUT; } \
         location /none { return 204; } }",
    )
}

#[test]
fn nginx_behind_the_proxy_answers_curl_as_it_does_without() {
    let nginx = nginx();
    let (front, proxy) = front("app.test", &format!("to = \"http://{}\"", nginx.addr()));
    let etag = Session::http1(nginx.addr()).get("app.test", "/page.txt").header("etag").to_owned();
    let known = format!("If-None-Match: {etag}");
    let ask = ["-o", "<body>", "-w", "%{http_code} %{size_download} %header{content-length}"];
    let rows: [(&str, &[&str], &str); 6] = [
        ("/page.txt", &[], "200 10000 10000"),
        ("/page.txt", &["--head"], "200 0 10000"),
        ("/page.txt", &["-H", &known], "304 0 "),
        ("/page.txt", &["-r", "0-9"], "206 10 10"),
        ("/page.txt", &["-r", "99999-"], "416 "),
        ("/none", &[], "204 0 "),
    ];
    for (listener, version) in FRONTS {
        for (path, arguments, expected) in rows {
            let body = proxy.folder().join("body").display().to_string();
            let place = front.curl(&proxy, listener, "app.test", path);
            let mut all: Vec<&str> =
                ask.iter().map(|word| if *word == "<body>" { &*body } else { word }).collect();
            all.push(version);
            all.extend(arguments);
            all.extend(place.iter().map(String::as_str));
            let out = curl(&all).expect_success();
            assert!(out.starts_with(expected), "{listener} {version} {path} {arguments:?}: {out:?}");
        }
    }
}

/// A listener and how curl is told the version of HTTP.
const FRONTS: [(&str, &str); 4] = [
    ("web", "--http1.1"),
    ("web", "--http2-prior-knowledge"),
    ("secure", "--http1.1"),
    ("secure", "--http2"),
];

#[test]
fn an_upload_to_nginx_is_kept_byte_for_byte() {
    let nginx = nginx();
    let (front, proxy) = front("app.test", &format!("to = \"http://{}\"", nginx.addr()));
    let content = noise(5_000_000);
    let file = proxy.folder().write("content", &content).display().to_string();
    let framings = ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"];
    for (number, (listener, version)) in FRONTS.into_iter().enumerate() {
        for (row, field) in framings.into_iter().enumerate() {
            let name = format!("kept-{number}-{row}");
            let mut all = vec!["-T", &*file, version, "-H", field, "-o", "/dev/null", "-w", "%{http_code}"];
            let place = front.curl(&proxy, listener, "app.test", &format!("/{name}"));
            all.extend(place.iter().map(String::as_str));
            assert_eq!(curl(&all).expect_success(), "201", "{listener} {version} {field}");
            let kept = std::fs::read(nginx.folder().join(&format!("root/{name}"))).expect("what was put");
            assert!(kept == content, "{listener} {version} {field}: other bytes were kept");
        }
    }
}

#[test]
fn an_upload_that_nginx_refuses_is_refused_in_words() {
    let nginx = nginx();
    let (front, proxy) = front("app.test", &format!("to = \"http://{}\"", nginx.addr()));
    let file = proxy.folder().write("content", noise(5_000_000)).display().to_string();
    let place = front.curl(&proxy, "web", "app.test", "/small/a");
    for field in ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"] {
        let mut all = vec!["-T", &*file, "--http1.1", "-H", field, "-o", "/dev/null", "-w", "%{http_code}"];
        all.extend(place.iter().map(String::as_str));
        let refused = curl(&all);
        assert!(refused.stdout.ends_with("413"), "{field}: {refused:?}");
        if field.starts_with('T') {
            continue;
        }
        // Not curl: old ones lose the answer when the stream ends while they wait for its window to open.
        let mut command = Command::new(find_program("nghttp"));
        command.args([
            "-v",
            "-n",
            "-t",
            "20",
            "-d",
            &file,
            "-H",
            ":method: PUT",
            "-H",
            ":authority: app.test",
        ]);
        command.args(["-H", if field == "Expect:" { "x-a: b" } else { "expect: 100-continue" }]);
        command.arg(format!("http://{}/small/a", proxy.addr("web")));
        let refused = Peer::run("nghttp", &command, PATIENCE).expect_success();
        assert!(refused.contains(":status: 413"), "{field}: {refused}");
    }
}

/// Bytes without a pattern that a mix-up of pieces would keep.
fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

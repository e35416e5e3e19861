//! The access log: its fields, and its rotation.

use std::path::Path;

use pn_testkit::{
    Origin, PATIENCE, Proxy, RawClient, Reply, Session, Signal, python, python_server, request, wait_for,
    wait_until,
};
use proxy_now_e2e::{Front, LISTENERS};
use serde_json::Value;

use crate::WEB;

/// The lines of a log, each of which is an object.
#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[track_caller]
fn wait_for_lines(path: &Path, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} lines in {}", path.display()), || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        (text.lines().count() >= count && text.ends_with('\n')).then(|| lines(path))
    })
}

#[test]
fn the_access_log_tells_every_exchange_by_its_fields() {
    let (front, origin) = (Front::new(), Origin::http1());
    let config = format!(
        "{LISTENERS}[logs]\naccess = {{ file = \"access.json\", headers = [\"user-agent\", \"authorization\"] }}\n\
         [sites.\"app.test\"]\nto = \"app\"\nroutes.\"/door\" = {{ use = [\"door\"], to = \"app\" }}\n\
         routes.\"/gone\" = {{ to = \"http://127.0.0.1:<port:nobody>\" }}\n[services.app]\nservers = [\"http://{}\"]\n\
         [middlewares.door]\nbasic-auth = {{ users = [\"bob:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\"] }}\n",
        origin.addr()
    );
    let proxy = front.setup(&["app.test"]).start(&config);
    let log = proxy.folder().join("access.json");
    let (reply, port) = five_exchanges(&front, &proxy);
    let all = wait_for_lines(&log, 5);
    let server = format!("http://{}", origin.addr());
    let length = reply.body.len().to_string();
    let rows: [(usize, &[(&str, &str)], &[&str]); 5] = [
        (
            0,
            &[
                ("listener", "\"web\""),
                ("status", "200"),
                ("request_bytes", "5"),
                ("response_bytes", &length),
                ("peer_ip", "\"127.0.0.1\""),
                ("peer_port", &port.to_string()),
                ("client_ip", "\"127.0.0.1\""),
                ("method", "\"POST\""),
                ("scheme", "\"http\""),
                ("host", "\"app.test\""),
                ("path", "\"/a\""),
                ("query", "\"b=c\""),
                ("protocol", "\"HTTP/1.1\""),
                ("site", "\"app.test\""),
                ("service", "\"app\""),
                ("server", &format!("\"{server}\"")),
                ("request_headers", "{\"user-agent\":\"tester \\\"1\\\"\"}"),
            ],
            &["error", "user", "tls_version", "retries"],
        ),
        (
            1,
            &[
                ("listener", "\"secure\""),
                ("status", "200"),
                ("user", "\"bob\""),
                ("scheme", "\"https\""),
                ("protocol", "\"HTTP/2.0\""),
                ("tls_version", "\"TLSv1.3\""),
                ("tls_server_name", "\"app.test\""),
            ],
            &["error", "query", "request_headers", "tls_client_subject"],
        ),
        (2, &[("status", "502"), ("error", "\"connection_refused\""), ("path", "\"/gone\"")], &["user"]),
        (3, &[("status", "404"), ("host", "\"nobody.test\"")], &["site", "route", "service", "server"]),
        (4, &[("status", "400"), ("listener", "\"web\"")], &["method", "path", "site"]),
    ];
    for (number, fields, absent) in rows {
        has(&all[number], fields, absent);
    }
}

/// The line has these fields with these values, and not those.
#[track_caller]
fn has(line: &Value, fields: &[(&str, &str)], absent: &[&str]) {
    for (name, value) in fields {
        assert_eq!(line[name].to_string(), *value, "{name} of {line}");
    }
    for name in absent {
        assert!(line.get(name).is_none(), "{name} is in {line}");
    }
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z') && time.contains('T')), "{line}");
    assert!(line["duration_ms"].as_f64().is_some_and(|took| took >= 0.0), "{line}");
}

/// One after the other; returns the answer to the first, and the port it was asked from.
fn five_exchanges(front: &Front, proxy: &Proxy) -> (Reply, u16) {
    let mut plain = Session::http1(proxy.addr("web"));
    let mut asked = request("POST", "app.test", "/a?b=c").map(|_| bytes::Bytes::from_static(b"hello"));
    asked.headers_mut().insert("user-agent", "tester \"1\"".parse().expect("a value"));
    let reply = plain.send(asked);
    let mut secure = Session::tls(proxy.addr("secure"), "app.test", &front.tls(&["h2"]));
    let mut asked = request("GET", "app.test", "/door");
    asked.headers_mut().insert("authorization", "Basic Ym9iOnNlY3JldA==".parse().expect("a value"));
    secure.send(asked);
    plain.get("app.test", "/gone");
    plain.get("nobody.test", "/x");
    RawClient::ask(proxy.addr("web"), "GET /x HTTP/1.1\r\n\r\n");
    (reply, plain.local_addr().port())
}

#[test]
fn a_websocket_is_logged_when_it_ends_with_what_went_through() {
    let (_server, address) = python_server("ws_server.py", &[]);
    let config = format!(
        "{WEB}[logs]\naccess = {{ file = \"access.json\" }}\n\
         [sites.\"app.test\"]\nhttps = \"off\"\nto = \"http://{address}\"\n"
    );
    let proxy = Proxy::start(&config);
    let web = proxy.addr("web").to_string();
    let arguments = ["ws://app.test/", "--connect", &web, "--messages", "3", "--size", "1000"];
    python("ws_client.py", &arguments).finish(PATIENCE).expect_success();
    let line = &wait_for_lines(&proxy.folder().join("access.json"), 1)[0];
    assert_eq!((line["status"].as_u64(), line.get("error")), (Some(101), None), "{line}");
    for bytes in ["request_bytes", "response_bytes"] {
        assert!(line[bytes].as_u64().is_some_and(|bytes| bytes > 3000), "{bytes} of {line}");
    }
}

#[test]
fn a_log_that_was_moved_is_opened_anew_and_no_line_is_lost() {
    let config = format!(
        "{WEB}[logs]\naccess = {{ file = \"access.json\" }}\n[sites.\"app.test\"]\nhttps = \"off\"\nrespond = {{}}\n"
    );
    let proxy = Proxy::start(&config);
    let (now, before) = (proxy.folder().join("access.json"), proxy.folder().join("access.json.1"));
    let mut session = Session::http1(proxy.addr("web"));
    for number in 0..10 {
        session.get("app.test", &format!("/{number}"));
    }
    wait_for_lines(&now, 10);
    std::fs::rename(&now, &before).expect("a file to move");
    for number in 10..20 {
        session.get("app.test", &format!("/{number}"));
    }
    wait_for_lines(&before, 20);
    proxy.peer().signal(Signal::USR1);
    wait_until("the new file", || now.exists());
    for number in 20..30 {
        session.get("app.test", &format!("/{number}"));
    }
    wait_for_lines(&now, 10);
    assert_eq!(proxy.stop().code(), 0);
}

//! Python's websockets on both ends, over both schemes and over HTTP/2.

use pn_testkit::{Nginx, Proxy, python_server};
use proxy_now_e2e::Front;
use serde_json::{Value, json};

use crate::{front, told};

/// Where the clients connect, the URL, and the roots.
#[track_caller]
fn websocket(front: &Front, proxy: &Proxy, listener: &str, arguments: &[&str]) -> Value {
    let (address, root) = (proxy.addr(listener).to_string(), front.root());
    let url = if listener == "secure" { "wss://ws.test/" } else { "ws://ws.test/" };
    let fixed = [url, "--connect", &address, "--ca", &root];
    told("ws_client.py", &[&fixed[..], arguments].concat())
}

#[test]
fn websocket_messages_of_every_size_come_back_over_both_schemes() {
    let (_server, address) = python_server("ws_server.py", &["--deflate"]);
    let (front, proxy) = front("ws.test", &format!("to = \"http://{address}\""));
    let rows: [&[&str]; 5] = [
        &["--messages", "200"],
        &["--messages", "20", "--size", "66000"],
        &["--messages", "3", "--size", "4000000"],
        &["--messages", "3", "--size", "4000000", "--binary"],
        &["--messages", "3", "--size", "4000000", "--deflate"],
    ];
    for listener in ["web", "secure"] {
        for arguments in rows {
            let count: u64 = arguments[1].parse().expect("a number");
            let expected = json!({"sent": count, "received": count, "in_order": true});
            assert_eq!(websocket(&front, &proxy, listener, arguments), expected, "{listener} {arguments:?}");
        }
    }
}

#[test]
fn websocket_close_codes_subprotocols_and_extensions_pass_both_ways() {
    const CHAT: [&str; 2] = ["--subprotocol", "chat"];
    let (server, address) =
        python_server("ws_server.py", &["--deflate", "--subprotocol", "chat.v2", "--subprotocol", "chat"]);
    let (front, proxy) = front("ws.test", &format!("to = \"http://{address}\""));
    let rows: [(&[&str], Value); 5] = [
        (&["--say", "close 4001 enough"], json!({"answer": null, "close": 4001, "reason": "enough"})),
        (&["--say", "close 1011 broken"], json!({"answer": null, "close": 1011, "reason": "broken"})),
        (&["--say", "hi"], json!({"answer": "hi", "subprotocol": "chat", "extensions": []})),
        (&["--say", "hi", "--subprotocol", "chat.v2"], json!({"subprotocol": "chat.v2"})),
        (&["--say", "hi", "--deflate"], json!({"answer": "hi", "extensions": ["permessage-deflate"]})),
    ];
    for listener in ["web", "secure"] {
        for (arguments, expected) in &rows {
            let told = websocket(&front, &proxy, listener, &[arguments, &CHAT[..]].concat());
            for (key, value) in expected.as_object().expect("an object") {
                assert_eq!(&told[key], value, "{listener} {arguments:?}: {key} of {told}");
            }
        }
        let code = if listener == "web" { "4123" } else { "3001" };
        websocket(&front, &proxy, listener, &[&["--say", "hi", "--close", code], &CHAT[..]].concat());
        server.wait_for_log(&format!("closed {code} as asked"));
    }
}

#[test]
fn a_websocket_over_http2_reaches_a_server_of_http1() {
    let (_server, address) = python_server("ws_server.py", &["--subprotocol", "chat"]);
    let (front, proxy) = front("ws.test", &format!("to = \"http://{address}\""));
    let (secure, root) = (proxy.addr("secure").to_string(), front.root());
    for size in ["0", "300000"] {
        let arguments = [&*secure, "--host", "ws.test", "--ca", &root, "--messages", "20", "--size", size];
        assert_eq!(
            told("ws_h2_client.py", &arguments),
            json!({"status": "200", "received": 20, "close": 4001})
        );
    }
}

#[test]
fn a_websocket_passes_a_second_proxy_behind_this_one() {
    let (_server, address) = python_server("ws_server.py", &[]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:<port>; location / {{ proxy_pass http://{address}; proxy_http_version 1.1; \
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }}"
    ));
    let (front, proxy) = front("ws.test", &format!("to = \"http://{}\"", nginx.addr()));
    let told = websocket(&front, &proxy, "secure", &["--messages", "20", "--size", "100000"]);
    assert_eq!(told["received"], 20, "{told}");
}

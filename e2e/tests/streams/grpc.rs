//! grpcio on both ends.

use pn_testkit::{Peer, Proxy, python_server};
use proxy_now_e2e::Front;
use serde_json::{Value, json};

use crate::{front, told};

/// grpcio on both ends: the front over TLS or plain, the server over h2c.
struct Grpc {
    front: Front,
    proxy: Proxy,
    server: Peer,
}

impl Grpc {
    fn start(transport: &str) -> Self {
        let (server, address) = python_server("grpc_server.py", &[]);
        let service = format!("to = \"grpc\"\n[services.grpc]\nservers = [\"h2c://{address}\"]\n{transport}");
        let (front, proxy) = front("grpc.test", &service);
        Self { front, proxy, server }
    }

    #[track_caller]
    fn call(&self, listener: &str, arguments: &[&str]) -> Value {
        let (address, root) = (self.proxy.addr(listener).to_string(), self.front.root());
        let mut all = vec![&*address, "--authority", "grpc.test"];
        if listener == "secure" {
            all.extend(["--ca", &root]);
        }
        all.extend(arguments);
        told("grpc_client.py", &all)
    }
}

#[test]
fn grpc_calls_of_every_kind_are_what_they_are_without_a_proxy() {
    let grpc = Grpc::start("");
    let why: String = (0..=255).map(|byte: u8| format!("{byte:02x}")).collect();
    let done = json!({"x-end": "done"});
    let rows: [(&[&str], Value); 8] = [
        (
            &["--call", "Unary", "--payload", "hello"],
            json!({"code": "OK", "answers": ["hello"], "trailers": done}),
        ),
        (&["--call", "Unary", "--payload", ""], json!({"code": "OK", "answers": [""], "trailers": done})),
        // Larger than every window on the way.
        (
            &["--call", "Unary", "--payload", "x4000000"],
            json!({"code": "OK", "answers": ["4000000"], "trailers": done}),
        ),
        (
            &["--call", "Count", "--payload", "5"],
            json!({"code": "OK", "answers": ["0", "1", "2", "3", "4"], "trailers": done}),
        ),
        // No message at all: the trailers alone say how it went.
        (&["--call", "Count", "--payload", "0"], json!({"code": "OK", "answers": [], "trailers": done})),
        (
            &["--call", "Sum", "--payload", "x300000"],
            json!({"code": "OK", "answers": ["3000000"], "trailers": done}),
        ),
        (
            &["--call", "Fail"],
            json!({"code": "RESOURCE_EXHAUSTED", "details": "no more, as asked", "trailers": {"x-end": "done", "x-why-bin": why}}),
        ),
        (&["--call", "Unknown"], json!({"code": "UNIMPLEMENTED", "answers": []})),
    ];
    for listener in ["web", "secure"] {
        for (arguments, expected) in &rows {
            let told = grpc.call(listener, arguments);
            for (key, value) in expected.as_object().expect("an object") {
                let had = if key == "trailers" { without_date(&told[key]) } else { told[key].clone() };
                assert_eq!(&had, value, "{listener} {arguments:?}: {key} of {told}");
            }
        }
        let chat = grpc.call(listener, &["--messages", "100"]);
        assert_eq!(chat, json!({"sent": 100, "received": 100, "in_order": true, "trailer": "done"}));
    }
}

/// A response that is nothing but trailers has its header fields there, and a proxy may add a Date to those.
fn without_date(trailers: &Value) -> Value {
    let mut trailers = trailers.clone();
    trailers.as_object_mut().expect("an object").remove("date");
    trailers
}

#[test]
fn a_deadline_reaches_the_grpc_server_and_ends_the_call_there_too() {
    let grpc = Grpc::start("");
    let told = grpc.call("secure", &["--call", "Hang", "--deadline", "1"]);
    assert_eq!(told["code"], "DEADLINE_EXCEEDED", "{told}");
    grpc.server.wait_for_log("hang ended, 1 left");
}

#[test]
fn a_grpc_client_is_told_what_the_proxy_could_not_do_in_terms_of_grpc() {
    let grpc = Grpc::start("transport = { timeouts = { response-header = \"300ms\" } }");
    let slow = grpc.call("secure", &["--call", "Hang"]);
    // 504 by HTTP, which the client of gRPC reads as this.
    assert_eq!(slow["code"], "UNAVAILABLE", "{slow}");
    grpc.server.wait_for_log("hang ended");
    let Grpc { front, proxy, server } = grpc;
    drop(server);
    let (address, root) = (proxy.addr("secure").to_string(), front.root());
    let arguments = [&*address, "--authority", "grpc.test", "--ca", &root, "--call", "Unary"];
    assert_eq!(told("grpc_client.py", &arguments)["code"], "UNAVAILABLE");
}

//! What flows for long, both ways, or bit by bit, between real peers: gRPC, WebSocket, server-sent events, uploads that
//! the origin takes slowly, trailers, and bodies that are not there.
#![expect(clippy::panic, clippy::expect_used, reason = "a step of a test fails as the test does")]

mod early;
mod grpc;
mod pieces;
mod server;
mod uploads;
mod websocket;

use pn_testkit::{PATIENCE, Proxy, python};
use proxy_now_e2e::{Front, LISTENERS};
use serde_json::Value;

/// A proxy with one site, and the authority of its certificate.
pub(crate) fn front(host: &str, site: &str) -> (Front, Proxy) {
    let front = Front::new();
    let config = format!("{LISTENERS}\n[sites.\"{host}\"]\n{site}\n");
    let proxy = front.setup(&[host]).start(&config);
    (front, proxy)
}

/// Runs a Python client to its end and reads the line of JSON that it prints.
#[track_caller]
pub(crate) fn told(name: &str, arguments: &[&str]) -> Value {
    let out = python(name, arguments).finish(PATIENCE).expect_success();
    let line = out.lines().rev().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{out}"));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {out}"))
}

//! Hostile clients and hostile upstreams against the real binary: what a section of an RFC asks for, as a table of
//! bytes in and bytes expected. `docs/conformance.md` lists every row; one test here holds the list to the tables.
//! Honest peers (curl, nginx, Python) are in the other files beside this folder.
#![expect(clippy::panic, clippy::expect_used, reason = "a step of a case fails as a test does, by a panic")]

mod case;
mod check;
mod h2;
mod list;
mod play;
mod stage;
mod tables;

use tables::TABLES;

/// Runs tables by their titles, all on one proxy.
#[track_caller]
fn run(titles: &[&str]) {
    let chosen = titles.iter().map(|title| {
        let found = TABLES.iter().find(|table| table.title == *title);
        found.unwrap_or_else(|| panic!("no table is called {title:?}"))
    });
    check::check(chosen.flat_map(|table| (table.cases)()).collect());
}

macro_rules! tests {
    ($($name:ident: [$($title:literal),* $(,)?];)*) => {
        $(#[test]
        fn $name() {
            run(&[$($title),*]);
        })*

        /// Every title that a test runs.
        const RUN: &[&str] = &[$($($title),*),*];
    };
}

// Tables that share a proxy.
tests! {
    http1_heads: ["Request line and target", "Host", "Fields", "Paths"];
    http1_bodies_and_connections: [
        "Content-Length and Transfer-Encoding",
        "Chunked bodies and trailers",
        "Connections",
        "Expect",
    ];
    semantics: ["Semantics", "Upgrades and WebSocket", "What clients claim, and the PROXY protocol"];
    upstreams: ["Upstreams of HTTP/1", "Interim responses", "Upstreams of HTTP/2"];
    http2: [
        "Frames of HTTP/2",
        "Streams of HTTP/2",
        "Malformed requests over HTTP/2",
        "Requests over HTTP/2",
        "Floods over HTTP/2",
        "WebSocket over HTTP/2",
    ];
    tls_and_slow_clients: ["TLS", "Slow clients and limits"];
}

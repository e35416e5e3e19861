//! Responses that come piece by piece, and their trailers.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pn_testkit::{Origin, PATIENCE, Peer, RawOrigin, Session, find_program, request};
use proxy_now_e2e::{Front, LISTENERS};

use crate::front;

const PIECES: usize = 5;

/// Sends the next piece only when the test says so.
fn paced(head: &'static str) -> (RawOrigin, Arc<AtomicUsize>) {
    let allowed = Arc::new(AtomicUsize::new(0));
    let gate = Arc::clone(&allowed);
    let origin = RawOrigin::start(move |wire| {
        loop {
            wire.read_head()?;
            wire.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{head}\r\n"))?;
            for number in 0..PIECES {
                while gate.load(Ordering::SeqCst) <= number {
                    wire.pause(Duration::from_millis(2));
                }
                let piece = format!("data: event {number}\n\n");
                wire.send(format!("{:x}\r\n{piece}\r\n", piece.len()))?;
            }
            wire.send("0\r\n\r\n")?;
        }
    });
    (origin, allowed)
}

#[test]
fn every_piece_arrives_before_the_next_is_sent() {
    const SSE: &str = "Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n";
    const JSON: &str = "Content-Type: application/x-ndjson\r\n";
    const SQUEEZED: &str = "use = [\"squeeze\"]\n[middlewares.squeeze]\ncompress = { min-size = \"0B\" }";
    let rows: [(&str, &str, &str, &[&str]); 8] = [
        ("web", SSE, "", &["--http1.1"]),
        ("web", SSE, "", &["--http2-prior-knowledge"]),
        ("secure", SSE, "", &["--http1.1"]),
        ("secure", SSE, "", &["--http2"]),
        ("secure", SSE, SQUEEZED, &["--http2", "-H", "Accept-Encoding: gzip"]),
        ("secure", JSON, SQUEEZED, &["--http2", "--compressed"]),
        ("web", JSON, SQUEEZED, &["--http1.1", "--compressed", "-H", "Accept-Encoding: gzip"]),
        ("web", JSON, SQUEEZED, &["--http1.1", "--compressed", "-H", "Accept-Encoding: br"]),
    ];
    for (listener, head, site, arguments) in rows {
        let (origin, allowed) = paced(head);
        let (front, proxy) = front("sse.test", &format!("to = \"http://{}\"\n{site}", origin.addr()));
        let mut command = Command::new(find_program("curl"));
        command.args(["-q", "-sS", "-N", "--max-time", "20"]).args(arguments);
        let client = Peer::start("curl", command.args(front.curl(&proxy, listener, "sse.test", "/")));
        for number in 0..PIECES {
            allowed.store(number + 1, Ordering::SeqCst);
            client.wait_for_log(&format!("data: event {number}\n\n"));
        }
        assert_eq!(client.finish(PATIENCE).code(), 0, "{listener} {arguments:?}");
    }
}

#[test]
fn trailers_of_responses_cross_every_pair_of_protocols() {
    let (front, one, two) = (Front::new(), Origin::http1(), Origin::h2c());
    let config = format!(
        "{LISTENERS}\n[sites.\"one.test\"]\nto = \"http://{}\"\n[sites.\"two.test\"]\nto = \"h2c://{}\"\n",
        one.addr(),
        two.addr()
    );
    let proxy = front.setup(&["one.test", "two.test"]).start(&config);
    let secure: SocketAddr = proxy.addr("secure");
    for host in ["one.test", "two.test"] {
        let sessions = [
            Session::http1(proxy.addr("web")),
            Session::h2c(proxy.addr("web")),
            Session::tls(secure, host, &front.tls(&["http/1.1"])),
            Session::tls(secure, host, &front.tls(&["h2"])),
        ];
        for mut session in sessions {
            let mut asked = request("GET", host, "/chunked/3");
            asked.headers_mut().insert("te", "trailers".parse().expect("a value"));
            let reply = session.send(asked);
            assert_eq!(reply.text(), "chunk 0\nchunk 1\nchunk 2\n", "{host} over {session:?}");
            let count = reply.trailers.get("x-count").and_then(|value| value.to_str().ok());
            assert_eq!(count, Some("3"), "{host} over {session:?}: {reply:?}");
        }
    }
}

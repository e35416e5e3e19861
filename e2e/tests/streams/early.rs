//! Answers that come before their request is over, and responses that end before they are: nothing of one exchange may
//! reach the next, and nothing that broke off may look whole.

use std::time::Duration;

use pn_testkit::{RawClient, RawOrigin, Wire};

use crate::front;

/// Refuses the first request before it has read the body, and sends back the others'.
fn refusing_first() -> RawOrigin {
    RawOrigin::start(|wire: &mut Wire| {
        if wire.number() == 0 {
            wire.read_head()?;
            wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
            return wire.reset();
        }
        let (_, body) = wire.read_request()?;
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()))?;
        wire.send(body)
    })
}

#[test]
fn nothing_of_a_request_that_was_answered_early_reaches_the_next() {
    for (name, in_pieces) in [("pieces", true), ("one", false)] {
        let origin = refusing_first();
        let (_front, proxy) =
            front("early.test", &format!("https = \"both\"\nto = \"http://{}\"", origin.addr()));
        let mut client = RawClient::connect(proxy.addr("web"));
        let head =
            "POST / HTTP/1.1\r\nHost: early.test\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n";
        let piece = "x".repeat(6_000);
        let rest = format!("1770\r\n{piece}\r\n0\r\nX-First: secret\r\n\r\n");
        if in_pieces {
            client.send(head);
            std::thread::sleep(Duration::from_millis(100));
            client.send(rest);
        } else {
            client.send(format!("{head}{rest}"));
        }
        assert_eq!(client.response().status, 413, "{name}");
        // What is left of the upload finds its server gone meanwhile.
        std::thread::sleep(Duration::from_millis(300));
        client.send(head);
        std::thread::sleep(Duration::from_millis(100));
        let response = client.send("5\r\nhello\r\n0\r\n\r\n").response();
        // The origin sends back the chunks as they came.
        assert_eq!((response.status, response.text().as_str()), (200, "5\r\nhello\r\n0\r\n\r\n"), "{name}");
        let second = String::from_utf8_lossy(&origin.received(1)).to_lowercase();
        assert!(!second.contains("x-first") && !second.contains("xxx"), "{name}: {second}");
    }
}

#[test]
fn a_response_that_broke_off_never_looks_whole() {
    const CHUNK: usize = 3_000;
    for chunks in (1..=14).map(|step| step * 100) {
        let origin = RawOrigin::start(move |wire: &mut Wire| {
            wire.read_head()?;
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let chunk = format!("bb8\r\n{}\r\n", "x".repeat(CHUNK));
            (0..chunks).try_for_each(|_| wire.send(&chunk))
        });
        let (_front, proxy) =
            front("cut.test", &format!("https = \"both\"\nto = \"http://{}\"", origin.addr()));
        let mut client = RawClient::connect(proxy.addr("web"));
        client.send("GET / HTTP/1.1\r\nHost: cut.test\r\n\r\n");
        // The origin breaks off while the client does not read.
        std::thread::sleep(Duration::from_millis(150));
        let (_, bytes) = client.end();
        assert!(!bytes.ends_with(b"0\r\n\r\n"), "{chunks} chunks: {} bytes", bytes.len());
    }
}

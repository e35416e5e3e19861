//! The upstream of both proxies: answers by path, and keeps what it was asked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::raw_origin::{RawOrigin, Wire};
use crate::seen::{Seen, read_request_after};

/// An origin that keeps every whole request in the order in which they came.
#[derive(Debug)]
pub struct Recorder {
    origin: RawOrigin,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Recorder {
    pub fn start() -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let kept = Arc::clone(&seen);
        let origin = RawOrigin::start(move |wire| {
            loop {
                let request =
                    read_request_after(wire, |head, wire| match head.header("expect").is_empty() {
                        true => Ok(()),
                        false => wire.send("HTTP/1.1 100 Continue\r\n\r\n"),
                    })?;
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                answer(wire, &request)?;
            }
        });
        Self { origin, seen }
    }

    pub fn addr(&self) -> SocketAddr {
        self.origin.addr()
    }

    /// What it was asked since this was called before.
    pub(super) fn take(&self) -> Vec<Seen> {
        self.origin.forget();
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Status line, fields and body of the answer at a path; an empty body field means nothing follows the head.
struct Answer(&'static str, &'static str, &'static [u8], &'static [u8]);

const OK: &str = "HTTP/1.1 200 OK\r\n";

const ANSWERS: &[Answer] = &[
    Answer("/chunked", OK, b"Transfer-Encoding: chunked\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    Answer(
        "/trailers",
        OK,
        b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
        b"5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n",
    ),
    Answer("/extension", OK, b"Transfer-Encoding: chunked\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    Answer("/none", "HTTP/1.1 204 No Content\r\n", b"ETag: \"a\"\r\n", b""),
    Answer("/same", "HTTP/1.1 304 Not Modified\r\n", b"ETag: \"a\"\r\n", b""),
    Answer("/until-close", OK, b"X-A: 1\r\n", b"hello"),
    Answer("/old", "HTTP/1.0 200 OK\r\n", b"Content-Length: 5\r\n", b"hello"),
    Answer("/no-reason", "HTTP/1.1 200 \r\n", b"Content-Length: 5\r\n", b"hello"),
    Answer(
        "/fields",
        "HTTP/1.1 404 No\r\n",
        b"x-A:1\r\nX-a: \t2 \r\nX-L: \xe9\r\nContent-Length: 0\r\n",
        b"",
    ),
    Answer(
        "/connection",
        OK,
        b"Connection: X-A\r\nX-A: 1\r\nX-B: 2\r\nKeep-Alive: timeout=9\r\nContent-Length: 5\r\n",
        b"hello",
    ),
    Answer("/last", OK, b"Connection: close\r\nContent-Length: 5\r\n", b"hello"),
    Answer("/twice", OK, b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"),
    Answer("/differ", OK, b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
    Answer("/both", OK, b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    Answer("/gzip", OK, b"Transfer-Encoding: gzip, chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    Answer("/fold", OK, b"X-A: 1\r\n 2\r\nContent-Length: 5\r\n", b"hello"),
    Answer("/space", OK, b"X-A : 1\r\nContent-Length: 5\r\n", b"hello"),
    Answer("/short", OK, b"Content-Length: 9\r\n", b"hello"),
    Answer("/short-chunk", OK, b"Transfer-Encoding: chunked\r\n", b"9\r\nhello"),
    Answer("/bad-chunk", OK, b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\nzz\r\n\r\n"),
    Answer("/bad-length", OK, b"Content-Length: +5\r\n", b"hello"),
    Answer(
        "/hints",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"Content-Length: 5\r\n",
        b"hello",
    ),
    Answer(
        "/progress",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"Content-Length: 5\r\n",
        b"hello",
    ),
    Answer("/garbage", "hello\r\n", b"", b""),
];

/// Paths of which a proxy learns by the end of the connection that the answer is over, or that it is not.
const CLOSING: [&str; 6] = ["/until-close", "/last", "/short", "/short-chunk", "/bad-chunk", "/garbage"];

fn answer(wire: &mut Wire, request: &Seen) -> io::Result<()> {
    let path = request.target().split('?').next().unwrap_or_default();
    if path == "/switch" && !request.header("upgrade").is_empty() {
        return echo(wire);
    }
    let who = format!("X-Origin: {}\r\n", request.method());
    let mut bytes = match ANSWERS.iter().find(|answer| answer.0 == path) {
        Some(Answer(_, line, fields, body)) => {
            let body: &[u8] = if request.method() == "HEAD" { b"" } else { body };
            [line.as_bytes(), who.as_bytes(), fields, b"\r\n", body].concat()
        }
        None => {
            let body = format!("{} {} {}", request.method(), request.target(), request.body.len());
            let head = format!("{OK}{who}Content-Length: {}\r\n\r\n", body.len());
            let body = if request.method() == "HEAD" { String::new() } else { body };
            (head + &body).into_bytes()
        }
    };
    if path == "/lf" {
        bytes.retain(|&byte| byte != b'\r');
    }
    wire.send(bytes)?;
    // Nothing is missing of an answer to HEAD, whose connection may be used again.
    let closes =
        CLOSING.contains(&path) && (request.method() != "HEAD" || path == "/last" || path == "/garbage");
    if closes { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
}

fn echo(wire: &mut Wire) -> io::Result<()> {
    wire.send(
        "HTTP/1.1 101 Switching Protocols\r\nX-Origin: GET\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    )?;
    loop {
        let byte = wire.read(1)?;
        wire.send(byte)?;
    }
}
